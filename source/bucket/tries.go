package bucket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/network"
	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// maxTries is how often a request is sent to a network or a server that fails.
const maxTries = 3

// A call is what the requests of one call of the driver have in common; it travels in their context.
type call struct {
	// pages is how many answers of a listing may come; zero: it is no listing.
	pages int64
	seen  atomic.Int64
	after atomic.Int64 // the last answer's Retry-After, in nanoseconds
	// odd is the last answer, if S3 gives no such answer.
	odd atomic.Pointer[oddAnswer]
	// asking is what went wrong with asking for credentials.
	asking atomic.Pointer[credentialError]
	// failed is how many tries of the last request failed, and failure why the last of them did.
	failed  atomic.Int64
	failure atomic.Pointer[error]
	heard   atomic.Int64 // when something came last, or a request went out, in Unix nanoseconds
}

func (c *call) hear() { c.heard.Store(time.Now().UnixNano()) }

// fail notes what is wrong with a try. It is no use where the context ended it.
func (c *call) fail(ctx context.Context, response *http.Response, err error) {
	if err == nil {
		err = fmt.Errorf("the server answers %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	}
	if ctx.Err() == nil {
		c.failed.Add(1)
		c.failure.Store(&err)
	}
}

// ended returns the context's error with what was waited for until then.
func (c *call) ended(ctx context.Context, secrets *secret.Words) error {
	err := ctx.Err()
	if failure := c.failure.Load(); failure != nil {
		tries := "1 try"
		if n := c.failed.Load(); n > 1 {
			tries = fmt.Sprintf("%d tries", n)
		}
		return fmt.Errorf("%w, after %s; the last: %v", err, tries, secrets.Clean(*failure))
	}
	silence := time.Since(time.Unix(0, c.heard.Load())).Round(100 * time.Millisecond)
	if c.heard.Load() != 0 && silence > 0 {
		return fmt.Errorf("%w: nothing came from the server for %s", err, silence)
	}
	return err
}

type callKey struct{}

// temporary returns err with the time that the store asked for.
func (c *call) temporary(err error) error {
	return &source.TemporaryError{After: time.Duration(c.after.Load()), Err: err}
}

// A persistentTransport sends a request again where the network or the server failed, bounds listings and ends silence:
// minio-go tries again without regard to Retry-After, reads a page of a listing whole, however long it is, and goes on as
// long as the server says that there is more. Requests have no bodies.
type persistentTransport struct {
	next           http.RoundTripper
	maxWait, stall time.Duration
}

// RoundTrip implements [http.RoundTripper].
func (t *persistentTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	c, _ := request.Context().Value(callKey{}).(*call)
	if c == nil {
		c = &call{}
	}
	if c.pages > 0 && c.seen.Add(1) > c.pages {
		return nil, &source.LimitError{Option: "Options.MaxKeys", Max: c.pages}
	}
	c.failed.Store(0)
	c.failure.Store(nil)
	for try := 1; ; try++ {
		response, err := t.send(request, c)
		if err == nil {
			response, err = c.examine(request, response)
		}
		after, again := t.judge(request.Context(), response, err)
		c.after.Store(int64(after))
		if again {
			c.fail(request.Context(), response, err)
		}
		if !again || try == maxTries || after > t.maxWait {
			return response, err
		}
		if response != nil {
			_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // little of it, so that the connection is used again
			_ = response.Body.Close()
		}
		pause := max(after, time.Duration(try)*(50*time.Millisecond+rand.N(100*time.Millisecond)))
		select {
		case <-request.Context().Done():
			return nil, request.Context().Err()
		case <-time.After(pause):
		}
	}
}

// judge reports whether to send the request again, and after what time the server wants that.
func (t *persistentTransport) judge(ctx context.Context, response *http.Response, err error) (time.Duration, bool) {
	if err != nil {
		hopeless := errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, new(*tls.CertificateVerificationError)) ||
			errors.Is(err, errPageTooLong) || errors.Is(err, errOdd) || isAlert(err) || refusedOnTheWay(err) != nil
		return 0, !hopeless && ctx.Err() == nil
	}
	if !passing(response.StatusCode) {
		return 0, false
	}
	after, _ := network.RetryAfter(response.Header.Get("Retry-After"), time.Now())
	return after, true
}

// passing reports whether an answer of this status may be followed by a better one.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500
}

// send returns a page of a listing only whole.
func (t *persistentTransport) send(request *http.Request, c *call) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	alarm := time.AfterFunc(t.stall, func() {
		cancel(fmt.Errorf("the server stalls: nothing came for %s (Options.StallTimeout)", t.stall))
	})
	end := func() {
		alarm.Stop()
		cancel(nil)
	}
	c.hear()
	response, err := t.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		err = causeOf(ctx, request.Context(), err)
		end()
		return nil, err
	}
	alarm.Stop()
	c.hear()
	response.Body = &watchedBody{body: response.Body, ctx: ctx, outer: request.Context(), call: c, alarm: alarm, stall: t.stall, end: end}
	if c.pages > 0 {
		return readPage(response)
	}
	if err := fitObject(response); err != nil {
		return nil, err
	}
	return response, nil
}

// causeOf returns why a request ended: the server's silence, if that was it.
func causeOf(ctx, outer context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && outer.Err() == nil {
		return cause
	}
	return err
}

// A watchedBody sets off the alarm when nothing comes that somebody waits for.
type watchedBody struct {
	body       io.ReadCloser
	ctx, outer context.Context
	call       *call
	alarm      *time.Timer
	stall      time.Duration
	end        func()
}

// Read implements [io.Reader].
func (b *watchedBody) Read(p []byte) (int, error) {
	b.alarm.Reset(b.stall)
	defer b.alarm.Stop()
	n, err := b.body.Read(p)
	if n > 0 {
		b.call.hear()
	}
	if err != nil && err != io.EOF {
		err = causeOf(b.ctx, b.outer, err)
	}
	return n, err
}

// Close implements [io.Closer].
func (b *watchedBody) Close() error {
	b.end()
	return b.body.Close()
}
