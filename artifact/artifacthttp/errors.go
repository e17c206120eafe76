package artifacthttp

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/gitopskit/gitopskit/artifact"
)

// The errors that callers branch on, with [errors.Is], besides those of package artifact.
var (
	// ErrUnauthorized means that the server, or a proxy before it, wants other credentials: 401, 403 or 407.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrNoDigest means that a server does not tell the digest of what it has.
	ErrNoDigest = errors.New("the server tells no digest")
)

var errNotFound = artifact.ErrNotFound

// An Error says what a [Client] was doing, and where, when Err happened.
type Error struct {
	Op     string // "fetch" or "resolve"
	URL    string // without user, password, query and fragment; empty if it is no URL
	Status int    // of the answer, if that is the cause; else 0
	Err    error
}

// Error tells no secrets.
func (e *Error) Error() string {
	if e.URL == "" {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + " " + e.URL + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// in tells err's place.
func (t *target) in(op string, err error) error {
	e := &Error{Op: op, Err: t.hidden.clean(err)}
	if t.url != nil {
		e.URL = show(t.url)
	}
	if refusal := new(statusError); errors.As(err, &refusal) {
		e.Status = refusal.status
	}
	return e
}

// show returns what of a URL may be told.
func show(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// hidden are texts that no error may tell.
type hidden struct{ words []string }

func newHidden(u *url.URL, header http.Header) hidden {
	var h hidden
	for _, values := range header {
		for _, value := range values {
			_, credential, _ := strings.Cut(value, " ") // after "Bearer"
			h.add(value, credential)
		}
	}
	if password, ok := u.User.Password(); ok {
		h.add(password, url.QueryEscape(password), url.PathEscape(password), basic(u.User.Username(), password))
	} else {
		h.add(u.User.Username()) // which then is a token
	}
	h.addQuery(u)
	return h
}

// addQuery hides a URL's query, and its values, one of which may be a signature.
func (h *hidden) addQuery(u *url.URL) {
	h.add(u.RawQuery)
	for _, values := range u.Query() {
		h.add(values...)
	}
}

// maxText is how much of the beginning and of the end of an error is told, in bytes: a server may have written it.
const maxText = 500

// shortest is of the words that are looked for: shorter ones stand everywhere.
const shortest = 4

func (h *hidden) add(words ...string) {
	for _, word := range words {
		if len(word) >= shortest {
			h.words = append(h.words, word)
		}
	}
	// Longer ones first: of a word that begins with another, the rest would be told.
	slices.SortStableFunc(h.words, func(a, b string) int { return len(b) - len(a) })
}

// clean returns err, or one like it whose text has no secrets and is on one line. It leaves out what net/http says of
// methods and URLs.
func (h *hidden) clean(err error) error {
	for about := new(url.Error); errors.As(err, &about) && about == err; {
		err = about.Err
	}
	text := err.Error()
	if strings.Contains(text, "invalid proxy address") {
		text = "the proxy that the environment names is not a URL" // which net/http quotes, with its password
	}
	for _, word := range h.words {
		text = strings.ReplaceAll(text, word, "(redacted)")
	}
	if len(text) > 2*maxText { // the cause is at the end
		text = strings.ToValidUTF8(text[:maxText]+" … "+text[len(text)-maxText:], "")
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if text == err.Error() {
		return err
	}
	return &cleanError{text: text, cause: func() error { return err }}
}

// A cleanError tells less than its cause does. Printing does not follow functions.
type cleanError struct {
	text  string
	cause func() error
}

func (e *cleanError) Error() string { return e.text }

// Is is for [errors.Is].
func (e *cleanError) Is(target error) bool { return errors.Is(e.cause(), target) }

// As is for [errors.As].
func (e *cleanError) As(target any) bool { return errors.As(e.cause(), target) }
