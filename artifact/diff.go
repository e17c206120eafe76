package artifact

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Changes are what leads from one tree to another: each path at most once, sorted
// by path, bytewise. Trees that are equal have none. As JSON they are an array.
type Changes []Change

// A Change is what became of one path.
type Change struct {
	// Path is slash-separated, from the tree's root.
	Path   string `json:"path"`
	Action Action `json:"action"`
	// From is what stood at Path before. It is zero where Action is Added.
	From Leaf `json:"from,omitzero"`
	// To is what stands at Path now. It is zero where Action is Removed.
	To Leaf `json:"to,omitzero"`
}

// An Action says how a path changed.
type Action string

// The actions. Changed is one of content, of the executable bit, of a link's
// target, or of a file into a link or back.
const (
	Added   Action = "added"
	Removed Action = "removed"
	Changed Action = "changed"
)

// Diff returns the changes that lead from one tree to another: none where their
// artifacts would have the same ContentDigest. A file that moved is removed at one
// path and added at another, with the same Leaf: no renames are guessed. A file
// that became a folder is removed, and what is in the folder is added.
//
// It compares digests and reads nothing. Contents that are not sorted are sorted
// first, as a copy.
func Diff(from, to Contents) Changes {
	from, to = sorted(from), sorted(to)
	changes := Changes{}
	for len(from) > 0 || len(to) > 0 {
		switch at := ahead(from, to); {
		case at < 0:
			changes = append(changes, Change{Path: from[0].Path, Action: Removed, From: from[0].Leaf})
			from = from[1:]
		case at > 0:
			changes = append(changes, Change{Path: to[0].Path, Action: Added, To: to[0].Leaf})
			to = to[1:]
		default:
			if from[0].Leaf != to[0].Leaf {
				changes = append(changes, Change{Path: from[0].Path, Action: Changed, From: from[0].Leaf, To: to[0].Leaf})
			}
			from, to = from[1:], to[1:]
		}
	}
	return changes
}

// ahead compares the first paths of two lists that are not both empty. The end of
// a list comes after every path.
func ahead(from, to Contents) int {
	switch {
	case len(to) == 0:
		return -1
	case len(from) == 0:
		return 1
	}
	return byPath(from[0], to[0])
}

func sorted(c Contents) Contents {
	if slices.IsSortedFunc(c, byPath) {
		return c
	}
	c = slices.Clone(c)
	sortEntries(c)
	return c
}

// Under returns the changes at dir and below it, so that whoever works on one
// folder of a tree knows whether there is something to do. The root is ".".
// Changes at what symbolic links under dir lead to are not among them.
func (c Changes) Under(dir string) Changes {
	dir, under := path.Clean(dir), Changes{}
	for _, change := range c {
		if below, ok := strings.CutPrefix(change.Path, dir); dir == "." || ok && (below == "" || below[0] == '/') {
			under = append(under, change)
		}
	}
	return under
}

// String returns a line for each change, without a line's end after the last.
func (c Changes) String() string {
	lines := make([]string, len(c))
	for i, change := range c {
		lines[i] = change.String()
	}
	return strings.Join(lines, "\n")
}

// Summary counts the changes: "1 added, 2 changed", or "no changes".
func (c Changes) Summary() string {
	var parts []string
	for _, action := range []Action{Added, Removed, Changed} {
		n := 0
		for _, change := range c {
			if change.Action == action {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, action))
		}
	}
	if len(parts) == 0 {
		return "no changes"
	}
	return strings.Join(parts, ", ")
}

// String returns the change in one line: what was added or removed, or what of it
// changed, such as "changed app.yaml: content, 17 to 20 bytes".
func (c Change) String() string {
	what := ""
	switch c.Action {
	case Added:
		what = c.To.String()
	case Removed:
		what = c.From.String()
	default:
		what = c.From.become(c.To)
	}
	return fmt.Sprintf("%s %s: %s", c.Action, legible(c.Path), what)
}

// become tells in which of their parts the leaves differ.
func (l Leaf) become(to Leaf) string {
	isLink, willBe := l.Kind == SymbolicLink, to.Kind == SymbolicLink
	if isLink && willBe {
		return fmt.Sprintf("target %s to %s", legible(l.Target), legible(to.Target))
	}
	if isLink || willBe {
		return fmt.Sprintf("%v, became %v", l, to)
	}
	var parts []string
	if l.Kind != to.Kind {
		parts = append(parts, fmt.Sprintf("%s to %s", l.Kind, to.Kind))
	}
	if l.Size != to.Size {
		parts = append(parts, fmt.Sprintf("content, %d to %s", l.Size, bytesOf(to.Size)))
	} else if l.Digest != to.Digest {
		parts = append(parts, "content, "+bytesOf(to.Size))
	}
	return strings.Join(parts, ", ")
}
