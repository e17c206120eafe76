package source

import "strings"

// class reads a class such as "[!a-z_]". It returns false for one that matches nothing: Git gives up where the closing
// bracket or the name between "[:" and ":]" is missing or wrong.
func (p *globParser) class() bool {
	c := classParser{text: p.text, at: p.at + 1}
	negated := c.at < len(c.text) && (c.text[c.at] == '!' || c.text[c.at] == '^')
	if negated {
		c.at++
	}
	// A bracket that is the first of its class does not close it.
	for first := true; first || c.at < len(c.text) && c.text[c.at] != ']'; first = false {
		if !c.step() {
			return false
		}
	}
	if c.at >= len(c.text) {
		return false
	}
	if negated {
		for i := range c.class {
			c.class[i] = ^c.class[i]
		}
	}
	p.items = append(p.items, globItem{class: &c.class})
	p.at = c.at + 1
	return true
}

// A classParser has read a class of its text up to some byte.
type classParser struct {
	text  string
	at    int
	class globClass
	last  byte // what a range can begin with: the byte before; 0 after a range or a name
	close int  // where some closing bracket is, once it was looked for
}

func (c *classParser) step() bool {
	rest := c.text[c.at:]
	switch {
	case rest == "":
		return false
	case strings.HasPrefix(rest, "[:"):
		return c.named()
	case rest[0] == '-' && c.last != 0 && len(rest) > 1 && rest[1] != ']':
		c.at++
		return c.through()
	}
	b, ok := c.literal()
	c.class.add(b)
	c.last = b
	return ok
}

// literal reads one byte, or two of which the first is a backslash.
func (c *classParser) literal() (byte, bool) {
	if c.text[c.at] == '\\' {
		c.at++
	}
	if c.at == len(c.text) {
		return 0, false
	}
	c.at++
	return c.text[c.at-1], true
}

// through reads the end of a range; one that ends before it begins has nothing.
func (c *classParser) through() bool {
	end, ok := c.literal()
	for b := int(c.last); b <= int(end); b++ {
		c.class.add(byte(b))
	}
	c.last = 0
	return ok
}

// named reads a class by name, such as "[:alpha:]". Without the second colon, the bracket is one like any other byte.
func (c *classParser) named() bool {
	start := c.at + len("[:")
	if c.close < start { // else it was found from a bracket before this one
		n := strings.IndexByte(c.text[start:], ']')
		if n < 0 {
			return false
		}
		c.close = start + n
	}
	name, ok := strings.CutSuffix(c.text[start:c.close], ":")
	if !ok {
		c.class.add('[')
		c.last = '['
		c.at++
		return true
	}
	has := namedClass(name)
	if has == nil {
		return false
	}
	for b := range byte(0x80) {
		if has(b) {
			c.class.add(b)
		}
	}
	c.last = 0
	c.at = c.close + 1
	return true
}

// namedClass returns nil for a name that Git does not know. All are of ASCII; to Git, only four bytes are space.
func namedClass(name string) func(byte) bool {
	graph := func(b byte) bool { return b > ' ' && b < 0x7f }
	lower := func(b byte) bool { return b >= 'a' && b <= 'z' }
	upper := func(b byte) bool { return b >= 'A' && b <= 'Z' }
	digit := func(b byte) bool { return b >= '0' && b <= '9' }
	alpha := func(b byte) bool { return lower(b) || upper(b) }
	return map[string]func(byte) bool{
		"alnum":  func(b byte) bool { return alpha(b) || digit(b) },
		"alpha":  alpha,
		"blank":  func(b byte) bool { return b == ' ' || b == '\t' },
		"cntrl":  func(b byte) bool { return b < ' ' || b == 0x7f },
		"digit":  digit,
		"graph":  graph,
		"lower":  lower,
		"print":  func(b byte) bool { return b == ' ' || graph(b) },
		"punct":  func(b byte) bool { return graph(b) && !alpha(b) && !digit(b) },
		"space":  func(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' },
		"upper":  upper,
		"xdigit": func(b byte) bool { return digit(b) || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F' },
	}[name]
}
