package statuspage

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// secretive are the parts of URLs that may let somebody in: whoever is named before the host, but for Git's git, and
// parameters that are called so.
var secretive = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*://)([^\s/]+)@|` +
	`([?&][a-z0-9_-]*(?:signature|token|secret|password|passwd|credential|api_?key)=)[^&\s"'<>]+`)

// masked is a text without such parts. No source and no stage of this module has any; a consumer's own might.
func masked(text string) string {
	if !strings.Contains(text, "@") && !strings.Contains(text, "=") {
		return text
	}
	return secretive.ReplaceAllStringFunc(text, func(found string) string {
		parts := secretive.FindStringSubmatch(found)
		switch {
		case parts[2] == "git":
			return found
		case parts[2] != "":
			return parts[1] + "…@"
		}
		return parts[3] + "…"
	})
}

// shown is a text in which every character is seen for what it is: those that have no shape, or that change the direction of
// others, are escaped, but for the joiners that some scripts are written with.
func shown(text string) string {
	if !strings.ContainsFunc(text, hidden) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch _, size := utf8.DecodeRuneInString(text[i:]); {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	switch r {
	case '\n', '\t', '\u200c', '\u200d':
		return false
	case '\u2028', '\u2029':
		return true
	}
	return unicode.Is(unicode.C, r)
}

// cut is the beginning of a text, at most n characters long, with a mark where there is more.
func cut(text string, n int) string {
	count := 0
	for i := range text {
		if count == n {
			return strings.TrimRight(text[:i], " ") + "…"
		}
		count++
	}
	return text
}
