package kustomize

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// What a caller of [Build] may want to tell apart. A path that is named and is not there matches [io/fs.ErrNotExist], and
// a build that was stopped matches the context's error.
var (
	// ErrRemote says that a kustomization names something outside the file system, a URL or a Git repository, and that there
	// is no Options.Remote to ask, or that the reference is of no form that may be asked for.
	ErrRemote = errors.New("remote reference")

	// ErrUnsupported says that a kustomization asks for what would start a process: a Helm chart, or a generator or
	// transformer that is not kustomize's own.
	ErrUnsupported = errors.New("not supported")

	// ErrOutside says that a path is absolute or leads out of the root of the file system.
	ErrOutside = errors.New("path leaves the root of the file system")

	// ErrCycle says that something leads to itself: a kustomization, a type in a schema, an alias in YAML.
	ErrCycle = errors.New("cycle")

	// ErrTooLarge says that a limit of [Options] was crossed.
	ErrTooLarge = errors.New("too large")

	// ErrNotObject says that a YAML document is not a Kubernetes object.
	ErrNotObject = errors.New("not a Kubernetes object")

	// ErrDuplicate says that two objects have one identity: group, kind, namespace and name.
	ErrDuplicate = errors.New("duplicate object")

	// ErrEncrypted says that a file is encrypted, and that [Options] have no Decrypt.
	ErrEncrypted = errors.New("encrypted")

	// ErrUnknownVariable says that an expression has a name for which [Variables] has no value, and no default.
	ErrUnknownVariable = errors.New("unknown variable")

	// ErrExpression says that what begins with ${ is not an expression that [Variables] can expand.
	ErrExpression = errors.New("bad variable expression")
)

// Error says where a build stopped. Every error that [Build] returns is one.
//
// Its text is ours and short. The error of kustomize behind it, if there is one, stays reachable by [errors.As] and
// [errors.Unwrap]; that one may be long, and may quote the manifests, Secrets included, so it is not for a log.
type Error struct {
	Dir  string // what was to be built
	File string // the file it stopped at, or its folder; empty where that is not known
	Line int    // the line in File, from 1; 0 where that is not known. That of broken YAML may be the one before
	Err  error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("building ")
	b.WriteString(e.Dir)
	if e.File != "" && e.File != e.Dir {
		b.WriteString(": ")
		b.WriteString(e.File)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": ")
	if many, ok := e.Err.(*variableErrors); ok {
		return oneLine(b.String()) + " " + many.Error() // each of which is short
	}
	b.WriteString(e.Err.Error())
	return oneLine(b.String())
}

func (e *Error) Unwrap() error { return e.Err }

// at says which file err is about, unless it already says so.
func at(file string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return &Error{File: file, Err: err}
	}
	if e.File != "" {
		return err
	}
	out := *e
	out.File = file
	return &out
}

// atLine says which line err is about, of a file that is for the caller to name with at.
func atLine(line int, err error) error {
	return &Error{Line: line, Err: err}
}

// located is the last station of an error on its way out: it says which build it was.
func located(dir string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Dir: dir, Err: err}
	}
	out := *e
	out.Dir = dir
	return &out
}

// reason is an error with a text of ours and the error it stands for. Matching goes on to both the sentinel and the
// original, printing does not.
type reason struct {
	text     string
	sentinel error
	original error
}

func (r *reason) Error() string { return r.text }

func (r *reason) Unwrap() []error {
	var errs []error
	for _, err := range []error{r.sentinel, r.original} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// redact removes what may be a credential from a reference: the user part of a URL and its query.
func redact(ref string) string {
	if u, err := url.Parse(ref); err == nil && u.Scheme != "" && u.Host != "" {
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		return u.String()
	}
	ref, _, _ = strings.Cut(ref, "?")
	if i := strings.LastIndexByte(ref, '@'); i >= 0 {
		ref = ref[i+1:]
	}
	return ref
}
