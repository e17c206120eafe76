package artifact_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A grower makes random trees that can be packed, the same for the same seed.
type grower struct {
	*rand.Rand
	tree    fstest.MapFS
	folders map[string]bool
}

// grownNames sort differently as paths than as elements, look like what they are
// not, or need more than a USTAR header.
var grownNames = []string{
	"a", "b", "a.b", "a-b", "a0", "A", ".hidden", "..data", "...", "-rf", "x y", "line\nfeed", "c:d", "100%",
	"ü.yaml", "u\u0308.yaml", "日本", "kustomization.yaml", strings.Repeat("n", 99), strings.Repeat("long", 40),
}

var grownSizes = []int{0, 1, 511, 512, 513, 1024, 4096, 65535, 65536, 65537}

func grow(seed uint64) *grower {
	g := &grower{rand.New(rand.NewPCG(seed, 7)), fstest.MapFS{}, map[string]bool{".": true}}
	for range g.IntN(40) {
		g.add(g.path())
	}
	return g
}

func (g *grower) name() string { return grownNames[g.IntN(len(grownNames))] }

func (g *grower) path() string {
	elems := make([]string, 1+g.IntN(4))
	for i := range elems {
		elems[i] = g.name()
	}
	return path.Join(elems...)
}

// add adds something at name, unless that, or what is above it, is something.
func (g *grower) add(name string) {
	if g.tree[name] != nil || g.folders[name] {
		return
	}
	for above := path.Dir(name); above != "."; above = path.Dir(above) {
		if f := g.tree[above]; f != nil && !f.Mode.IsDir() {
			return
		}
	}
	switch g.IntN(10) {
	case 0:
		g.tree[name] = &fstest.MapFile{Mode: fs.ModeDir | 0o700}
	case 1, 2:
		g.tree[name] = link(g.target(name))
	case 3:
		g.tree[name] = script(g.content())
	default:
		g.tree[name] = file(g.content())
	}
	if g.tree[name].Mode.IsDir() {
		g.folders[name] = true
	}
	for above := path.Dir(name); above != "."; above = path.Dir(above) {
		g.folders[above] = true
	}
}

func (g *grower) content() string {
	size := grownSizes[g.IntN(len(grownSizes))]
	if g.IntN(2) == 0 {
		return strings.Repeat("kind: ConfigMap\n", size/16+1)[:size]
	}
	return noise(size + 1)[1:]
}

// target leads from the link at name to a folder that is one, sometimes up again,
// and from there to something that may or may not be there.
func (g *grower) target(name string) string {
	folders := slices.Sorted(maps.Keys(g.folders))
	to := folders[g.IntN(len(folders))]
	target := strings.Repeat("../", strings.Count(name, "/")) + to
	if to != "." {
		target += strings.Repeat("/..", g.IntN(strings.Count(to, "/")+2))
	}
	if g.IntN(4) > 0 {
		target += "/" + g.name()
	}
	return target
}

// change changes some entries, in every way in which one can change.
func (g *grower) change() {
	names := slices.Sorted(maps.Keys(g.tree))
	for range g.IntN(len(names) + 1) {
		name := names[g.IntN(len(names))]
		f := g.tree[name]
		if f == nil || f.Mode.IsDir() {
			g.add(g.path())
			continue
		}
		isLink := f.Mode.Type() == fs.ModeSymlink
		switch delete(g.tree, name); g.IntN(6) {
		case 0: // removed
		case 1:
			g.tree[name] = link(g.target(name))
		case 2:
			g.tree[name] = file(g.content())
		case 3: // a file became a folder
			g.tree[name+"/new"], g.folders[name] = file("new"), true
		case 4:
			if g.tree[name] = script(string(f.Data)); f.Mode&0o111 != 0 && !isLink {
				g.tree[name] = file(string(f.Data))
			}
		default: // as it was
			g.tree[name] = f
		}
	}
	g.add(g.path())
}

// grown is how many trees each property is tried with.
const grown = 24

// forGrownTrees tries a property with many trees, and tells of the seed. Under the
// race detector, which is slow and is no better for more of the same, a few do.
func forGrownTrees(t *testing.T, property func(t *testing.T, g *grower)) {
	t.Helper()
	trees := uint64(grown)
	if testbed.Race {
		trees /= 4
	}
	for seed := range trees {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { property(t, grow(seed)) })
	}
}

func TestPackingWhatWasPackedAndOpenedIsTheSame(t *testing.T) {
	forGrownTrees(t, func(t *testing.T, g *grower) {
		for _, c := range compressions {
			opts := artifact.PackOptions{Compression: c}
			data, d := pack(t, g.tree, opts)
			opened, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{})
			if err != nil {
				t.Fatal(err)
			}
			again, second := pack(t, opened, opts)
			if second != d || !bytes.Equal(again, data) {
				t.Errorf("%v: packed as %+v, and again as %+v", c, d, second)
			}
		}
	})
}

func TestContentsOfATreeAndOfItsArtifactsAreEqual(t *testing.T) {
	forGrownTrees(t, func(t *testing.T, g *grower) {
		want := contentsOracle(g.tree)
		equalContents(t, "tree", contentsOf(t, g.tree), want)
		for _, c := range compressions {
			data, d := pack(t, g.tree, artifact.PackOptions{Compression: c})
			equalContents(t, c.String(), readContents(t, data, d), want)
			if d.Files != len(want) {
				t.Errorf("%v: the descriptor counts %d files of %d", c, d.Files, len(want))
			}
		}
	})
}

func TestContentsSurviveUnpack(t *testing.T) {
	forGrownTrees(t, func(t *testing.T, g *grower) {
		data, d := pack(t, g.tree, artifact.PackOptions{})
		root := openRoot(t, t.TempDir())
		if err := artifact.Unpack(t.Context(), bytes.NewReader(data), d, root, artifact.UnpackOptions{}); err != nil {
			t.Fatal(err)
		}
		equalContents(t, "folder", contentsOf(t, root.FS()), contentsOracle(g.tree))
	})
}

func TestDiffIsWhatComparingPathByPathFinds(t *testing.T) {
	forGrownTrees(t, func(t *testing.T, g *grower) {
		from, fromDigest := contentsOf(t, g.tree), contentDigest(t, g.tree)
		g.change()
		to, toDigest := contentsOf(t, g.tree), contentDigest(t, g.tree)
		got := artifact.Diff(from, to)
		if want := diffOracle(from, to); !reflect.DeepEqual(got, want) {
			t.Errorf("changes are\n%v\nnot\n%v", got, want)
		}
		if (len(got) == 0) != (fromDigest == toDigest) {
			t.Errorf("%d changes from %s to %s", len(got), fromDigest, toDigest)
		}
	})
}

func contentDigest(t testing.TB, tree fs.FS) string {
	t.Helper()
	_, d := pack(t, tree, artifact.PackOptions{Compression: artifact.None})
	return d.ContentDigest.String()
}

// diffOracle looks at each path of either tree by itself.
func diffOracle(from, to artifact.Contents) artifact.Changes {
	was, is, all := map[string]artifact.Leaf{}, map[string]artifact.Leaf{}, map[string]bool{}
	for _, e := range from {
		was[e.Path], all[e.Path] = e.Leaf, true
	}
	for _, e := range to {
		is[e.Path], all[e.Path] = e.Leaf, true
	}
	changes := artifact.Changes{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		before, wasThere := was[name]
		after, isThere := is[name]
		switch {
		case !wasThere:
			changes = append(changes, artifact.Change{Path: name, Action: artifact.Added, To: after})
		case !isThere:
			changes = append(changes, artifact.Change{Path: name, Action: artifact.Removed, From: before})
		case before != after:
			changes = append(changes, artifact.Change{Path: name, Action: artifact.Changed, From: before, To: after})
		}
	}
	return changes
}

// The trees of the properties are of use only if they have what can go wrong.
func TestGrownTreesHaveOfEverything(t *testing.T) {
	count := map[string]int{}
	for seed := range uint64(grown) {
		g := grow(seed)
		from := contentsOracle(g.tree)
		for _, e := range from {
			count[string(e.Kind)]++
			if strings.Contains(strings.TrimLeft(e.Target, "./"), "/..") {
				count["crooked links"]++
			}
			if strings.Contains(e.Path, "/") {
				count["deep"]++
			}
		}
		g.change()
		to := contentsOracle(g.tree)
		for _, c := range artifact.Diff(from, to) {
			count[string(c.Action)]++
		}
	}
	for _, what := range []string{"file", "executable", "symlink", "crooked links", "deep", "added", "removed", "changed"} {
		if count[what] < grown/2 {
			t.Errorf("%s: %d only", what, count[what])
		}
	}
}
