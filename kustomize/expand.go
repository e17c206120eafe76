package kustomize

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// expand returns text with its expressions replaced by what they stand for. It reports what it cannot expand, says ok false
// and goes on, so that one build finds all that is missing.
//
// Of an uneven number of dollars before a brace, the last one begins an expression. Two dollars before it are one of text.
// Dollars in any other place are left alone, where envsubst makes one of two.
func (s *substituter) expand(text string) (expanded string, ok bool) {
	problems := s.failures
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 || s.stopped() {
			break
		}
		dollars := i + 1 - len(strings.TrimRight(text[:i+1], "$"))
		b.WriteString(text[:i+1-dollars/2-dollars%2])
		if text = text[i:]; dollars%2 == 0 {
			text = text[1:]
			continue
		}
		e, err := parseExpression(text)
		if err != nil {
			s.report(nameOf(err), err)
			break
		}
		text = text[len(e.source):]
		value, _ := s.evaluate(&e)
		b.WriteString(value)
	}
	b.WriteString(text)
	return b.String(), s.failures == problems && s.fatal == nil
}

func nameOf(err error) string {
	if e, ok := err.(*syntaxError); ok {
		return e.name
	}
	return ""
}

// evaluate returns what an expression stands for. If left is true, something unknown in it was left as it is.
//
// These are differences to envsubst, each where that does not do what it documents, or what bash does, whose forms these
// are: a default is evaluated only where it is needed; ${v-word} can be read; ${v=word} takes an empty value for one;
// lengths and offsets count characters and not bytes; ${v/#text/} removes the text; an empty text is found nowhere; a
// shortest match may be empty; patterns hold for suffixes as they do for prefixes, with their classes and backslashes.
// As in envsubst, and other than in bash, the text to replace is no pattern, and := sets no variable.
func (s *substituter) evaluate(e *expression) (text string, left bool) {
	l := s.lookUp(e.name)
	if l.err != nil {
		s.report(e.name, l.err)
		s.fatal = cmp.Or[error](s.fatal, &s.problems) // who fails to answer once is not asked again
		return "", false
	}
	if e.op == opDefault && !l.found || e.op == opDefaultOrEmpty && l.value == "" {
		return s.word(e.words[0])
	}
	if !l.found {
		switch s.variables.Unknown {
		case LeaveUnknown:
			s.spend(len(e.source))
			return e.source, true
		case RefuseUnknown:
			s.reportOnce(e.name, fmt.Errorf("%w %s", ErrUnknownVariable, shownName(e.name)))
			return "", false
		}
	}
	if !s.spend(len(l.value)) || e.op == opDefault || e.op == opDefaultOrEmpty {
		return l.value, false
	}
	return s.operate(e, l.value)
}

// operate expands what stands behind the operator, and applies it.
func (s *substituter) operate(e *expression, value string) (text string, left bool) {
	failures := s.failures
	var words [2]string
	for i := range words {
		if words[i], left = s.word(e.words[i]); left {
			return e.source, true
		}
	}
	if s.failures > failures {
		return "", false
	}
	return s.apply(e, value, words), false
}

// word expands a word.
func (s *substituter) word(w word) (text string, left bool) {
	if len(w) == 1 && w[0].nested == nil {
		s.spend(len(w[0].text))
		return w[0].text, false
	}
	var b strings.Builder
	for _, p := range w {
		part := p.text
		if p.nested != nil {
			var unknown bool
			part, unknown = s.evaluate(p.nested)
			left = left || unknown
		}
		if !s.spend(len(part)) {
			return "", false
		}
		b.WriteString(part)
	}
	return b.String(), left
}

// apply does what the operator of e says to the value of its variable.
func (s *substituter) apply(e *expression, value string, words [2]string) string {
	switch e.op {
	case opLength:
		return strconv.Itoa(utf8.RuneCountInString(value))
	case opUpper:
		return strings.ToUpper(value)
	case opLower:
		return strings.ToLower(value)
	case opUpperFirst, opLowerFirst:
		return firstInCase(value, e.op == opUpperFirst)
	case opSubstring:
		part, err := substring(value, words, e.words[1] != nil)
		if err != nil {
			s.report(e.name, &syntaxError{e.name, err.Error()})
		}
		return part
	case opTrimPrefix, opTrimLongPrefix, opTrimSuffix, opTrimLongSuffix:
		return s.trim(e, value, words[0])
	case opReplace, opReplaceAll, opReplacePrefix, opReplaceSuffix:
		return s.replace(e.op, value, words[0], words[1])
	}
	return value
}

func firstInCase(value string, upper bool) string {
	c, size := utf8.DecodeRuneInString(value)
	if size == 0 || c == utf8.RuneError {
		return value
	}
	if upper {
		c = unicode.ToUpper(c)
	} else {
		c = unicode.ToLower(c)
	}
	return string(c) + value[size:]
}

// substring cuts characters out of value, as envsubst does bytes. A negative offset counts from the end, or is the start if
// there is not so much. A negative length is where to stop, counted from the end.
func substring(value string, words [2]string, limited bool) (string, error) {
	chars := utf8.RuneCountInString(value)
	offset, err := substringNumber(words[0])
	if err != nil {
		return "", err
	}
	if offset < 0 {
		offset = max(offset+chars, 0)
	}
	end := chars
	if limited {
		length, err := substringNumber(words[1])
		if err != nil {
			return "", err
		}
		if length < 0 {
			end += max(length, -chars)
		} else if length < chars-offset {
			end = offset + length
		}
	}
	if offset >= end {
		return "", nil
	}
	start := byteOffset(value, offset)
	return value[start : start+byteOffset(value[start:], end-offset)], nil
}

// byteOffset says where in text the character with the number n begins.
func byteOffset(text string, n int) int {
	if n >= len(text) {
		return len(text)
	}
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return len(text)
}

func (s *substituter) trim(e *expression, value, pattern string) string {
	// To match takes time for each character by the length of the pattern.
	if !s.spend(len(value) * (len(pattern) / 8)) {
		return ""
	}
	g, err := parseGlob(pattern)
	if err != nil {
		s.report(e.name, &syntaxError{e.name, err.Error()})
		return ""
	}
	if e.op == opTrimPrefix || e.op == opTrimLongPrefix {
		return value[max(g.prefix(value, e.op == opTrimLongPrefix), 0):]
	}
	return value[:len(value)-max(g.suffix(value, e.op == opTrimLongSuffix), 0)]
}

func (s *substituter) replace(op operator, value, old, replacement string) string {
	if old == "" {
		return value
	}
	switch op {
	case opReplacePrefix:
		if rest, ok := strings.CutPrefix(value, old); ok && s.spend(len(replacement)) {
			return replacement + rest
		}
		return value
	case opReplaceSuffix:
		if rest, ok := strings.CutSuffix(value, old); ok && s.spend(len(replacement)) {
			return rest + replacement
		}
		return value
	}
	times := 1
	if op == opReplaceAll {
		times = strings.Count(value, old)
	}
	if !s.spend(times * len(replacement)) {
		return ""
	}
	return strings.Replace(value, old, replacement, times)
}
