package git

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/gitopskit/gitopskit/source"
)

// modulesFile is the file in a repository's root that says where its submodules come from.
const modulesFile = ".gitmodules"

// maxModulesBytes is room for about 10,000 submodules.
const maxModulesBytes = 1 << 20

// A moduleEntry is what .gitmodules says of a submodule.
type moduleEntry struct {
	path, url string
	none      bool // it is not to be fetched: "update = none"
}

// parseModules returns the entries by their paths, which may be anything. Of several values the last one counts, as in Git.
func parseModules(text []byte) (map[string]*moduleEntry, error) {
	if len(text) > maxModulesBytes {
		return nil, fmt.Errorf("%s has %d bytes, and more than %d are not read: %w",
			modulesFile, len(text), maxModulesBytes, source.ErrTooLarge)
	}
	bySection, byPath := make(map[string]*moduleEntry), make(map[string]*moduleEntry)
	last, m := "", (*moduleEntry)(nil)
	err := parseConfig(text, func(section, key, value string) {
		if section != last { // one that is as long as the text is not to be looked up for each key
			last, m = section, bySection[section]
			if m == nil && strings.HasPrefix(section, "submodule.") {
				m = new(moduleEntry)
				bySection[section] = m
			}
		}
		if m == nil {
			return
		}
		switch key {
		case "path":
			if byPath[m.path] == m {
				delete(byPath, m.path)
			}
			m.path = value
			byPath[value] = m
		case "url":
			m.url = value
		case "update":
			m.none = value == "none"
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", modulesFile, err)
	}
	return byPath, nil
}

// parseConfig reads Git's configuration syntax and tells each key and its value, in their order, with the section that they
// are in, as "section.subsection". All but the subsection is in lower case. A key without a value has an empty one.
func parseConfig(text []byte, tell func(section, key, value string)) error {
	p := &configParser{text: bytes.TrimPrefix(text, []byte("\uFEFF")), line: 1}
	if bytes.IndexByte(text, 0) >= 0 || !p.parse(tell) {
		return fmt.Errorf("line %d is not in the syntax of Git's configuration", p.line)
	}
	return nil
}

// A configParser reads as Git does, byte by byte.
type configParser struct {
	text []byte
	line int  // of the byte that next returned last
	over bool // a line break was returned
	end  bool // there is no more text
}

// next returns a line break for each line's end, and at the text's end forever.
func (p *configParser) next() byte {
	if p.over {
		p.line++
	}
	p.over = false
	if len(p.text) == 0 {
		p.end = true
		return '\n'
	}
	if bytes.HasPrefix(p.text, []byte("\r\n")) {
		p.text = p.text[1:]
	}
	c := p.text[0]
	p.text = p.text[1:]
	p.over = c == '\n'
	return c
}

// parse reports whether the text is right.
func (p *configParser) parse(tell func(section, key, value string)) bool {
	section := ""
	for comment := false; ; {
		switch c := p.next(); {
		case c == '\n':
			if p.end {
				return true
			}
			comment = false
		case comment || isBlank(c):
		case c == '#' || c == ';':
			comment = true
		case c == '[':
			name, ok := p.section()
			if !ok {
				return false
			}
			section = name
		case isLetter(c):
			name, value, ok := p.variable(c)
			if !ok {
				return false
			}
			tell(section, name, value)
		default:
			return false
		}
	}
}

// section reads what follows the bracket: a name, perhaps with another one in quotes.
func (p *configParser) section() (string, bool) {
	var name []byte
	for {
		switch c := p.next(); {
		case c == ']':
			return string(name), len(name) > 0
		case p.end:
			return "", false
		case isBlank(c):
			return p.subsection(append(name, '.'), c)
		case isKey(c) || c == '.':
			name = append(name, lower(c))
		default:
			return "", false
		}
	}
}

func (p *configParser) subsection(name []byte, c byte) (string, bool) {
	for ; isBlank(c); c = p.next() {
		if c == '\n' {
			return "", false
		}
	}
	if c != '"' {
		return "", false
	}
	for {
		if c = p.next(); c == '"' {
			return string(name), p.next() == ']'
		}
		if c == '\\' {
			c = p.next()
		}
		if c == '\n' {
			return "", false
		}
		name = append(name, c)
	}
}

// variable reads a name, of which the first letter has been read, and its value.
func (p *configParser) variable(c byte) (name, value string, ok bool) {
	var b []byte
	for ; isKey(c); c = p.next() {
		b = append(b, lower(c))
	}
	for c == ' ' || c == '\t' {
		c = p.next()
	}
	if c == '\n' {
		return string(b), "", true
	}
	if c != '=' {
		return "", "", false
	}
	value, ok = p.value()
	return string(b), value, ok
}

// value reads to the line's end. Blanks within are as they are, and those around are not part of it.
func (p *configParser) value() (string, bool) {
	var b, blanks []byte
	quoted, comment := false, false
	for {
		c := p.next()
		switch {
		case c == '\n':
			return string(b), !quoted
		case comment:
			continue
		case isBlank(c) && !quoted:
			if len(b) > 0 {
				blanks = append(blanks, c)
			}
			continue
		case (c == '#' || c == ';') && !quoted:
			comment = true
			continue
		}
		b, blanks = append(b, blanks...), blanks[:0]
		switch c {
		case '"':
			quoted = !quoted
		case '\\':
			escaped, ok := p.escaped()
			if !ok {
				return "", false
			}
			b = append(b, escaped...)
		default:
			b = append(b, c)
		}
	}
}

// escaped reads what follows a backslash. At a line's end it is nothing, and the value goes on.
func (p *configParser) escaped() (string, bool) {
	switch c := p.next(); c {
	case '\n':
		return "", true
	case 't':
		return "\t", true
	case 'b':
		return "\b", true
	case 'n':
		return "\n", true
	case '\\', '"':
		return string(c), true
	}
	return "", false
}

func isBlank(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }
func isKey(c byte) bool    { return isLetter(c) || '0' <= c && c <= '9' || c == '-' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
