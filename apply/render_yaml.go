package apply

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// yamlEntry returns the lines of a value under a name, as YAML has it. It is for people: lines are cut where they are very
// long, and what cannot be seen is escaped.
func yamlEntry(name string, value any) []string {
	switch v := value.(type) {
	case map[string]any:
		if len(v) > 0 {
			return append([]string{name + ":"}, indent(yamlBlock(v))...)
		}
	case []any:
		if len(v) > 0 {
			return append([]string{name + ":"}, indent(yamlBlock(v))...)
		}
	case string:
		if strings.Contains(v, "\n") {
			return append([]string{name + ": " + blockSign(v)}, indent(textLines(v))...)
		}
	}
	return []string{name + ": " + yamlScalar(value)}
}

// yamlBlock returns the lines of a value that has no name.
func yamlBlock(value any) []string {
	var lines []string
	switch v := value.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			lines = append(lines, yamlEntry(yamlString(k), v[k])...)
		}
	case []any:
		for _, item := range v {
			block := indent(yamlBlock(item))
			block[0] = "- " + strings.TrimPrefix(block[0], "  ")
			lines = append(lines, block...)
		}
	case string:
		if strings.Contains(v, "\n") {
			return append([]string{blockSign(v)}, textLines(v)...)
		}
	}
	if len(lines) == 0 {
		return []string{yamlScalar(value)}
	}
	return lines
}

// blockSign says how the text ends: by one line end, none or several.
func blockSign(text string) string {
	switch {
	case !strings.HasSuffix(text, "\n"):
		return "|-"
	case strings.HasSuffix(text, "\n\n"):
		return "|+"
	}
	return "|"
}

func indent(lines []string) []string { return mark("  ", lines) }

func yamlScalar(value any) string {
	switch v := value.(type) {
	case string:
		return yamlString(v)
	case map[string]any:
		return "{}"
	case []any:
		return "[]"
	case nil:
		return "null"
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return visible(fmt.Sprint(value))
}

// yamlString quotes what YAML would take for something else than this text.
func yamlString(s string) string {
	if s == mask || s == maskChanged {
		return s
	}
	_, err := strconv.ParseFloat(s, 64)
	isNumber := err == nil
	switch strings.ToLower(s) {
	case "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return strconv.Quote(s)
	}
	if visible(s) != s || isNumber || strings.ContainsAny(s[:1], "-?:,[]{}#&*!|>'\"%@` ") || strings.HasSuffix(s, " ") ||
		strings.Contains(s, ": ") || strings.HasSuffix(s, ":") || strings.Contains(s, " #") {
		return visible(strconv.Quote(s))
	}
	return s
}

// maxShown is how many runes of a line are shown.
const maxShown = 1000

// visible makes a text one line of which all can be seen: it escapes line ends, what steers a terminal, and what turns the
// direction of writing.
func visible(s string) string {
	var out strings.Builder
	shown := 0
	for i, r := range s {
		if shown++; shown > maxShown {
			return fmt.Sprintf("%s… (%d bytes more)", out.String(), len(s)-i)
		}
		_, width := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			fmt.Fprintf(&out, `\x%02x`, s[i])
		case !unicode.IsPrint(r) && r != '\t':
			quoted := strconv.QuoteRune(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
