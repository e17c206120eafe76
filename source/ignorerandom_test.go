package source_test

import (
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
)

// What random names and patterns are made of: few enough that they meet often.
var (
	ignoreNames = []string{
		"a", "b", "ab", "abc", "abb", "aab", "ba", "A", "a.b", "b.a", ".a", "a b", "a ", " a", "a\t",
		"!a", "#a", "[a]", "a]", "*", "**", "a*b", "?",
		`\`, `\a`, `a\`, "-", "^a", "a\r", "\xff", "a\xffb", "é", "a\nb", "\ufeffa", "aaaa", "bab",
	}
	ignorePieces = []string{
		"a", "b", "ab", "abc", "A", ".", "a", "b", "*", "*", "*", "?", "**", "***", "/", "/", "/", "//", "/**/", "**/", "/**", "/*/", "/**/*",
		`\`, `\`,
		`\a`, `\*`, `\ `, `\/`, `\\`, " ", "  ", "\t", "!", "#", "[a]", "[!a]", "[^a]", "[a-b]", "[ab", "]", "[", "[]a]", "[]]", "[!]]",
		"[[:alpha:]]", "[![:alpha:]]",
		"[[:alpha:]-b]", "[[:nope:]]", "[[:alpha]", "[a-", "[-a]", "[b-a]", `[\a]`, `[\]a]`, `[a-\b]`, "[/]", "[a/b]", "[*]", "[?",
		"-", "^", "\r", "\xff", "é",
		"\ufeff", "\x00", `**\/`, "a**", "**a", "**b",
	}
)

func pick(random *rand.Rand, from []string) string { return from[random.IntN(len(from))] }

func newIgnoreCase(random *rand.Rand) *ignoreCase {
	c := &ignoreCase{ignoreFiles: map[string]string{".": randomIgnoreText(random)}}
	taken := make(map[string]bool)
	for range 2 + random.IntN(5) {
		name := path.Join(pick(random, append(c.folders, ".", ".")), pick(random, ignoreNames))
		if !taken[name] {
			c.folders = append(c.folders, name)
			taken[name] = true
		}
	}
	for range 10 + random.IntN(15) {
		name := path.Join(pick(random, append(c.folders, ".")), pick(random, ignoreNames))
		if !taken[name] {
			c.files = append(c.files, name)
			taken[name] = true
		}
	}
	for range random.IntN(3) {
		c.ignoreFiles[pick(random, c.folders)] = randomIgnoreText(random)
	}
	// Patterns that are a path of the tree, or nearly.
	for _, folder := range slices.Sorted(maps.Keys(c.ignoreFiles)) {
		name := strings.TrimPrefix(pick(random, slices.Concat(c.folders, c.files)), folder+"/")
		i := random.IntN(len(name) + 1)
		j := i + random.IntN(len(name)+1-i)
		if random.IntN(3) > 0 {
			name = name[:i] + pick(random, ignorePieces) + name[j:]
		}
		line := pick(random, []string{"", "!", "/"}) + name + pick(random, []string{"", "/", "/*", "/**"})
		// The same once more, of the other kind, and of files or not.
		same := pick(random, []string{"", "!"}) + strings.Trim(line, "!/") + pick(random, []string{"", "/"})
		body := c.ignoreFiles[folder]
		c.ignoreFiles[folder] = pick(random, []string{line + "\n" + body, body + "\n" + line, line + "\n" + same + "\n" + body, same + "\n" + line})
	}
	return c
}

func randomIgnoreText(random *rand.Rand) string {
	var text strings.Builder
	if random.IntN(20) == 0 {
		text.WriteString("\ufeff")
	}
	for range 1 + random.IntN(6) {
		if random.IntN(4) == 0 {
			text.WriteString("!")
		}
		for range 1 + random.IntN(2+random.IntN(5)) {
			text.WriteString(pick(random, ignorePieces))
		}
		text.WriteString(pick(random, []string{"\n", "\n", "\n", "\r\n", "/\n", " \n", "\n\n", "  \r\n"}))
	}
	whole := text.String()
	if random.IntN(4) == 0 {
		whole = strings.TrimSuffix(whole, "\n")
	}
	return whole
}
