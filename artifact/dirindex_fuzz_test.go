package artifact_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// indexed is a store of two artifacts, of which "app" is the first.
func indexed(f *testing.F) (store *artifact.DirStore, dir string, stored []artifact.Descriptor) {
	dir = f.TempDir()
	store = dirStore(f, dir)
	for _, content := range []string{"a", "b"} {
		d, err := artifact.PackTo(f.Context(), store, fstest.MapFS{"x": file(content)}, artifact.PackOptions{})
		if err != nil {
			f.Fatal(err)
		}
		stored = append(stored, d)
	}
	tagAs(f, store, "app", stored[0].Digest, "main@sha1:1")
	tagAs(f, store, "app", stored[1].Digest, "main@sha1:2")
	tagAs(f, store, "app", stored[0].Digest, "main@sha1:1")
	return store, dir, stored
}

// FuzzTagFile wants of any bytes in the place of a tag's that all who read it
// agree, that collecting keeps what it names, and everything where that is not
// known, and that the next Tag mends it.
func FuzzTagFile(f *testing.F) {
	store, dir, stored := indexed(f)
	at := filepath.Join(dir, "tags", "app.json")
	sound, err := os.ReadFile(at)
	if err != nil {
		f.Fatal(err)
	}
	line, _, _ := strings.Cut(string(sound), "\n")
	f.Add([]byte(line), true)
	f.Add([]byte(strings.ReplaceAll(line, `Z"`, `+01:00"`)), true)
	f.Add(sound, false)
	for _, data := range damages(f, sound) {
		line, _, _ := strings.Cut(string(data), "\n")
		f.Add(data, false)
		f.Add([]byte(line), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal { // gets past the digest
			data = slices.Concat(data, []byte("\n"+digest.FromBytes(data)+"\n"))
		}
		if err := os.WriteFile(at, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := store.Resolve(t.Context(), "app")
		_, gcErr := store.GC(t.Context(), artifact.Keep{Newest: 2, Younger: -1})
		if err != nil && !errors.Is(err, artifact.ErrFormat) || (err == nil) != (gcErr == nil) {
			t.Fatalf("Resolve's error is %v, GC's %v", err, gcErr)
		}
		var history []artifact.Tagged
		for tag, historyErr := range store.History(t.Context(), "app") {
			if (historyErr == nil) != (err == nil) {
				t.Fatalf("Resolve's error is %v, History's %v", err, historyErr)
			}
			history = append(history, tag)
		}
		for tag, tagsErr := range store.Tags(t.Context()) {
			agree := tag.Name == "app" && len(history) > 0 && (tagsErr == nil) == (err == nil)
			if !agree || err == nil && (tag != got || tag != history[0]) {
				t.Fatalf("Resolve gives %+v, %v; Tags %+v, %v; History %+v", got, err, tag, tagsErr, history)
			}
		}
		if got := list(t, store); len(got) != 2 {
			t.Fatalf("left are %+v", got)
		}
		tagAs(t, store, "app", stored[1].Digest, "mended")
		after, err := store.Resolve(t.Context(), "app")
		if err != nil || after.Digest != stored[1].Digest || after.Revision != "mended" {
			t.Fatalf("after Tag, Resolve gives %+v, %v", after, err)
		}
	})
}

// FuzzStoredDescriptor wants of any bytes in the place of a Descriptor's that List
// and Stat agree, and that what they believe is of this artifact.
func FuzzStoredDescriptor(f *testing.F) {
	store, dir, stored := indexed(f)
	d := stored[0]
	at := filepath.Join(dir, "sha256", d.Digest.Encoded(), "descriptor.json")
	negative, odd := d, d
	negative.Size, odd.MediaType = -1, "x"
	for _, other := range append(stored, negative, odd) {
		data, err := json.Marshal(other)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(at, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := store.Stat(t.Context(), d.Digest)
		if err != nil && !errors.Is(err, artifact.ErrDigest) {
			t.Fatalf("error %v, want ErrDigest", err)
		}
		if err == nil && (got.Digest != d.Digest || got.Size != d.Size) {
			t.Fatalf("Stat believes %+v of %+v", got, d)
		}
		for listed, listErr := range store.List(t.Context()) {
			if listed.Digest != d.Digest {
				continue
			}
			if (listErr == nil) != (err == nil) || err == nil && listed != got {
				t.Fatalf("Stat gives %+v, %v; List %+v, %v", got, err, listed, listErr)
			}
		}
	})
}

// FuzzTagName wants of any name that it is refused, or comes back from a file that
// no other name has and that every file system can have.
func FuzzTagName(f *testing.F) {
	store, dir, stored := indexed(f)
	for _, name := range []string{"apps/podinfo", "feature/ABC-1", "../x", "a+b", "a!b", "ü", strings.Repeat("X", 120)} {
		f.Add(name)
	}
	if err := store.Untag(f.Context(), "app"); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		err := store.Tag(t.Context(), name, stored[0].Digest, "")
		files, readErr := os.ReadDir(filepath.Join(dir, "tags"))
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err != nil {
			if !errors.Is(err, artifact.ErrFormat) || len(files) > 0 {
				t.Fatalf("error %v, and %v is there", err, files)
			}
			return
		}
		if len(files) != 1 || len(files[0].Name()) > 255 || strings.ToLower(files[0].Name()) != files[0].Name() {
			t.Fatalf("the file of %q is %v", name, files)
		}
		wantLines(t, tagLines(store.Tags(t.Context()), stored[0].Digest), name+" 0 ")
		if err := store.Untag(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	})
}
