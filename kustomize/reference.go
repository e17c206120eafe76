package kustomize

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// resolve returns the path in the file system that ref stands for in a kustomization in dir.
func resolve(dir, ref string) (string, error) {
	if ref == "" {
		return "", errors.New("an empty path")
	}
	if isRemote(ref) {
		return "", unserved(ref)
	}
	if path.IsAbs(ref) || filepath.IsAbs(ref) {
		return "", fmt.Errorf("%w: %s", ErrOutside, shown(ref))
	}
	root, within := splitMount(dir)
	name := path.Join(within, ref)
	if name == ".." || strings.HasPrefix(name, "../") {
		return "", fmt.Errorf("%w: %s", ErrOutside, shown(ref))
	}
	if !fs.ValidPath(name) {
		return "", fmt.Errorf("%s is not a path", shown(ref))
	}
	return path.Join(root, name), nil
}

// unserved is the error for an address where nobody says what is there.
func unserved(ref string) error {
	return fmt.Errorf("%w: %s (set Options.Remote, or keep a copy)", ErrRemote, shown(redact(ref)))
}

// quotedReference is how a path or an address stands in a message.
func quotedReference(ref string) string {
	if isRemote(ref) {
		ref = redact(ref)
	}
	return shown(ref)
}

// gitUser is the beginning of what Git calls the scp form of an address: git@example.com:repository.
var gitUser = regexp.MustCompile(`(?s)^[a-zA-Z][a-zA-Z0-9-]*@.*[:/]`)

// isRemote says whether a path is none, but the address of something elsewhere.
func isRemote(ref string) bool {
	return isAddress(ref) || strings.Contains(ref, "://")
}

// isAddress says whether kustomize would go to the network for ref, or might: it fetches http and https URLs, and clones
// what begins like a Git address even where a folder of that name exists. This is all that keeps it from doing so, and it
// errs on the side of refusing.
func isAddress(ref string) bool {
	if u, err := url.Parse(ref); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return true
	}
	lower := strings.ToLower(ref)
	for _, prefix := range []string{"git::", "ssh:", "http:", "https:", "file:", "github.com/", "github.com:"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return gitUser.MatchString(ref)
}

// missing is the error for a reference that led to err.
func missing(field, ref string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %s: %w", field, quotedReference(ref), err)
	}
	return &reason{text: fmt.Sprintf("%s: %s does not exist", field, quotedReference(ref)), original: err}
}
