package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// ErrStalled means that no byte came or went for Options.StallTimeout while the server was expected to act. It is an
// [os.ErrDeadlineExceeded], and not the context package's: the caller's own deadline has not passed.
var ErrStalled = fmt.Errorf("the server stalls: %w", os.ErrDeadlineExceeded)

// A watch is the life of a connection or of a request: its context ends with the parent, and when nothing happens for too
// long while somebody waits.
type watch struct {
	ctx    context.Context
	parent context.Context
	cancel context.CancelCauseFunc
	limit  time.Duration // of silence

	mu      sync.Mutex
	timer   *time.Timer
	waiting int // how many wait for the server
}

func newWatch(parent context.Context, limit time.Duration) *watch {
	w := &watch{parent: parent, limit: limit}
	w.ctx, w.cancel = context.WithCancelCause(parent)
	stalled := fmt.Errorf("%w: nothing for %v, which Options.StallTimeout sets", ErrStalled, limit)
	w.timer = time.AfterFunc(limit, func() { w.cancel(stalled) })
	w.timer.Stop()
	return w
}

// begin starts a wait for the server, which done ends.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting++
	w.timer.Reset(w.limit)
}

func (w *watch) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting--; w.waiting == 0 {
		w.timer.Stop()
	}
}

// touch tells that something happened. It may come late, from a connection attempt that nobody waits for.
func (w *watch) touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting > 0 {
		w.timer.Reset(w.limit)
	}
}

// end ends the watch, and what its context holds open.
func (w *watch) end() { w.cancel(net.ErrClosed) }

// blame says why err happened, if the watch ended what it happened to.
func (w *watch) blame(err error) error {
	if err == nil {
		return nil
	}
	if ended := w.parent.Err(); ended != nil {
		return because(ended, err)
	}
	switch cause := context.Cause(w.ctx); {
	case cause == nil || errors.Is(err, cause):
		return err
	case errors.Is(cause, ErrStalled):
		return cause
	default:
		return because(cause, err)
	}
}

func because(cause, err error) error {
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// guard closes c when the watch ends. The function returned has it let go of c.
func (w *watch) guard(c io.Closer) (release func() bool) {
	return context.AfterFunc(w.ctx, func() { _ = c.Close() })
}

// A watchedConn tells its watch when bytes come or go.
type watchedConn struct {
	net.Conn
	watch *watch
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.watch.touch()
	}
	return n, err
}

func (c *watchedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.watch.touch()
	}
	return n, err
}
