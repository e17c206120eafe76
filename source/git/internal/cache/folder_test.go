package cache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// benign is how many flips may do nothing: in the head of a frame of Zstandard, one in a bit that no decoder looks at, and
// one that asks for a larger window.
const benign = 2

// damaged adds a small record, lets damage change a file of each kind of it, and checks that what is read is right or not
// there, and that the next Add makes all good.
func damaged(t *testing.T, unseen int, damage func(content []byte, i int) (changed []byte, ok bool)) {
	for _, kind := range []string{recordKind, segmentKind} {
		dir := t.TempDir()
		c := openFolder(t, dir, 1<<20)
		set := setOf(t, "", "one", strings.Repeat("two", 50))
		record := Record{commitOf(t, set, "x"), "paths"}
		add(t, c.Repository("r"), record, set)
		for i := 0; ; i++ {
			file := paths(t, dir, kind)[0]
			good, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			content, ok := damage(good, i)
			if !ok {
				break
			}
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
			r := c.Repository("r")
			for _, got := range recordsOf(t, r) {
				if got != record {
					t.Fatalf("%s, damage %d: there is the record %v", kind, i, got)
				}
			}
			if missing(t, r, set) == 0 {
				if unseen--; unseen < 0 {
					t.Fatalf("%s, damage %d was not seen", kind, i)
				}
			}
			add(t, r, record, set)
			again := c.Repository("r")
			if n, got := missing(t, again, set), recordsOf(t, again); n > 0 || len(got) != 1 {
				t.Fatalf("%s, damage %d: after another Add %d objects are missing, and there are the records %v", kind, i, n, got)
			}
			if all := paths(t, dir, ""); len(all) != 3 {
				t.Fatalf("%s, damage %d: left are %v", kind, i, all)
			}
		}
	}
}

func TestCutFilesAreNotThere(t *testing.T) {
	damaged(t, 0, func(content []byte, i int) ([]byte, bool) {
		return content[:min(i, len(content))], i < len(content)
	})
}

func TestFlippedBitsAreNotThere(t *testing.T) {
	damaged(t, benign, func(content []byte, i int) ([]byte, bool) {
		if i == len(content) {
			return nil, false
		}
		content[i] ^= 1 << (i % 8)
		return content, true
	})
}

func TestForeignContentIsNotThere(t *testing.T) {
	damaged(t, 0, func(content []byte, i int) ([]byte, bool) {
		foreign := [][]byte{nil, []byte("\n"), []byte("{}"), make([]byte, 5<<20), append(content, 'x'),
			make([]byte, len(content))}
		if i == len(foreign) {
			return nil, false
		}
		return foreign[i], true
	})
}

func TestFilesOfAnotherVersionAreNotThere(t *testing.T) {
	damaged(t, 0, func(content []byte, i int) ([]byte, bool) {
		other := strings.NewReplacer("cache record 1", "cache record 2", segmentMagic, "gkgitsg2").Replace(string(content))
		return []byte(other), i == 0
	})
}

func TestFilesOfOthersStay(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<20)
	set := setOf(t, "x")
	record := Record{commitOf(t, set, "x"), ""}
	add(t, c.Repository("r"), record, set)
	sub := filepath.Dir(paths(t, dir, recordKind)[0])
	outside := filepath.Join(t.TempDir(), "outside")
	for _, err := range []error{
		os.WriteFile(outside, []byte("x"), 0o600), os.WriteFile(filepath.Join(sub, "notes"), nil, 0o600),
		os.Mkdir(filepath.Join(sub, segmentKind+"folder"), 0o700), os.Symlink(outside, filepath.Join(sub, recordKind+"link")),
		os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600), os.Mkdir(filepath.Join(dir, strings.Repeat("g", 64)), 0o700),
		os.Symlink(filepath.Dir(outside), filepath.Join(dir, strings.Repeat("a", 64))),
		os.WriteFile(filepath.Join(sub, temporary+"stale"), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before := len(paths(t, dir, ""))
	add(t, c.Repository("r"), record, set)
	if n := missing(t, c.Repository("r"), set); n > 0 || len(recordsOf(t, c.Repository("r"))) != 1 {
		t.Errorf("%d objects are missing", n)
	}
	if after := paths(t, dir, ""); len(after) != before-1 {
		t.Errorf("left are %v, want all but the stale file", after)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

func TestKeysDoNotAppearAndFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "cache")
	for _, key := range []string{"https://planted.example/x.git", "../../planted", "/planted", "", "planted\x00"} {
		set := setOf(t, "x")
		c := openFolder(t, dir, 1<<20)
		add(t, c.Repository(key), Record{commitOf(t, set, "x"), ""}, set)
		if missing(t, c.Repository(key), set) > 0 {
			t.Errorf("nothing was kept for %q", key)
		}
	}
	err := filepath.WalkDir(filepath.Dir(filepath.Dir(dir)), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if private := info.Mode().Perm()&0o077 == 0; !private && strings.HasPrefix(path, dir) {
			t.Errorf("%s is %v", path, info.Mode())
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		if strings.Contains(path+string(content), "planted") {
			t.Errorf("%s tells the key", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnlyNewObjectsAreWritten(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<30)
	random := rand.New(rand.NewPCG(7, 8))
	body := func() string {
		b := make([]byte, 1000)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(b)
	}
	bodies := make([]string, 500)
	for i := range bodies {
		bodies[i] = body()
	}
	full := int64(0)
	for i := range 100 {
		bodies[random.IntN(len(bodies))] = body()
		set := setOf(t, bodies...)
		before := bytesIn(t, dir)
		add(t, c.Repository("r"), Record{commitOf(t, set, fmt.Sprint(i)), ""}, set)
		if missing(t, c.Repository("r"), set) > 0 {
			t.Fatal("objects are missing")
		}
		grown := bytesIn(t, dir) - before
		if i == 0 {
			full = grown
		}
		if i == 1 && grown > full/50 {
			t.Errorf("one new object took %d bytes, and all of them %d", grown, full)
		}
		segments := paths(t, dir, segmentKind)
		if size := bytesIn(t, dir); size > 2*full || len(segments) > 20 {
			t.Fatalf("after %d commits there are %d bytes in %d segments, and the first had %d", i, size, len(segments), full)
		}
	}
}

func TestAddedRecordStaysWhereTheClockWasSetBack(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<20)
	future := time.Now().Add(time.Hour)
	for i := range 2 * recordsOfScope {
		set := setOf(t, fmt.Sprint(i))
		record := Record{commitOf(t, set, fmt.Sprint(i)), ""}
		add(t, c.Repository("r"), record, set)
		if n := missing(t, c.Repository("r"), set); n > 0 || !slices.Contains(recordsOf(t, c.Repository("r")), record) {
			t.Fatalf("the record %d is not there", i)
		}
		for _, file := range paths(t, dir, recordKind) {
			if err := os.Chtimes(file, future, future); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := recordsOf(t, c.Repository("r")); len(got) != recordsOfScope {
		t.Errorf("there are %d records of the scope, want %d", len(got), recordsOfScope)
	}
}

func TestRecordWithoutItsSegmentIsNotListed(t *testing.T) {
	for name, damage := range map[string]func(file string) error{
		"removed": os.Remove, "cut": func(file string) error { return os.Truncate(file, 10) },
	} {
		dir := t.TempDir()
		c, set := openFolder(t, dir, 1<<20), setOf(t, "x")
		add(t, c.Repository("r"), Record{commitOf(t, set, "x"), ""}, set)
		if err := damage(paths(t, dir, segmentKind)[0]); err != nil {
			t.Fatal(err)
		}
		if got := recordsOf(t, c.Repository("r")); len(got) > 0 {
			t.Errorf("%s: listed is %v", name, got)
		}
	}
}

func TestGarbageGoesWithItsRecord(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<30)
	bodies := make([]string, 100)
	for i := range bodies {
		random := make([]byte, 1000)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(random)
		bodies[i] = string(random)
	}
	for i := range 1 + recordsOfScope {
		set := setOf(t, bodies...)
		add(t, c.Repository("r"), Record{commitOf(t, set, fmt.Sprint(i)), ""}, set)
		bodies = bodies[:10]
	}
	if size := bytesIn(t, dir); size > 30_000 {
		t.Errorf("the folder has %d bytes for objects of 10,000", size)
	}
}

func TestFolderStaysWithinItsBound(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 50_000)
	random := rand.New(rand.NewPCG(9, 10))
	for i := range 150 {
		var bodies []string
		for range 5 {
			b := make([]byte, 1000*random.IntN(4))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			bodies = append(bodies, string(b))
		}
		set := setOf(t, bodies...)
		key := fmt.Sprint(random.IntN(20))
		add(t, c.Repository(key), Record{commitOf(t, set, fmt.Sprint(i)), ""}, set)
		if n := missing(t, c.Repository(key), set); n > 0 {
			t.Fatalf("%d objects of what was added last are missing", n)
		}
		if size := bytesIn(t, dir); size > 50_000 {
			t.Fatalf("the folder has %d bytes", size)
		}
	}
	folders, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range folders {
		if got := paths(t, dir, recordKind); len(got) == 0 {
			t.Errorf("%s has no record and is still there", d.Name())
		}
	}
	if len(folders) == 20 {
		t.Error("no repository went")
	}
}

func TestLeftoversGoWhenThereIsNoRoom(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, strings.Repeat("b", 64))
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{temporary + "x", segmentKind + "x"} {
		if err := os.WriteFile(filepath.Join(left, name), make([]byte, 50_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := openFolder(t, dir, 50_000)
	for i := range 2 {
		set := setOf(t, fmt.Sprint(i))
		add(t, c.Repository(fmt.Sprint(i)), Record{commitOf(t, set, "x"), ""}, set)
	}
	if n := len(recordsOf(t, c.Repository("0"))) + len(recordsOf(t, c.Repository("1"))); n != 2 {
		t.Errorf("%d of 2 records are left: leftovers did not go first", n)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of leftovers: %v, want that it is gone", err)
	}
}

func TestLockedRepositoryIsNotEvicted(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 3000)
	body := make([]byte, 1500)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(body)
	first := setOf(t, string(body))
	add(t, c.Repository("0"), Record{commitOf(t, first, "x"), ""}, first)
	for i, locker := range []Cache{c, openFolder(t, dir, 1)} { // one in this Cache, and one as of another process
		unlock, err := locker.Repository("0").Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = random.Read(body)
		second := setOf(t, string(body))
		add(t, c.Repository("1"), Record{commitOf(t, second, fmt.Sprint(i)), ""}, second)
		if missing(t, c.Repository("0"), first) > 0 {
			t.Error("what is locked was evicted")
		}
		unlock()
	}
	third := setOf(t, "x")
	add(t, c.Repository("2"), Record{commitOf(t, third, "x"), ""}, third)
	if size := bytesIn(t, dir); size > 3000 {
		t.Errorf("the folder has %d bytes with nothing locked", size)
	}
}

func TestAnotherValueSeesWhatWasAddedAndRemoved(t *testing.T) {
	dir := t.TempDir()
	reader := openFolder(t, dir, 1<<20).Repository("r")
	writer := openFolder(t, dir, 1<<20).Repository("r")
	for i := range 6 {
		set := setOf(t, fmt.Sprint(i))
		if missing(t, reader, set) != 1 {
			t.Fatal("it is there too early")
		}
		add(t, writer, Record{commitOf(t, set, fmt.Sprint(i)), ""}, set)
		if i%2 == 0 {
			recordsOf(t, reader)
		} else {
			unlock, err := reader.Lock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			unlock()
		}
		if n := missing(t, reader, set); n > 0 {
			t.Fatalf("%d objects that another added are missing", n)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := recordsOf(t, reader); len(got) > 0 {
		t.Errorf("records in a folder that is gone: %v", got)
	}
	set := setOf(t, "new")
	add(t, writer, Record{commitOf(t, set, "new"), ""}, set)
	if n := missing(t, reader, set); n > 0 {
		t.Errorf("%d objects are missing from a folder that was made again", n)
	}
}

func TestAddNamesTheFolderThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	c := openFolder(t, dir, 1<<20)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := c.Repository("r")
	unlock, err := r.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := r.Add(t.Context(), Record{}, setOf(t, "x")); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v, want an error that names %s", err, dir)
	}
	if got := recordsOf(t, r); len(got) > 0 || missing(t, r, setOf(t, "x")) == 0 {
		t.Error("something is there")
	}
	if _, err := Folder(dir, 1); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("opening a file: %v, want an error that names it", err)
	}
}

func TestLockExcludesAndEndsWithTheContext(t *testing.T) {
	kinds(t, 1<<20, func(t *testing.T, c Cache, again func() Cache) {
		unlock, err := c.Repository("r").Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []Cache{c, again()} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if _, err := other.Repository("r").Lock(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want that the context ended", err)
			}
			cancel()
		}
		free, err := c.Repository("another").Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		free()
		got := make(chan func())
		go func() {
			unlock, err := again().Repository("r").Lock(context.Background())
			if err != nil {
				t.Error(err)
			}
			got <- unlock
		}()
		unlock()
		unlock() // does nothing
		(<-got)()
	})
}

func TestLockExcludesWhileItsFolderIsEvicted(t *testing.T) {
	dir := t.TempDir()
	var holders atomic.Int32
	done := make(chan bool)
	for range 4 {
		r := openFolder(t, dir, 1<<20).Repository("r") // with a Cache of its own, as in another process
		go func() {
			defer func() { done <- true }()
			for range 500 {
				unlock, err := r.Lock(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				runtime.Gosched()
				holders.Add(-1)
				unlock()
			}
		}()
	}
	evictor, _ := openFolder(t, dir, 1<<20).(*folder)
	name := evictor.Repository("r").(*folderRepository).name
	for left := 4; left > 0; {
		select {
		case <-done:
			left--
		default:
			_, _ = evictor.remove(candidate{repository: name}, false) // it is in use, or goes
		}
	}
}

func TestLockOnAFileThatWasReplacedIsNone(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var files []*os.File
	for range 2 {
		_ = root.Remove(lockName) // the first time there is none
		file, err := root.Create(lockName)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files = append(files, file)
	}
	if sameFile(root, files[0]) || !sameFile(root, files[1]) {
		t.Error("the lock is not on the file that has its name")
	}
}

// segmentOf returns a segment's file of this index and these frames, with the right sum.
func segmentOf(frames, index []byte) []byte {
	sum := sha256.Sum256(index)
	file := append(append([]byte(nil), frames...), index...)
	file = append(binary.BigEndian.AppendUint64(file, uint64(len(index))), sum[:]...)
	return append(file, segmentMagic...)
}

func FuzzSegment(f *testing.F) {
	line := append(make([]byte, 20), 3, 5)
	f.Add([]byte{}, append([]byte{0, 1}, line...))
	f.Add([]byte("12345"), append([]byte{5, 2}, append(line, line...)...))
	f.Add([]byte{}, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, frames, index []byte) {
		dir := t.TempDir()
		file := segmentOf(frames, index)
		if err := os.WriteFile(filepath.Join(dir, "segment"), file, 0o600); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		s, err := openSegment(root, segmentName{"segment", int64(len(file))}, 1<<20)
		if err != nil {
			return
		}
		r := newFolderRepository(&folder{dir: filepath.Dir(dir), maxBytes: 1 << 20}, filepath.Base(dir))
		for _, frame := range s.frames {
			content, err := frame.read(r)
			if err != nil {
				continue
			}
			for _, e := range frame.entries {
				if sum, err := object.NewHasher().Sum(e.kind, content[e.at:e.at+e.size]); err != nil || sum != e.hash {
					t.Fatal("content that its hash is not of")
				}
			}
		}
	})
}
