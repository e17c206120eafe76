package source_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// FuzzIgnore compares one line with a regular expression that is made of it in another way.
func FuzzIgnore(f *testing.F) {
	for _, tt := range ignoreLineTests() {
		for name := range tt.names() {
			f.Add(tt.text, name)
		}
	}
	for _, piece := range ignorePieces {
		f.Add("a"+piece+"b/"+piece, "aa/b/ab/b")
		f.Add(piece+"/**/"+piece, "a/b/a")
	}
	f.Fuzz(func(t *testing.T, line, name string) {
		if len(line) > 200 || len(name) > 200 {
			return // else the slow way is all that happens
		}
		elements := strings.Split(strings.TrimSuffix(name, "/"), "/")
		whole := ignoreRules(t, line)
		for _, element := range elements[:len(elements)-1] {
			whole = whole.Folder(element)
		}
		line, _, _ = strings.Cut(line, "\n")
		if strings.Contains(name, "//") || strings.HasPrefix(name, "/") {
			return
		}
		rules := ignoreRules(t, line)
		isFolder := strings.HasSuffix(name, "/")
		want, slow := false, slowIgnore(line)
		for i, element := range elements {
			if element == "" {
				return
			}
			here := strings.Join(elements[:i+1], "/")
			folder := i < len(elements)-1 || isFolder
			want = want || slow(here, folder)
			if got := rules.Ignores(element, folder); got != want {
				t.Fatalf("%q of %q (folder: %v): got %v, want %v", here, line, folder, got, want)
			}
			rules = rules.Folder(element)
		}
	})
}

// slowIgnore is the slow way: bytes are made characters, and the line a regular expression.
func slowIgnore(line string) func(name string, isFolder bool) bool {
	never := func(string, bool) bool { return false }
	line = strings.TrimSuffix(strings.TrimPrefix(line, "\ufeff"), "\r")
	line, _, _ = strings.Cut(line, "\x00")
	line = trailing.ReplaceAllString(latin(line), "$1$2")
	if line == "" || line[0] == '#' || line[0] == '!' {
		return never
	}
	line, folders := strings.CutSuffix(line, "/")
	prefix := "^"
	if !strings.Contains(line, "/") {
		prefix = "^(?:.*/)?"
	}
	if line = strings.TrimPrefix(line, "/"); line == "" {
		return never
	}
	expression, ok := globExpression(line, prefix != "^")
	if !ok {
		return never
	}
	whole := regexp.MustCompile("(?s)" + prefix + expression + "$")
	return func(name string, isFolder bool) bool {
		return (isFolder || !folders) && whole.MatchString(latin(name))
	}
}

// latin returns a string that has each of the bytes as one character.
func latin(text string) string {
	var all strings.Builder
	for _, b := range []byte(text) {
		all.WriteRune(rune(b))
	}
	return all.String()
}

var (
	trailing  = regexp.MustCompile(`^((?s:[^\\ ]|\\.| +(?:[^\\ ]|\\.))*)(?: *)(\\?)$`)
	crossing  = regexp.MustCompile(`^\*\*+(/|\\/|$)`)
	character = regexp.MustCompile(`^(?s:\\(.)|([^\\\[*?]))`)
	classItem = regexp.MustCompile(`^(?s:\[:([^\]]*):\]|(\\?.)-(\\.|[^\]\\])|(\\.|[^\\]))`)
	nameItem  = regexp.MustCompile(`^\[:[^\]]*(\]|$)`)
)

func globExpression(pattern string, name bool) (string, bool) {
	expression := ""
	for at, begins, wild := 0, true, false; at < len(pattern); {
		rest := pattern[at:]
		isWild := strings.ContainsAny(rest[:1], `*?[\`)
		begins = begins || isWild && !wild // where the first wildcard is, a pattern begins
		wild = wild || isWild
		cross := crossing.FindStringSubmatch(rest)
		one := character.FindString(rest)
		switch {
		case cross != nil && begins && !name:
			at += len(cross[0])
			expression += map[string]string{"/": "(?:.*/)?", `\/`: ".*/", "": ".*"}[cross[1]]
		case rest[0] == '*':
			at += len(rest) - len(strings.TrimLeft(rest, "*"))
			expression += "[^/]*"
		case rest[0] == '?':
			at++
			expression += "[^/]"
		case rest[0] == '[':
			set, size := classExpression(rest)
			if size == 0 {
				return "", false
			}
			at += size
			expression += set
		case one == "":
			return "", false // a backslash at the end
		default:
			at += len(one)
			expression += regexp.QuoteMeta(strings.TrimPrefix(one, `\`) + map[bool]string{true: `\`}[one == `\\`])
		}
		begins = pattern[at-1] == '/'
	}
	return expression, true
}

// classExpression returns the class that a pattern begins with and how long it is there, which is 0 if it is wrong.
func classExpression(pattern string) (string, int) {
	at, members := 1, ""
	negation := ""
	if rest := pattern[1:]; rest != "" && strings.Contains("!^", rest[:1]) {
		at, negation = 2, "^"
	}
	for first := true; first || !strings.HasPrefix(pattern[at:], "]"); first = false {
		item := classItem.FindStringSubmatch(pattern[at:])
		open := nameItem.FindStringSubmatch(pattern[at:])
		switch {
		case item == nil || open != nil && open[1] == "":
			return "", 0
		case strings.HasPrefix(item[0], "[:") && open != nil && strings.HasSuffix(item[0], ":]") && len(item[0]) > 3:
			class, ok := map[string]string{"space": `\t\n\r `, "blank": `\t `, "cntrl": `\x00-\x1f\x7f`}[item[1]]
			if !ok && regexp.MustCompile(`^(alnum|alpha|digit|graph|lower|print|punct|upper|xdigit)$`).MatchString(item[1]) {
				class = "[:" + item[1] + ":]"
			} else if !ok {
				return "", 0
			}
			members += class
		case item[2] != "":
			from, to := bare(item[2]), bare(item[3])
			if from <= to {
				members += quoteRune(from) + "-" + quoteRune(to)
			}
		default:
			members += quoteRune(bare(item[4]))
		}
		at += len(item[0])
	}
	// A class of nothing is wrong to the one, and a slash never matches to the other: hence these two.
	set := regexp.MustCompile("^(?s:[" + negation + members + quoteRune(0x100) + "])$")
	expression := quoteRune(0x100)
	for r := range rune(0x100) {
		if r != '/' && set.MatchString(string(r)) {
			expression += quoteRune(r)
		}
	}
	return "[" + expression + "]", at + 1
}

// bare returns the character without its backslash.
func bare(text string) rune {
	all := []rune(text)
	return all[len(all)-1]
}

func quoteRune(r rune) string { return fmt.Sprintf(`\x{%x}`, r) }
