package lfs

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gitopskit/gitopskit/source"
)

// ErrNoServer means that the repository's server has no Git LFS, or none for this repository.
var ErrNoServer = errors.New("the server has no Git LFS for this repository")

// An ObjectError says why the content of a file could not be had. It is a [source.ErrNotFound] where the server does not
// have it, and a [source.ErrUnauthorized] where whoever stores it wants other credentials.
type ObjectError struct {
	Path string // of the file, or of the first of many that have this content
	OID  string // the SHA-256 of the content
	Err  error
}

// Error names the file and the content.
func (e *ObjectError) Error() string {
	return fmt.Sprintf("%q: the LFS object %s: %v", e.Path, e.OID, e.Err)
}

// Unwrap returns the cause.
func (e *ObjectError) Unwrap() error { return e.Err }

// An answerError is an HTTP status that is no success. What else the server says is not read: it may be endless, and may
// repeat the request.
type answerError struct {
	code  int
	where string // the URL without what is secret in it
	hint  string // what may mend it
}

func (e *answerError) Error() string {
	text := fmt.Sprintf("%s answers %d %s", e.where, e.code, http.StatusText(e.code))
	if e.hint != "" {
		text += ": " + e.hint
	}
	return text
}

// Is tells the sentinel errors of package source.
func (e *answerError) Is(target error) bool {
	switch e.code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return target == source.ErrUnauthorized
	case http.StatusNotFound, http.StatusGone:
		return target == source.ErrNotFound
	}
	return false
}

// As tells of servers that are busy or fail.
func (e *answerError) As(target any) bool {
	temporary, ok := target.(**source.TemporaryError)
	if ok = ok && (e.code == http.StatusTooManyRequests || e.code >= 500); ok {
		*temporary = &source.TemporaryError{Err: e}
	}
	return ok
}

// batchRefused is for the answers to a batch request. A repository that Git just read is there, so it is LFS that is not.
func batchRefused(code int, where string) error {
	switch code {
	case http.StatusUnauthorized:
		return &answerError{code, where, "LFS needs credentials that may read the repository"}
	case http.StatusForbidden:
		return &answerError{code, where, "the credentials may not read LFS content, or the server's quota for it is used up"}
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return fmt.Errorf("%w: %s answers %d %s", ErrNoServer, where, code, http.StatusText(code))
	}
	return &answerError{code: code, where: where}
}

// objectRefused is for the errors of single objects in an answer to a batch request.
func objectRefused(code int) error {
	e := &answerError{code: code, where: "the server"}
	switch code {
	case http.StatusNotFound:
		e.hint = "it was never pushed there; git lfs push --all does that"
	case http.StatusGone:
		e.hint = "its owner removed it"
	case http.StatusUnprocessableEntity:
		e.hint = "it does not take the hash and the size for those of an object"
	}
	return e
}
