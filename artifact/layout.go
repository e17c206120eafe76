package artifact

import (
	"io/fs"
	"strings"
	"unicode/utf8"
)

// A layout is what is known of a tree's shape while it is walked or read. Pack,
// Open and Unpack ask it whether an entry may join the tree, so that they
// accept the same trees.
type layout struct {
	limits   Limits
	portable bool // names must be good on other systems, too
	shapes   map[string]shape
	folded   map[string]string // where portable: from a path's folded form to the path
	files    int               // and symbolic links
	folders  int
	copied   int64 // bytes of files that are hard links to others in the archive
	bent     []bentLink
}

type shape struct {
	kind kind
	size int64 // of a file
}

type kind string

const (
	kindFile   kind = "file"
	kindLink   kind = "symbolic link"
	kindFolder kind = "folder"
)

func newLayout(limits Limits) *layout {
	return &layout{limits: limits, shapes: make(map[string]shape), folded: make(map[string]string)}
}

func (l *layout) file(name string, size int64) error {
	if size > l.limits.MaxFileBytes {
		return l.limits.fileTooLarge()
	}
	return l.enter(name, shape{kindFile, size})
}

// again is a hard link. There is nothing to link to but files that came before.
func (l *layout) again(name, earlier string) error {
	known, ok := l.shapes[earlier]
	if !ok {
		return unsafef("hard link to %.4096q, which is no file that came before it", earlier)
	}
	if known.kind != kindFile {
		return unsafef("hard link to %.4096q, which is a %s", earlier, known.kind)
	}
	l.copied += known.size
	return l.enter(name, known)
}

// folder may be called for a folder that is known.
func (l *layout) folder(name string) error { return l.enter(name, shape{kind: kindFolder}) }

func (l *layout) link(name, target string) error {
	if err := l.enter(name, shape{kind: kindLink}); err != nil {
		return err
	}
	switch {
	case len(target) > l.limits.MaxPathBytes:
		return l.limits.pathTooLong()
	case target == "", !utf8.ValidString(target), strings.ContainsRune(target, 0):
		return unsafef("symbolic link to %q, which is no path", target)
	case target[0] == '/':
		return unsafef("symbolic link to %q, which is absolute", target)
	case isForeignEscape(target):
		return unsafef("symbolic link to %q, which is outside the tree where a backslash or a drive has a meaning", target)
	}
	if l.portable {
		if err := checkPortableTarget(target); err != nil {
			return err
		}
	}
	depth, named, bent := strings.Count(name, "/"), false, false
	for elem := range strings.SplitSeq(target, "/") {
		switch elem {
		case "", ".":
		case "..":
			depth, bent = depth-1, bent || named
		default:
			depth, named = depth+1, true
		}
		if depth < 0 {
			return unsafef("symbolic link to %q, which is outside the tree", target)
		}
	}
	if bent {
		l.bent = append(l.bent, bentLink{name, target})
	}
	return nil
}

// enter notes the entry and the folders above it.
func (l *layout) enter(name string, s shape) error {
	if err := l.checkName(name); err != nil {
		return err
	}
	if known, ok := l.shapes[name]; ok {
		if known.kind == kindFolder && s.kind == kindFolder {
			return nil
		}
		return unsafef("%s where there is a %s of that name", s.kind, known.kind)
	}
	if err := l.enterParents(name); err != nil {
		return err
	}
	return l.note(name, s)
}

func (l *layout) checkName(name string) error {
	switch {
	case len(name) > l.limits.MaxPathBytes:
		return l.limits.pathTooLong()
	case name == ".", !fs.ValidPath(name), strings.ContainsRune(name, 0):
		return unsafef("not the path of an entry inside the tree")
	case isForeignEscape(name):
		return unsafef("not the path of an entry inside the tree where a backslash or a drive has a meaning")
	case strings.Count(name, "/") >= l.limits.MaxDepth:
		return l.limits.tooDeep()
	}
	return nil
}

// enterParents goes upwards until it meets a folder that is known: all above it
// are.
func (l *layout) enterParents(name string) error {
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name, '/') {
		name = name[:i]
		switch known, ok := l.shapes[name]; {
		case known.kind == kindFolder:
			return nil
		case ok:
			return unsafef("%q is used as a folder and is a %s", name, known.kind)
		}
		if err := l.note(name, shape{kind: kindFolder}); err != nil {
			return err
		}
	}
	return nil
}

func (l *layout) note(name string, s shape) error {
	if l.portable {
		if err := l.noteFolded(name); err != nil {
			return err
		}
	}
	count := &l.files
	if s.kind == kindFolder {
		count = &l.folders
	}
	if *count++; *count > l.limits.MaxFiles {
		return l.limits.tooManyFiles()
	}
	l.shapes[name] = s
	return nil
}
