package kustomize

import (
	"fmt"
	"strconv"
	"strings"
)

// The forms of expressions are those of fluxcd/pkg/envsubst, which took them from bash:
//
//	${v}  ${#v}  ${v^}  ${v^^}  ${v,}  ${v,,}  ${v:offset}  ${v:offset:length}
//	${v#pattern}  ${v##pattern}  ${v%pattern}  ${v%%pattern}
//	${v-word}  ${v=word}  ${v:-word}  ${v:=word}
//	${v/text/word}  ${v//text/word}  ${v/#text/word}  ${v/%text/word}
//
// What stands behind an operator may hold expressions. Each expression is read once from left to right, whatever is in it.

const (
	// maxExpression is how many bytes an expression may have. A default may be a long text, such as a certificate.
	maxExpression = 64 << 10

	// maxNesting is how deep expressions may stand inside of each other.
	maxNesting = 32
)

// expression is one ${…} of a text.
type expression struct {
	source string // all of it, with its braces
	name   string
	op     operator
	words  [2]word // what stands behind the operator
}

// word is text in which expressions may stand.
type word []piece

// piece is text, or an expression where nested is not nil.
type piece struct {
	text   string
	nested *expression
}

type operator uint8

const (
	opValue operator = iota
	opLength
	opUpperFirst
	opUpper
	opLowerFirst
	opLower
	opSubstring
	opTrimPrefix
	opTrimLongPrefix
	opTrimSuffix
	opTrimLongSuffix
	opDefault        // where the variable is not known
	opDefaultOrEmpty // or has an empty value
	opReplace
	opReplaceAll
	opReplacePrefix
	opReplaceSuffix
	opUnsupported
)

// operators are tried in this order. Those of bash that are not supported are here too, as they would pass for shorter ones.
var operators = []struct {
	text string
	op   operator
}{
	{":-", opDefaultOrEmpty}, {":=", opDefaultOrEmpty}, {":+", opUnsupported}, {":?", opUnsupported}, {":", opSubstring},
	{"-", opDefault}, {"=", opDefault}, {"+", opUnsupported}, {"?", opUnsupported},
	{"^^", opUpper}, {"^", opUpperFirst}, {",,", opLower}, {",", opLowerFirst},
	{"##", opTrimLongPrefix}, {"#", opTrimPrefix}, {"%%", opTrimLongSuffix}, {"%", opTrimSuffix},
	{"//", opReplaceAll}, {"/#", opReplacePrefix}, {"/%", opReplaceSuffix}, {"/", opReplace},
	{"@", opUnsupported}, {"!", opUnsupported},
}

// syntaxError says what is wrong with an expression, and never quotes more of it than its name and operator.
type syntaxError struct{ name, text string }

func (e *syntaxError) Error() string {
	if e.name == "" {
		return ErrExpression.Error() + ": " + e.text
	}
	return ErrExpression.Error() + ": ${" + shownName(e.name) + "…: " + e.text
}

func (e *syntaxError) Unwrap() error { return ErrExpression }

// expressionParser reads one expression.
type expressionParser struct {
	source string
	pos    int
	depth  int
	name   string // of the expression that is being read
}

// parseExpression reads the expression that text begins with.
func parseExpression(text string) (expression, error) {
	// The name first, without what comes behind it: most expressions are nothing else.
	if name := leadingName(text[len("${"):]); name != "" {
		if end := len("${") + len(name); end < len(text) && text[end] == '}' && end < maxExpression {
			return expression{source: text[:end+1], name: name}, nil
		}
	}
	p := &expressionParser{source: text}
	return p.expression()
}

func (p *expressionParser) fail(format string, args ...any) error {
	return &syntaxError{p.name, fmt.Sprintf(format, args...)}
}

// expression reads from "${" to the brace that ends it.
func (p *expressionParser) expression() (e expression, err error) {
	if p.depth++; p.depth > maxNesting {
		return e, p.fail("more than %d expressions inside of each other", maxNesting)
	}
	start, outer := p.pos, p.name
	p.pos += len("${")
	if p.skip('#') {
		e.op = opLength
	}
	if e.name = leadingName(p.source[p.pos:]); e.name == "" {
		return e, p.fail("no name behind ${, which has ASCII letters, digits and _; the text ${ is written $${")
	}
	p.name = e.name
	p.pos += len(e.name)
	if e.op != opLength {
		if err := p.operation(&e); err != nil {
			return e, err
		}
	}
	if !p.skip('}') {
		if p.pos == len(p.source) {
			return e, p.fail("no closing brace")
		}
		return e, p.fail("a character that cannot stand there; the text ${ is written $${")
	}
	if e.source = p.source[start:p.pos]; len(e.source) > maxExpression {
		return e, p.fail("longer than %d bytes", maxExpression)
	}
	p.depth, p.name = p.depth-1, outer
	return e, nil
}

func (p *expressionParser) skip(c byte) bool {
	if p.pos < len(p.source) && p.source[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// operation reads what stands between the name and the closing brace, if there is anything.
func (p *expressionParser) operation(e *expression) (err error) {
	for _, o := range operators {
		if !strings.HasPrefix(p.source[p.pos:], o.text) {
			continue
		}
		p.pos += len(o.text)
		e.op = o.op
		switch o.op {
		case opUnsupported:
			return p.fail("the operator %s is not supported", o.text)
		case opDefault, opDefaultOrEmpty:
			e.words[0], err = p.word("}", false)
		case opTrimPrefix, opTrimLongPrefix, opTrimSuffix, opTrimLongSuffix:
			e.words[0], err = p.neededWord("}", false, "pattern")
		case opReplace, opReplaceAll, opReplacePrefix, opReplaceSuffix:
			err = p.replacement(e)
		case opSubstring:
			err = p.substring(e)
		}
		return err
	}
	return nil
}

func (p *expressionParser) replacement(e *expression) (err error) {
	if e.words[0], err = p.neededWord("/}", true, `text to replace (a slash is written \/)`); err != nil {
		return err
	}
	if p.skip('/') {
		e.words[1], err = p.word("}", true)
	}
	return err
}

func (p *expressionParser) substring(e *expression) (err error) {
	if e.words[0], err = p.neededWord(":}", false, "offset"); err != nil {
		return err
	}
	if p.skip(':') {
		if e.words[1], err = p.neededWord("}", false, "length"); err != nil {
			return err
		}
	}
	for _, w := range e.words {
		if len(w) == 1 && w[0].nested == nil {
			if _, err := substringNumber(w[0].text); err != nil {
				return p.fail("%v", err)
			}
		}
	}
	return nil
}

// substringNumber reads an offset or a length. A space may stand before a minus, to tell ${v: -1} from a default.
func substringNumber(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("an offset or a length that is not a number")
	}
	return n, nil
}

func (p *expressionParser) neededWord(ends string, escapes bool, what string) (word, error) {
	w, err := p.word(ends, escapes)
	if err == nil && len(w) == 0 {
		return nil, p.fail("no %s behind the operator", what)
	}
	return w, err
}

// word reads up to one of the characters in ends. Where escapes hold, as they do around the slashes of a replacement, \/ is
// a slash, \\ is a backslash and $$ is a dollar.
func (p *expressionParser) word(ends string, escapes bool) (word, error) {
	var w word
	start := p.pos
	take := func() {
		if p.pos > start {
			w = append(w, piece{text: p.source[start:p.pos]})
		}
	}
	for p.pos < len(p.source) {
		rest := p.source[p.pos:]
		switch {
		case strings.IndexByte(ends, rest[0]) >= 0:
			take()
			return w, nil
		case strings.HasPrefix(rest, "${"):
			take()
			nested, err := p.expression()
			if err != nil {
				return nil, err
			}
			w = append(w, piece{nested: &nested})
			start = p.pos
		case escapes && isEscape(rest):
			take()
			start = p.pos + 1
			p.pos += 2
		default:
			p.pos++
		}
	}
	return nil, p.fail("no closing brace")
}

func isEscape(text string) bool {
	return strings.HasPrefix(text, `\/`) || strings.HasPrefix(text, `\\`) || strings.HasPrefix(text, "$$")
}
