package source

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The errors that callers branch on, with [errors.Is].
var (
	// ErrNotModified means that the revision known to the caller is still current. It is returned as it is.
	ErrNotModified = errors.New("not modified")
	// ErrNotFound means that the origin answers, and has no such repository, branch, tag, commit, bucket or folder, or
	// nothing in it.
	ErrNotFound = errors.New("not found")
	// ErrUnauthorized means that the origin wants other credentials. Many Git servers say so of repositories that do
	// not exist, too.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrUnverified means that content is there and is not signed as it has to be.
	ErrUnverified = errors.New("unverified")
	// ErrTooLarge means that a limit was crossed. The error is a [*LimitError].
	ErrTooLarge = errors.New("too large")
)

// An Error says what was being done, and with which origin, when Err happened.
type Error struct {
	Op     string // what was being done: "fetching", "configuring"
	Origin string // where: a URL or a path; never with a credential, see [RedactURL]
	Err    error
}

// Error tells all three.
func (e *Error) Error() string {
	if e.Origin == "" {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + " " + e.Origin + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A LimitError says which limit was crossed and which option raises it. It is an [ErrTooLarge].
type LimitError struct {
	Option string // the field that raises it, such as "Limits.MaxFiles"
	Max    int64  // its value, in the unit that the field's comment names
	Name   string // the file that crossed it, where it was one file's doing
}

// Error names the limit, the option and the file.
func (e *LimitError) Error() string {
	text := fmt.Sprintf("%v: over %d, the limit that %s sets", ErrTooLarge, e.Max, e.Option)
	if e.Name != "" {
		text = fmt.Sprintf("%q: %s", e.Name, text)
	}
	return text
}

// Unwrap returns ErrTooLarge.
func (e *LimitError) Unwrap() error { return ErrTooLarge }

// A NameError says that an origin has a file which no snapshot can have.
type NameError struct {
	Name   string // as the origin has it
	Reason string
}

// Error quotes the name, which is somebody else's choice.
func (e *NameError) Error() string { return fmt.Sprintf("%q %s", e.Name, e.Reason) }

// A LinkError says why a symbolic link was not followed.
type LinkError struct {
	Link, Target string // the link's path in the snapshot, and what it holds
	Reason       string
}

// Error names the link.
func (e *LinkError) Error() string {
	return fmt.Sprintf("symbolic link %q to %q %s", e.Link, e.Target, e.Reason)
}

// A TemporaryError is of an origin that is busy, fails, is silent or cannot be reached: the same call may succeed later.
type TemporaryError struct {
	// After is how long the origin wants to be left alone; zero where it does not say.
	After time.Duration
	Err   error
}

// Error implements error.
func (e *TemporaryError) Error() string {
	if e.After > 0 {
		return fmt.Sprintf("%v; it asks to be left alone for %s", e.Err, e.After)
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *TemporaryError) Unwrap() error { return e.Err }

// RedactURL returns raw without user, password, query and fragment, which is where credentials are. What does not parse as
// a URL loses everything up to its last @ and from its first ? on.
func RedactURL(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
	}
	raw = raw[strings.LastIndexByte(raw, '@')+1:] // first, since a password may have a ? in it
	raw, _, _ = strings.Cut(raw, "?")
	raw, _, _ = strings.Cut(raw, "#")
	return raw
}
