package source

import (
	"slices"
	"strings"
)

// What lines say of a path.
type ignoreVerdict int

const (
	undecided ignoreVerdict = iota
	ignored
	kept // by a line with an exclamation mark
)

// ignoreLines are those of one text, without the ones that can match nothing.
type ignoreLines struct {
	rules []ignoreRule
	// The lines without wildcards, which are the most, are found by what they match: the whole path, or its last element.
	// To both belong the indices of the last such line, of any kind and of those that match more than folders.
	paths, names map[string]lastLines
	globs        []int // the indices of the others
}

type lastLines struct{ folder, file int } // -1: none

// An ignoreRule is one line.
type ignoreRule struct {
	keeps      bool // it begins with an exclamation mark
	folderOnly bool // it ends in a slash
	nameOnly   bool // it has no other slash, and matches a last element anywhere
	prefix     string
	glob       glob // matches what follows the prefix
}

// parseIgnoreLines returns nil if no line can match anything.
func parseIgnoreLines(text string) *ignoreLines {
	lines := &ignoreLines{paths: make(map[string]lastLines), names: make(map[string]lastLines)}
	text = strings.TrimPrefix(text, "\ufeff")
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSuffix(line, "\r")
		line, _, _ = strings.Cut(line, "\x00") // Git's lines are C's strings
		if rule, ok := parseIgnoreRule(trimIgnoreLine(line)); ok {
			lines.add(rule)
		}
	}
	if len(lines.rules) == 0 {
		return nil
	}
	return lines
}

// trimIgnoreLine cuts the spaces at the end, but for one that a backslash precedes.
func trimIgnoreLine(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if line[i] == ' ' {
			continue
		}
		end = min(i+1, len(line))
	}
	return line[:end]
}

func parseIgnoreRule(line string) (ignoreRule, bool) {
	var rule ignoreRule
	line, rule.keeps = strings.CutPrefix(line, "!")
	line, rule.folderOnly = strings.CutSuffix(line, "/")
	rule.nameOnly = !strings.Contains(line, "/")
	if !rule.nameOnly {
		line = strings.TrimPrefix(line, "/")
	}
	// Where the wildcards begin matters beyond speed: to Git the rest is a pattern of its own, so that the ** in "a**/b"
	// begins a pattern, and is one that crosses slashes.
	rule.prefix = line
	if i := strings.IndexAny(line, `*?[\`); i >= 0 {
		rule.prefix = line[:i]
	}
	var ok bool
	rule.glob, ok = parseGlob(line[len(rule.prefix):], rule.nameOnly)
	return rule, ok && line != ""
}

func (l *ignoreLines) add(rule ignoreRule) {
	i := len(l.rules)
	l.rules = append(l.rules, rule)
	if rule.glob != nil {
		l.globs = append(l.globs, i)
		return
	}
	literal := l.paths
	if rule.nameOnly {
		literal = l.names
	}
	last, ok := literal[rule.prefix]
	if !ok {
		last.file = -1
	}
	last.folder = i
	if !rule.folderOnly {
		last.file = i
	}
	literal[rule.prefix] = last
}

// judge takes a path relative to the folder that the lines are of, and where its last element begins.
func (l *ignoreLines) judge(path string, name int, isFolder bool) ignoreVerdict {
	if l == nil {
		return undecided
	}
	last := max(literalLine(l.paths, path, isFolder), literalLine(l.names, path[name:], isFolder))
	for _, i := range slices.Backward(l.globs) {
		if i < last || l.rules[i].matches(path, name, isFolder) {
			last = max(last, i)
			break
		}
	}
	switch {
	case last < 0:
		return undecided
	case l.rules[last].keeps:
		return kept
	}
	return ignored
}

func literalLine(lines map[string]lastLines, text string, isFolder bool) int {
	last, ok := lines[text]
	switch {
	case !ok:
		return -1
	case isFolder:
		return last.folder
	}
	return last.file
}

func (r *ignoreRule) matches(path string, name int, isFolder bool) bool {
	if r.folderOnly && !isFolder {
		return false
	}
	if r.nameOnly {
		path = path[name:]
	}
	rest, ok := strings.CutPrefix(path, r.prefix)
	return ok && r.glob.match(rest)
}
