package reconcile

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// guard calls a function that somebody gave. Its panic is an error of that loop, for the others have nothing to do with it.
func guard[T any](call func() (T, error)) (result T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v (at %s)", v, trace())
		}
	}()
	return call()
}

// trace says where the panic was that is being recovered from, innermost first. It holds no addresses, so that the same
// panic has the same text.
func trace() string {
	const most = 12
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	var calls []string
	panicked := false
	for frame, more := frames.Next(); more && len(calls) < most; frame, more = frames.Next() {
		name := filepath.Base(frame.Function)
		switch {
		case strings.HasPrefix(name, "runtime."):
			panicked = panicked || name == "runtime.gopanic"
		case strings.HasPrefix(name, "reconcile.guard[") && panicked:
			return strings.Join(calls, " ← ")
		case panicked:
			calls = append(calls, fmt.Sprintf("%s %s:%d", name, filepath.Base(frame.File), frame.Line))
		}
	}
	return strings.Join(calls, " ← ")
}
