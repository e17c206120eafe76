package cache

import (
	"context"
	"fmt"
	"sync"
)

// locks are mutexes by name that can be waited for with a context. The zero value is ready.
type locks struct {
	mu    sync.Mutex
	named map[string]*namedLock
}

type namedLock struct {
	held  chan struct{} // holds one value while somebody has the lock
	users int           // who has it or waits for it
}

func (l *locks) lock(ctx context.Context, name string) (unlock func(), err error) {
	n := l.enter(name)
	select {
	case n.held <- struct{}{}:
		return l.unlock(name, n), nil
	case <-ctx.Done():
		l.leave(name, n)
		return nil, waiting(ctx)
	}
}

func (l *locks) try(name string) (unlock func(), ok bool) {
	n := l.enter(name)
	select {
	case n.held <- struct{}{}:
		return l.unlock(name, n), true
	default:
		l.leave(name, n)
		return nil, false
	}
}

func (l *locks) unlock(name string, n *namedLock) func() {
	return sync.OnceFunc(func() {
		<-n.held
		l.leave(name, n)
	})
}

func (l *locks) enter(name string) *namedLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.named[name]
	if n == nil {
		if l.named == nil {
			l.named = map[string]*namedLock{}
		}
		n = &namedLock{held: make(chan struct{}, 1)}
		l.named[name] = n
	}
	n.users++
	return n
}

func (l *locks) leave(name string, n *namedLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.users--; n.users == 0 {
		delete(l.named, name)
	}
}

func waiting(ctx context.Context) error {
	return fmt.Errorf("waiting for another fetch of the same repository: %w", ctx.Err())
}
