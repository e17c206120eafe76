package kustomize

import (
	"path"
	"strings"
	"testing"
)

// allTexts returns every text of up to n of the characters.
func allTexts(chars string, n int) []string {
	texts, last := []string{""}, []string{""}
	for range n {
		var longer []string
		for _, text := range last {
			for _, c := range chars {
				longer = append(longer, text+string(c))
			}
		}
		texts, last = append(texts, longer...), longer
	}
	return texts
}

// TestGlobMatchesAsTriedOneByOne holds each small pattern against trying all prefixes and suffixes of each small text.
func TestGlobMatchesAsTriedOneByOne(t *testing.T) {
	texts := allTexts("aé", 5)
	for _, pattern := range append(allTexts("aé*?", 4), "[a]*", "*[^a]", "[^a]?[a]", "[a-z]*[é]", `\a*`, `*\é`) {
		g, err := parseGlob(pattern)
		if err != nil {
			t.Fatal(pattern, err)
		}
		for _, text := range texts {
			want := map[string]int{"shortest prefix": -1, "longest prefix": -1, "shortest suffix": -1, "longest suffix": -1}
			note := func(key string, part string) {
				if ok, _ := path.Match(pattern, part); ok {
					if n := len(part); want["longest "+key] < n {
						want["longest "+key] = n
					}
					if n := len(part); want["shortest "+key] < 0 || n < want["shortest "+key] {
						want["shortest "+key] = n
					}
				}
			}
			for i := range text + "." {
				note("prefix", text[:i])
				note("suffix", text[i:])
			}
			got := map[string]int{"shortest prefix": g.prefix(text, false), "longest prefix": g.prefix(text, true),
				"shortest suffix": g.suffix(text, false), "longest suffix": g.suffix(text, true)}
			for key := range want {
				if got[key] != want[key] {
					t.Fatalf("%s of %q that matches %q: got %d bytes, want %d", key, text, pattern, got[key], want[key])
				}
			}
		}
	}
}

func TestGlobTakesOneStep(t *testing.T) {
	g, err := parseGlob(strings.Repeat("*a", 50) + "*b")
	if err != nil || g.prefix(strings.Repeat("a", 20_000), true) != -1 || g.suffix(strings.Repeat("a", 20_000), true) != -1 {
		t.Error("matches what is not there", err)
	}
}
