package source_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestFilterTakesPathsInAnyOrder(t *testing.T) {
	paths := []string{"a/.sourceignore", "a/b/.sourceignore", "a/b/c.md", "a/b/c.txt", "a/d.md", "ab/c.md", "b.md", "b.txt", "out/x", "out/y/.sourceignore",
		"a", "a//b", "/a.md", "a/b/c/d/e.txt"}
	bodies := map[string]string{"a/.sourceignore": "!*.md\n", "a/b/.sourceignore": "*.txt\n!d.md\n"}
	var want []string
	for i := range 50 {
		shuffled := slices.Clone(paths)
		rand.New(rand.NewPCG(1, uint64(i))).Shuffle(len(paths), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		var read []string
		got, err := ignoreRules(t, "/out\n/b.md\nab/*.md").Filter(t.Context(), shuffled, func(name string) ([]byte, error) {
			read = append(read, name)
			return []byte(bodies[name]), nil
		})
		must(t, err)
		slices.Sort(read)
		slices.Sort(got)
		if want == nil {
			want = got
		}
		if !slices.Equal(read, []string{"a/.sourceignore", "a/b/.sourceignore"}) || !slices.Equal(got, want) ||
			slices.Contains(got, "a/b/c/d/e.txt") || slices.Contains(got, "out/x") || !slices.Contains(got, "a/d.md") {
			t.Fatalf("got %q after %q were read", got, read)
		}
	}
}

func TestFilterEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	paths := []string{".sourceignore", strings.Repeat("a/", 1000) + "b", "c"}
	left, err := ignoreRules(t, "d").Filter(ctx, paths, func(string) ([]byte, error) {
		cancel()
		return nil, nil
	})
	if left != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %q, %v", left, err)
	}
}
