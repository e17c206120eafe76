package kustomize

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// glob is a pattern of ${v#pattern} and its like, as in a shell: * is any text, ? any character, [a-z] one of those, [!a-z]
// or [^a-z] none of those, \ takes the next character for itself.
type glob []globToken

type globToken struct {
	kind   globKind
	char   rune
	negate bool
	ranges []runeRange
}

type runeRange struct{ low, high rune }

type globKind uint8

const (
	globChar globKind = iota
	globAny
	globClass
	globStar
)

var errGlob = errors.New("a pattern that ends inside [ or behind \\, or has a class such as [:alpha:]")

func parseGlob(pattern string) (glob, error) {
	var g glob
	for chars := []rune(pattern); len(chars) > 0; {
		c := chars[0]
		chars = chars[1:]
		switch c {
		case '*':
			if len(g) == 0 || g[len(g)-1].kind != globStar {
				g = append(g, globToken{kind: globStar})
			}
		case '?':
			g = append(g, globToken{kind: globAny})
		case '[':
			class, rest, err := parseClass(chars)
			if err != nil {
				return nil, err
			}
			g, chars = append(g, class), rest
		case '\\':
			if len(chars) == 0 {
				return nil, errGlob
			}
			c, chars = chars[0], chars[1:]
			fallthrough
		default:
			g = append(g, globToken{kind: globChar, char: c})
		}
	}
	return g, nil
}

// parseClass reads what stands behind a bracket, which may be a closing one if it comes first.
func parseClass(chars []rune) (class globToken, rest []rune, err error) {
	class.kind = globClass
	if len(chars) > 0 && (chars[0] == '^' || chars[0] == '!') {
		class.negate, chars = true, chars[1:]
	}
	for len(chars) > 0 {
		if chars[0] == ']' && class.ranges != nil {
			return class, chars[1:], nil
		}
		if chars[0] == '[' && len(chars) > 1 && strings.ContainsRune(":.=", chars[1]) {
			break
		}
		var r runeRange
		if r.low, chars, err = classChar(chars); err != nil {
			return class, nil, err
		}
		r.high = r.low
		if len(chars) > 1 && chars[0] == '-' && chars[1] != ']' {
			if r.high, chars, err = classChar(chars[1:]); err != nil {
				return class, nil, err
			}
		}
		class.ranges = append(class.ranges, r)
	}
	return class, nil, errGlob
}

func classChar(chars []rune) (rune, []rune, error) {
	if chars[0] != '\\' {
		return chars[0], chars[1:], nil
	}
	if len(chars) == 1 {
		return 0, nil, errGlob
	}
	return chars[1], chars[2:], nil
}

func (t globToken) matches(c rune) bool {
	switch t.kind {
	case globChar:
		return t.char == c
	case globClass:
		in := slices.ContainsFunc(t.ranges, func(r runeRange) bool { return r.low <= c && c <= r.high })
		return in != t.negate
	}
	return true
}

// prefix returns how many bytes of text, from its start, the shortest or longest match has, and -1 if there is none.
func (g glob) prefix(text string, longest bool) int {
	return g.match(text, longest, utf8.DecodeRuneInString, func(n int) string { return text[n:] })
}

// suffix is prefix from the end of text.
func (g glob) suffix(text string, longest bool) int {
	backwards := slices.Clone(g)
	slices.Reverse(backwards)
	return backwards.match(text, longest, utf8.DecodeLastRuneInString, func(n int) string { return text[:len(text)-n] })
}

// match steps through the text once, with all the places in the pattern at which it could be by then. So its time is at most
// the length of the text by that of the pattern, where going back for each star would be a power of it.
func (g glob) match(text string, longest bool, next func(string) (rune, int), rest func(int) string) int {
	now, then := make([]bool, len(g)+1), make([]bool, len(g)+1)
	g.enter(now, 0)
	found, alive := -1, true
	for n := 0; alive; {
		if now[len(g)] {
			found = n
			if !longest {
				break
			}
		}
		if n == len(text) {
			break
		}
		c, size := next(rest(n))
		n += size
		alive = false
		for i, here := range now[:len(g)] {
			if here && g[i].matches(c) {
				alive = true
				if g[i].kind == globStar {
					g.enter(then, i)
				} else {
					g.enter(then, i+1)
				}
			}
		}
		now, then = then, now
		clear(then)
	}
	return found
}

// enter marks place i in the pattern, and the one behind it if a star is at i, which may be nothing.
func (g glob) enter(places []bool, i int) {
	places[i] = true
	if i < len(g) && g[i].kind == globStar {
		places[i+1] = true
	}
}
