package kustomize

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// nameable says what a field of a kustomization can name.
type nameable int

const (
	anything  nameable = iota // a folder or a file: resources, generators
	folders                   // components
	onlyFiles                 // patches and the like
)

// parseReference understands the address of something remote as kustomize does (api/internal/git/repospec.go), which knows
//
//	https://host/org/repo/path?ref=v1   the first two elements are the repository, unless a mark says otherwise
//	https://host/a/b/c//path            "//" ends the repository
//	https://host/a/b/c.git/path         so does ".git"
//	https://host/a/_git/repo/path       and the element after "_git"
//	ssh://user@host/org/repo
//	user@host:org/repo                  the form of scp
//	github.com/org/repo                 and github.com:org/repo
//
// with http for https, and "git::" before any of them. It differs in that ".git" and "_git" have to end an element of the
// path, and be one: kustomize takes "org/my.github.io" for the repository "org/my.git". What would be a path of this
// machine, file://, is refused.
//
// Kustomize finds out by a request whether an http or https URL is that of a file. Here, it is one if the field can only
// name files, or if its last element ends in .yaml, .yml or .json and the field is not one of folders; and there is no mark.
func parseReference(text string, w nameable) (Reference, error) {
	r := Reference{Text: text}
	if text != strings.ToValidUTF8(text, "") || strings.ContainsFunc(text, isControl) {
		return r, refusedAddress("has characters that no address has")
	}
	address, query, _ := strings.Cut(text, "?")
	if isFileURL(address, w) {
		r.URL, r.Path, r.File = text, path.Base(address), true
		return r, nil
	}
	r.Ref, r.Timeout, r.Submodules = parseRepositoryQuery(query)
	host, rest, err := splitHost(address)
	if err != nil {
		return r, err
	}
	repository, sub, ok := splitRepository(rest)
	if !ok || repository == "" {
		return r, refusedAddress("names no repository")
	}
	r.URL, r.Path = host+repository, path.Clean(strings.TrimLeft(sub, "/"))
	if !fs.ValidPath(r.Path) {
		return r, fmt.Errorf("%w: its path leads out of the repository", ErrOutside)
	}
	return r, nil
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

func refusedAddress(problem string) error {
	return fmt.Errorf("%w: it %s", ErrRemote, problem)
}

func isFileURL(address string, w nameable) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || w == folders {
		return false
	}
	_, rest, _ := strings.Cut(address, "://")
	_, rest, _ = strings.Cut(rest, "/")
	base := path.Base(address)
	if _, _, marked := splitMarked(rest); marked || rest == "" || strings.HasSuffix(rest, "/") || strings.Contains(base, "#") ||
		!fs.ValidPath(base) || base == "." {
		return false
	}
	return w == onlyFiles || isManifest(base) || path.Ext(base) == ".json"
}

// scpUser is what may stand before a host.
var scpUser = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*@`)

// splitHost returns what comes before the path of an address, with the sign that ends it, and the path.
func splitHost(address string) (host, rest string, err error) {
	_, rest = cutFold(address, "git::")
	scheme := ""
	for _, known := range []string{"https://", "http://", "ssh://", "file://"} {
		if scheme, rest = cutFold(rest, known); scheme != "" {
			break
		}
	}
	if scheme == "file://" {
		return "", "", refusedAddress("is a path of the machine")
	}
	user := scpUser.FindString(rest)
	rest = rest[len(user):]
	onGitHub := isGitHub(rest)
	scp := scheme == "" && (user != "" || onGitHub)
	if scheme == "" && !scp {
		return "", "", refusedAddress("is of no form that kustomize knows")
	}
	end := endOfHost(rest, scp)
	if end <= 0 {
		return "", "", refusedAddress("names no repository")
	}
	host, rest = scheme+user+rest[:end+1], rest[end+1:]
	switch {
	case onGitHub && (scheme == "ssh://" || user != ""):
		host = user + "github.com:"
	case onGitHub:
		host = "https://github.com/"
	}
	return host, rest, nil
}

func cutFold(s, prefix string) (found, rest string) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return prefix, s[len(prefix):]
	}
	return "", s
}

func isGitHub(s string) bool {
	host, rest := cutFold(s, "github.com")
	return host != "" && rest != "" && (rest[0] == '/' || rest[0] == ':')
}

// endOfHost returns where the first slash is, or in the form of scp the colon before it.
func endOfHost(s string, scp bool) int {
	slash, colon := strings.IndexByte(s, '/'), strings.IndexByte(s, ':')
	if scp && (slash < 0 || colon > 0 && colon < slash) {
		return colon
	}
	return slash
}

// splitRepository splits the path of an address into that of the repository and one in it.
func splitRepository(p string) (repository, sub string, ok bool) {
	if repository, sub, ok := splitMarked(p); ok {
		return repository, sub, true
	}
	elements := append(strings.SplitN(p, "/", 3), "", "")
	if elements[0] == "" || elements[1] == "" {
		return "", "", false
	}
	return elements[0] + "/" + elements[1], elements[2], true
}

// splitMarked is splitRepository for a path that has a mark.
func splitMarked(p string) (repository, sub string, ok bool) {
	elements := strings.Split(p, "/")
	join := func(n int) (string, string, bool) {
		n = min(n, len(elements))
		return strings.Join(elements[:n], "/"), strings.Join(elements[n:], "/"), true
	}
	if i := slices.Index(elements, "_git"); i >= 0 && i+1 < len(elements) && elements[i+1] != "" {
		return join(i + 2)
	}
	if repository, sub, ok := strings.Cut(p, "//"); ok {
		return repository, sub, true
	}
	if i := slices.IndexFunc(elements, func(e string) bool { return len(e) > 4 && strings.HasSuffix(e, ".git") }); i >= 0 {
		return join(i + 1)
	}
	return "", "", false
}

// repositoryQuery are the keys of a query that are for kustomize.
var repositoryQuery = map[string]bool{"ref": true, "version": true, "timeout": true, "submodules": true}

// parseRepositoryQuery takes what it does not understand for absent, as kustomize does.
func parseRepositoryQuery(query string) (ref string, timeout time.Duration, submodules bool) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", 0, true
	}
	ref = values.Get("ref")
	if ref == "" {
		ref = values.Get("version")
	}
	return ref, parseTimeout(values.Get("timeout")), parseSubmodules(values.Get("submodules"))
}

// parseTimeout knows seconds, and durations with units.
func parseTimeout(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if seconds, notNumber := strconv.Atoi(text); notNumber == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil {
		return 0
	}
	return max(d, 0)
}

func parseSubmodules(text string) bool {
	b, err := strconv.ParseBool(text)
	return b || err != nil
}
