package source

import "strings"

// A glob is the part of an ignore rule from its first wildcard on, cut at its slashes.
type glob []globSegment

// A globSegment matches one element of a path. If it crosses, it matches so many elements or more, of any kind.
type globSegment struct {
	crosses bool
	least   int
	pieces  []globPiece // what stands before, between and behind the stars
}

// A globPiece matches as many bytes as it has items.
type globPiece struct {
	literal string // if all items are bytes
	items   []globItem
}

type globItem struct {
	literal byte
	class   *globClass // nil: only the literal
}

// A globClass has a bit for each byte that it matches.
type globClass [4]uint64

func (c *globClass) add(b byte)      { c[b/64] |= 1 << (b % 64) }
func (c *globClass) has(b byte) bool { return c[b/64]&(1<<(b%64)) != 0 }

// match compares element by element. Where it fails, it is enough to let the last segment that crosses match one element
// more: the ones before it have matched as few as they can. Stars within an element are handled alike, so that no pattern
// takes more than its length times that of the text.
func (g glob) match(text string) bool {
	again, from := -1, 0
	for i, at := 0, 0; ; {
		switch {
		case i == len(g) && at > len(text):
			return true
		case i < len(g) && g[i].crosses:
			for range g[i].least {
				at = nextElement(text, at)
			}
			i++
			again, from = i, at
			if at <= len(text)+1 {
				continue
			}
		case i < len(g) && at <= len(text):
			if next := nextElement(text, at); g[i].match(text[at : next-1]) {
				i, at = i+1, next
				continue
			}
		}
		if again < 0 || from > len(text) {
			return false
		}
		from = nextElement(text, from)
		i, at = again, from
	}
}

// nextElement returns where the element after that at i begins: behind the text's end by one if there is none, by two if
// there was none at i.
func nextElement(text string, i int) int {
	if i > len(text) {
		return len(text) + 2
	}
	if n := strings.IndexByte(text[i:], '/'); n >= 0 {
		return i + n + 1
	}
	return len(text) + 1
}

func (s globSegment) match(element string) bool {
	first, last := s.pieces[0], s.pieces[len(s.pieces)-1]
	if len(s.pieces) == 1 {
		return first.len() == len(element) && first.begins(element)
	}
	if !first.begins(element) {
		return false
	}
	element = element[first.len():]
	end := len(element) - last.len()
	if end < 0 || !last.begins(element[end:]) {
		return false
	}
	element = element[:end]
	for _, piece := range s.pieces[1 : len(s.pieces)-1] {
		i := piece.index(element)
		if i < 0 {
			return false
		}
		element = element[i+piece.len():]
	}
	return true
}

func (p globPiece) len() int { return max(len(p.literal), len(p.items)) }

func (p globPiece) begins(text string) bool {
	if p.items == nil {
		return strings.HasPrefix(text, p.literal)
	}
	if len(text) < len(p.items) {
		return false
	}
	for i, item := range p.items {
		if item.class == nil && item.literal != text[i] || item.class != nil && !item.class.has(text[i]) {
			return false
		}
	}
	return true
}

func (p globPiece) index(text string) int {
	if p.items == nil {
		return strings.Index(text, p.literal)
	}
	for i := range len(text) - len(p.items) + 1 {
		if p.begins(text[i:]) {
			return i
		}
	}
	return -1
}
