package git

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/gitopskit/gitopskit/source"
)

// A scope is the paths that are wanted, none of which is in another. An empty one is everything.
type scope []string

// What a name is to a scope.
type relation uint8

const (
	inside relation = iota
	above           // some path is in it
	outside
)

// errOutside is for what is in the repository and was not asked for.
var errOutside = fmt.Errorf("is outside of Options.Paths: %w", source.ErrNotFetched)

func newScope(paths []string) (scope, error) {
	var s scope
	for _, given := range paths {
		p := strings.TrimPrefix(given, "./")
		if p = strings.TrimSuffix(p, "/"); p == "" && given == "./" {
			p = "."
		}
		if !fs.ValidPath(p) {
			return nil, fmt.Errorf("Options.Paths: %q is no path below the repository's root, as \"apps/web\" is", given)
		}
		if p == "." {
			return nil, nil
		}
		s = append(s, p)
	}
	slices.Sort(s)
	return slices.DeleteFunc(slices.Compact(s), s.covers), nil
}

// covers reports whether another path of s has p in it.
func (s scope) covers(p string) bool {
	return slices.ContainsFunc(s, func(q string) bool { return within(p, q) })
}

// within reports whether name is below folder.
func within(name, folder string) bool {
	return len(name) > len(folder) && name[len(folder)] == '/' && name[:len(folder)] == folder
}

// relation tells where a name is. The root is the empty name.
func (s scope) relation(name string) relation {
	if len(s) == 0 {
		return inside
	}
	found := outside
	for _, p := range s {
		switch {
		case name == p || within(name, p):
			return inside
		case name == "" || within(p, name):
			found = above
		}
	}
	return found
}

// depth is how many folders lead to the deepest path, the root and the path itself not counted.
func (s scope) depth() int {
	deepest := 0
	for _, p := range s {
		deepest = max(deepest, strings.Count(p, "/"))
	}
	return deepest
}
