package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// setOf returns blobs of these bodies.
func setOf(t testing.TB, bodies ...string) object.Set {
	t.Helper()
	set, hasher := object.Set{}, object.NewHasher()
	for _, body := range bodies {
		o := object.New(object.Blob, []byte(body))
		hash, err := hasher.Sum(o.Kind, o.Body())
		if err != nil {
			t.Fatal(err)
		}
		set[hash] = o
	}
	return set
}

// commitOf adds a commit to a set, and returns its hash.
func commitOf(t testing.TB, set object.Set, text string) object.Hash {
	t.Helper()
	o := object.New(object.Commit, []byte("tree "+text))
	hash, err := object.NewHasher().Sum(o.Kind, o.Body())
	if err != nil {
		t.Fatal(err)
	}
	set[hash] = o
	return hash
}

func add(t testing.TB, r Repository, record Record, set object.Set) {
	t.Helper()
	unlock, err := r.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := r.Add(t.Context(), record, set); err != nil {
		t.Fatal(err)
	}
}

func recordsOf(t testing.TB, r Repository) []Record {
	t.Helper()
	records, err := r.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// missing counts the objects of a set that are not there, and fails for any that is wrong.
func missing(t testing.TB, r Repository, set object.Set) int {
	t.Helper()
	n := 0
	for hash, want := range set {
		got, ok := r.Object(hash)
		switch {
		case !ok:
			n++
		case got.Kind != want.Kind || !bytes.Equal(got.Body(), want.Body()):
			t.Errorf("%s is a %s %.40q, want a %s %.40q", hash, got.Kind, got.Body(), want.Kind, want.Body())
		}
	}
	return n
}

func openFolder(t testing.TB, dir string, maxBytes int64) Cache {
	t.Helper()
	c, err := Folder(dir, maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// kinds runs a test with a cache of each kind. again returns the cache as another process would open it.
func kinds(t *testing.T, maxBytes int64, test func(t *testing.T, c Cache, again func() Cache)) {
	t.Run("memory", func(t *testing.T) {
		c := Memory(maxBytes)
		test(t, c, func() Cache { return c })
	})
	t.Run("folder", func(t *testing.T) {
		dir := t.TempDir()
		test(t, openFolder(t, dir, maxBytes), func() Cache { return openFolder(t, dir, maxBytes) })
	})
}

func TestRandomAddsMatchAModel(t *testing.T) {
	kinds(t, 1<<30, func(t *testing.T, c Cache, again func() Cache) {
		rnd := rand.New(rand.NewPCG(1, 2))
		type kept struct {
			Record
			set object.Set
		}
		model := map[string][]kept{} // last used first
		for step := range 120 {
			if step%50 == 49 {
				c = again()
			}
			key := fmt.Sprint("repository ", rnd.IntN(3))
			scope := []string{"", "a", "b\xff\n"}[rnd.IntN(3)]
			set := setOf(t)
			for range rnd.IntN(40) {
				size := []int{0, 10, 1000, 20_000}[rnd.IntN(4)]
				for hash, o := range setOf(t, fmt.Sprintf("%0*d", size, rnd.IntN(60))) {
					set[hash] = o
				}
			}
			added := kept{Record{commitOf(t, set, fmt.Sprint(key, rnd.IntN(8))), scope}, set}
			repository := c.Repository(key)
			if rnd.IntN(4) == 0 && len(model[key]) > 0 { // a use
				used := model[key][rnd.IntN(len(model[key]))].Commit
				if _, ok := repository.Object(used); !ok {
					t.Fatalf("commit %s is not there", used)
				}
				// Records that share a commit are used together, in an order that does not matter here.
				if slices.IndexFunc(model[key], func(k kept) bool { return k.Commit == used }) >= 0 {
					slices.SortStableFunc(model[key], func(a, b kept) int {
						return boolean(b.Commit == used) - boolean(a.Commit == used)
					})
				}
			}
			add(t, repository, added.Record, set)
			model[key] = slices.DeleteFunc(model[key], func(k kept) bool { return k.Record == added.Record })
			model[key] = slices.Insert(model[key], 0, added)
			same := 0
			model[key] = slices.DeleteFunc(model[key], func(k kept) bool {
				same += boolean(k.Scope == scope)
				return k.Scope == scope && same > recordsOfScope
			})
			want, reader := map[Record]bool{}, c.Repository(key)
			for _, k := range model[key] {
				want[k.Record] = true
				if n := missing(t, reader, setWithout(k.set, k.Commit)); n > 0 {
					t.Fatalf("step %d: %d objects of %v are missing", step, n, k.Record)
				}
			}
			got := recordsOf(t, c.Repository(key))
			if len(got) != len(want) || got[0] != added.Record ||
				slices.ContainsFunc(got, func(r Record) bool { return !want[r] }) {
				t.Fatalf("step %d: records %v, want %v", step, got, want)
			}
		}
	})
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// setWithout leaves out the commit, for to look it up is a use.
func setWithout(set object.Set, commit object.Hash) object.Set {
	rest := object.Set{}
	for hash, o := range set {
		if hash != commit {
			rest[hash] = o
		}
	}
	return rest
}

func TestRepositoriesDoNotSeeEachOther(t *testing.T) {
	kinds(t, 1<<20, func(t *testing.T, c Cache, _ func() Cache) {
		set := setOf(t, "secret")
		add(t, c.Repository("private"), Record{commitOf(t, set, "x"), ""}, set)
		if n := missing(t, c.Repository("public"), set); n != len(set) {
			t.Errorf("another repository's objects are to be had: %d of %d are missing", n, len(set))
		}
		if got := recordsOf(t, c.Repository("public")); len(got) > 0 {
			t.Errorf("another repository has the records %v", got)
		}
	})
}

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	incompressible := func() string {
		b := make([]byte, 20_000)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(b)
	}
	common := incompressible()
	kinds(t, 130_000, func(t *testing.T, c Cache, again func() Cache) {
		var sets []object.Set
		var commits []object.Hash
		for i := range 3 {
			set := setOf(t, common, incompressible())
			commits = append(commits, commitOf(t, set, fmt.Sprint(i)))
			sets = append(sets, set)
			// The first two share a repository and the common object, whose bytes count once in memory.
			add(t, c.Repository(fmt.Sprint(i/2)), Record{commits[i], fmt.Sprint(i)}, set)
		}
		c = again()
		if _, ok := c.Repository("0").Object(commits[0]); !ok {
			t.Fatal("the first record is gone already")
		}
		set := setOf(t, incompressible(), incompressible())
		add(t, c.Repository("2"), Record{commitOf(t, set, "last"), ""}, set)
		if got := recordsOf(t, c.Repository("0")); len(got) != 1 || got[0].Commit != commits[0] {
			t.Errorf("of the first repository %v is left, want the record that was used, of %s", got, commits[0])
		}
		for i, n := range []int{0, 2, 0} {
			if i == 1 {
				continue // what it shared is there, and in a folder the rest may be
			}
			if got := missing(t, c.Repository(fmt.Sprint(i/2)), sets[i]); got != n {
				t.Errorf("of the record %d, %d objects are missing, want %d", i, got, n)
			}
		}
	})
}

func TestRecordLargerThanTheCacheIsNotKept(t *testing.T) {
	kinds(t, 10_000, func(t *testing.T, c Cache, _ func() Cache) {
		small := setOf(t, "small")
		add(t, c.Repository("r"), Record{commitOf(t, small, "small"), ""}, small)
		for name, body := range map[string][]byte{
			"incompressible": make([]byte, 30_000), "one large object": make([]byte, 30_001),
		} {
			if name == "incompressible" {
				random := rand.NewChaCha8([32]byte{})
				_, _ = random.Read(body)
			}
			large := setOf(t, string(body))
			add(t, c.Repository("r"), Record{commitOf(t, large, name), ""}, large)
			if got := recordsOf(t, c.Repository("r")); len(got) != 1 {
				t.Errorf("%s: there are %d records, want the small one", name, len(got))
			}
			if missing(t, c.Repository("r"), large) == 0 {
				t.Errorf("%s: it was kept", name)
			}
		}
		if missing(t, c.Repository("r"), small) > 0 {
			t.Error("the small record is gone")
		}
	})
}

func TestNothingIsKeptWithoutRoom(t *testing.T) {
	kinds(t, 0, func(t *testing.T, c Cache, _ func() Cache) {
		for _, set := range []object.Set{setOf(t), setOf(t, ""), setOf(t, "x")} {
			add(t, c.Repository("r"), Record{commitOf(t, set, "x"), ""}, set)
		}
		if got := recordsOf(t, c.Repository("r")); len(got) > 0 {
			t.Errorf("kept %v", got)
		}
	})
}

func TestMemoryStaysWithinItsBound(t *testing.T) {
	c := Memory(50_000)
	random := rand.New(rand.NewPCG(5, 6))
	for i := range 500 {
		var bodies []string
		for range random.IntN(30) {
			bodies = append(bodies, fmt.Sprintf("%01000d", random.IntN(100)))
		}
		set := setOf(t, bodies...)
		record := Record{commitOf(t, set, fmt.Sprint(i%20)), fmt.Sprint(random.IntN(4))}
		key := fmt.Sprint(random.IntN(3))
		add(t, c.Repository(key), record, set)
		if missing(t, c.Repository(key), set) > 0 {
			t.Fatalf("what was added last is not there")
		}
		total, m := int64(0), c.(*memory)
		for _, s := range m.shelves {
			needed := map[object.Hash]int{}
			for _, record := range s.records {
				for _, o := range record.needs {
					needed[o.hash]++
				}
			}
			for hash, held := range s.objects {
				if total += size(held.Object); needed[hash] != held.records {
					t.Fatalf("%d records need %s, and it is held for %d", needed[hash], hash, held.records)
				}
			}
		}
		if total != m.bytes || total > m.maxBytes {
			t.Fatalf("holds %d bytes and counts %d, of %d", total, m.bytes, m.maxBytes)
		}
	}
}

func TestEndedContext(t *testing.T) {
	kinds(t, 1<<20, func(t *testing.T, c Cache, _ func() Cache) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r, set := c.Repository("r"), setOf(t, "x")
		_, lockErr := r.Lock(ctx)
		_, recordsErr := r.Records(ctx)
		for name, err := range map[string]error{"Lock": lockErr, "Records": recordsErr, "Add": r.Add(ctx, Record{}, set)} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want that the context ended", name, err)
			}
		}
		if missing(t, r, set) == 0 {
			t.Error("it was kept")
		}
	})
}

func TestManyGoroutines(t *testing.T) {
	kinds(t, 200_000, func(t *testing.T, c Cache, _ func() Cache) {
		var set []object.Set
		var commits []object.Hash
		for i := range 10 {
			set = append(set, setOf(t, "shared", fmt.Sprintf("%01000d", i)))
			commits = append(commits, commitOf(t, set[i], fmt.Sprint(i)))
		}
		done := make(chan bool)
		for g := range 6 {
			go func() {
				defer func() { done <- true }()
				own := c.Repository(fmt.Sprint(g % 2))
				for i := range 25 {
					add(t, own, Record{commits[(g+i)%10], fmt.Sprint(i % 2)}, set[(g+i)%10])
					missing(t, own, set[i%10])
					recordsOf(t, own)
				}
			}()
		}
		for range 6 {
			<-done
		}
		for g := range 2 {
			for _, record := range recordsOf(t, c.Repository(fmt.Sprint(g))) {
				if n := missing(t, c.Repository(fmt.Sprint(g)), set[slices.Index(commits, record.Commit)]); n > 0 {
					t.Errorf("%d objects of a record are missing", n)
				}
			}
		}
	})
}

// paths returns a folder's files whose names start with a prefix.
func paths(t testing.TB, dir, prefix string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func bytesIn(t testing.TB, dir string) (total int64) {
	t.Helper()
	for _, p := range paths(t, dir, "") {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	return total
}

func TestMemoryCountsWhatIsHeld(t *testing.T) {
	body, packer := bytes.Repeat([]byte("kind: ConfigMap\n"), 1000), new(object.Packer)
	for name, tt := range map[string]struct {
		object object.Object
		want   int // records
	}{
		"as it is": {object.New(object.Blob, body), 0},
		"packed":   {packer.Pack(object.Blob, body, true), 1},
	} {
		r := Memory(int64(len(body))).Repository("r")
		set := object.Set{}
		for hash := range setOf(t, string(body)) {
			set[hash] = tt.object
		}
		add(t, r, Record{Commit: commitOf(t, set, "x")}, set)
		if got := recordsOf(t, r); len(got) != tt.want {
			t.Errorf("%s: %d records, want %d", name, len(got), tt.want)
		}
	}
}

func TestFolderGivesObjectsThatHoldLittle(t *testing.T) {
	set := setOf(t, string(bytes.Repeat([]byte("kind: ConfigMap\n"), 1000)), string(bytes.Repeat([]byte("kind: Secret\n"), 100_000)))
	c := openFolder(t, t.TempDir(), 1<<30)
	add(t, c.Repository("r"), Record{}, set)
	r := c.Repository("r")
	if n := missing(t, r, set); n > 0 {
		t.Fatalf("%d objects are missing", n)
	}
	for hash, o := range set {
		if got, _ := r.Object(hash); o.Size() <= object.MaxPacked && got.Held() > o.Size()/10 {
			t.Errorf("%d bytes are held for %d", got.Held(), o.Size())
		}
	}
}
