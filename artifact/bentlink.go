package artifact

import (
	"context"
	"path"
	"strings"
)

// A bentLink has a target with .. after a name, as in "a/../b". Whether it stays
// inside depends on whether "a" is a link, which may not be known yet.
type bentLink struct{ name, target string }

// settle judges the bent links, once all entries are known. A .. that follows a
// link would climb from wherever that link leads, so it is refused: without it,
// each .. climbs from a real folder, and counting them, as link did, is right.
func (l *layout) settle(ctx context.Context, op string) error {
	if len(l.bent) == 0 {
		return nil
	}
	t := newThicket(l.shapes)
	for _, b := range l.bent {
		if err := ctx.Err(); err != nil {
			return err
		}
		if at, climbs := t.climbs(b); climbs {
			return in(op, b.name, unsafef("symbolic link to %q, which climbs out of the link %q", b.target, at))
		}
	}
	return nil
}

// A thicket is the links of a tree and the folders above them, which have numbers.
// To go from one to the next takes as long as the next name is, and no longer: who
// packed the tree may have many links go a long way, far from the root.
type thicket struct {
	numbers map[string]int // of folders, by path; the root is 0
	above   []int          // the folder above each folder
	next    map[step]int   // the folder's number, or toLink
}

type step struct {
	from int
	name string
}

const toLink = -1

func newThicket(shapes map[string]shape) *thicket {
	t := &thicket{numbers: map[string]int{"": 0}, above: []int{0}, next: make(map[step]int)}
	for name, s := range shapes {
		if s.kind == kindLink {
			dir, base := splitPath(name)
			t.next[step{t.number(dir), base}] = toLink
		}
	}
	return t
}

func (t *thicket) number(dir string) int {
	n, ok := t.numbers[dir]
	if !ok {
		parent, base := splitPath(dir)
		above := t.number(parent)
		n = len(t.above)
		t.above = append(t.above, above)
		t.numbers[dir], t.next[step{above, base}] = n, n
	}
	return n
}

// splitPath returns the folder, which is "" for the root, and the last element.
func splitPath(name string) (dir, base string) {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)], name[i+1:]
}

// climbs tells whether there is a .. in b's target after a link, and which.
func (t *thicket) climbs(b bentLink) (link string, climbs bool) {
	dir, _ := splitPath(b.name)
	at := t.numbers[dir]
	outside := 0 // how many names below at, where there are no links
	walked := 0
	for elem := range strings.SplitSeq(b.target, "/") {
		walked += len(elem) + 1
		switch {
		case elem == "" || elem == "." || at == toLink && elem != "..":
		case at == toLink:
			return link, true
		case elem == ".." && outside > 0:
			outside--
		case elem == "..":
			at = t.above[at]
		case outside > 0:
			outside++
		default:
			next, ok := t.next[step{at, elem}]
			if !ok {
				outside++
				continue
			}
			if at = next; at == toLink {
				link = path.Join(dir, b.target[:walked-1])
			}
		}
	}
	return "", false
}
