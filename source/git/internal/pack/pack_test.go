package pack

import (
	"bytes"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

var large = source.Limits{MaxFiles: 1 << 20, MaxBytes: 4 << 30}.WithDefaults()

func sameSet(t *testing.T, got, want object.Set) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %d objects, want %d", len(got), len(want))
	}
	for hash, o := range want {
		if g, ok := got[hash]; !ok || g.Kind != o.Kind || !bytes.Equal(g.Body, o.Body) {
			t.Errorf("%s: got a %s of %d bytes (%v), want a %s of %d", hash, g.Kind, len(g.Body), ok, o.Kind, len(o.Body))
		}
	}
}

func TestReadGitsPacks(t *testing.T) {
	r := newPackRepository(t)
	r.commits(60, 30, 3000)
	want := r.objects(r.reachable("main", "v1"))
	for name, args := range map[string][]string{
		"defaults":        nil,
		"by offset":       {"--delta-base-offset"},
		"by hash":         {"--no-delta-base-offset"},
		"whole":           {"--window=0"},
		"deep":            {"--delta-base-offset", "--depth=4000", "--window=200", "--no-reuse-delta"},
		"deep by hash":    {"--no-delta-base-offset", "--depth=4000", "--window=200", "--no-reuse-delta"},
		"not compressed":  {"--delta-base-offset", "--compression=0", "--no-reuse-object"},
		"compressed fast": {"--delta-base-offset", "--compression=1", "--no-reuse-object"},
		"compressed best": {"--delta-base-offset", "--compression=9", "--no-reuse-object"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(t.Context(), bytes.NewReader(r.pack("main\nv1", args...)), nil, large)
			if err != nil {
				t.Fatal(err)
			}
			sameSet(t, got, want)
		})
	}
}
