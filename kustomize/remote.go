package kustomize

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

// A Reference is what a kustomization says of something outside the file system: a folder or a file in a Git repository, or
// a file that has a URL of its own. It is understood as kustomize understands it.
//
// Text and URL may hold credentials. Formatting a Reference, by fmt or slog, never shows them.
type Reference struct {
	// Text is the reference as it stands in the kustomization.
	Text string

	// URL is the address of the repository, as git clone takes it; or that of the file, with its query, where File is set.
	URL string

	// Path is where the folder or file is in the file system that [Options.Remote] returns: slash-separated, "." for the
	// root. Where File is set it is the last element of the URL's path, as it is spelled there.
	Path string

	// Ref is the branch, tag, commit or full name of a reference that ?ref= (or the older ?version=) asks for. Empty: the
	// branch that the repository's HEAD is. Where File is set it is empty.
	Ref string

	// File says that URL is that of one file, for an HTTP GET, and not of a repository.
	File bool

	// Submodules says whether kustomize would fetch the repository's submodules. It would, unless ?submodules= says not.
	Submodules bool

	// Timeout is what ?timeout= allows for getting the repository. Zero: nothing is said, and kustomize takes 27 seconds.
	Timeout time.Duration
}

// String returns the reference without user names, passwords and the parts of the query that kustomize does not know.
func (r Reference) String() string {
	if r.File {
		return r.origin()
	}
	s := withoutUser(r.URL)
	if r.Path != "." {
		s += "//" + cutAt(r.Path, '#')
	}
	return s + r.query()
}

// origin is String for what holds the path.
func (r Reference) origin() string { return withoutUser(r.URL) + r.query() }

func (r Reference) query() string {
	if r.Ref == "" {
		return ""
	}
	return "?ref=" + r.Ref
}

// Format implements [fmt.Formatter]: every verb prints what String returns, %q in quotes.
func (r Reference) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		fmt.Fprintf(f, "%q", r.String())
		return
	}
	_, _ = io.WriteString(f, r.String())
}

// LogValue implements [slog.LogValuer] by String.
func (r Reference) LogValue() slog.Value { return slog.StringValue(r.String()) }

// withoutUser removes from a URL what comes before its host, its query and its fragment. It takes all up to the last "@",
// which is too much where a path has one, rather than leave a part of a password.
func withoutUser(address string) string {
	address = cutAt(cutAt(address, '?'), '#')
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "", address
	} else {
		scheme += "://"
	}
	return scheme + rest[strings.LastIndexByte(rest, '@')+1:]
}

func cutAt(s string, c byte) string {
	if i := strings.IndexByte(s, c); i >= 0 {
		return s[:i]
	}
	return s
}

// conceal removes what is secret in the reference from a text that somebody else wrote about it.
func (r Reference) conceal(text string) string {
	text = strings.ReplaceAll(text, r.Text, r.String())
	text = strings.ReplaceAll(text, r.URL, withoutUser(r.URL))
	for _, secret := range r.secrets() {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return text
}

// secrets returns what the user part and the query may hold that is not for others to see, in all its spellings. Nothing
// shorter than three bytes is one.
func (r Reference) secrets() []string {
	var found []string
	add := func(words ...string) {
		for _, word := range words {
			if len(word) > 2 {
				found = append(found, word)
			}
		}
	}
	address, query, _ := strings.Cut(r.Text, "?")
	_, rest, ok := strings.Cut(address, "://")
	if at := strings.LastIndexByte(rest, '@'); ok && at >= 0 {
		user, password, _ := strings.Cut(rest[:at], ":")
		decoded, _ := url.PathUnescape(password)
		token, _ := url.PathUnescape(user)
		add(rest[:at], password, decoded)
		if user != "git" {
			add(user, token)
		}
	}
	for _, pair := range strings.FieldsFunc(query, func(c rune) bool { return c == '&' || c == ';' }) {
		key, value, _ := strings.Cut(pair, "=")
		if repositoryQuery[key] {
			continue
		}
		decoded, _ := url.QueryUnescape(value)
		add(value, decoded)
	}
	return found
}
