package source

import "strings"

// parseGlob returns nil for an empty pattern, and false for one that matches nothing. In a name, no stars cross slashes.
func parseGlob(pattern string, name bool) (glob, bool) {
	if pattern == "" {
		return nil, true
	}
	p := globParser{text: pattern, name: name}
	for p.at < len(p.text) {
		if !p.step() {
			return nil, false
		}
	}
	p.endSegment()
	return p.glob, true
}

// A globParser has read its text up to some byte.
type globParser struct {
	text    string
	at      int
	name    bool
	glob    glob
	segment globSegment // what has been read of it
	items   []globItem  // of its last piece
}

func (p *globParser) step() bool {
	c := p.text[p.at]
	switch c {
	case '*':
		p.stars()
		return true
	case '[':
		return p.class()
	case '?':
		p.items = append(p.items, globItem{class: &globClass{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}})
		p.at++
		return true
	case '\\':
		p.at++
		if p.at == len(p.text) {
			return false
		}
		c = p.text[p.at]
	}
	p.at++
	if c == '/' {
		p.endSegment()
	} else {
		p.items = append(p.items, globItem{literal: c})
	}
	return true
}

// stars reads one star or more. Two or more that are all of an element cross slashes. With a slash behind them they match
// no element at all, too; but not with one that is written as "\/".
func (p *globParser) stars() {
	start := p.at
	rest := strings.TrimLeft(p.text[start:], "*")
	p.at = len(p.text) - len(rest)
	begins := start == 0 || p.text[start-1] == '/'
	ends := rest == "" || rest[0] == '/' || strings.HasPrefix(rest, `\/`)
	if p.at-start >= 2 && begins && ends && !p.name {
		p.segment.crosses = true
		if !strings.HasPrefix(rest, "/") {
			p.segment.least = 1
		}
		return
	}
	p.endPiece()
}

func (p *globParser) endPiece() {
	piece := globPiece{items: p.items}
	var literal strings.Builder
	for _, item := range p.items {
		if item.class == nil {
			literal.WriteByte(item.literal)
		}
	}
	if literal.Len() == len(p.items) {
		piece = globPiece{literal: literal.String()}
	}
	p.segment.pieces = append(p.segment.pieces, piece)
	p.items = nil
}

func (p *globParser) endSegment() {
	p.endPiece()
	p.glob = append(p.glob, p.segment)
	p.segment = globSegment{}
}
