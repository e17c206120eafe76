package artifact_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// putNumbered puts a small tree that differs for each n, and returns its digest.
func putNumbered(t testing.TB, s *artifact.DirStore, n int) digest.Digest {
	t.Helper()
	d, err := artifact.PackTo(t.Context(), s, fstest.MapFS{"n": file(strings.Repeat("n", n))}, artifact.PackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d.Digest
}

func tagAs(t testing.TB, s artifact.Tagger, name string, d digest.Digest, revision string) {
	t.Helper()
	if err := s.Tag(t.Context(), name, d, revision); err != nil {
		t.Fatal(err)
	}
}

// tagLines returns one line for each that seq yields: name, the artifact's place
// in digests, revision, or the error.
func tagLines(seq iter.Seq2[artifact.Tagged, error], digests ...digest.Digest) (lines []string) {
	for tag, err := range seq {
		line := fmt.Sprintf("%s %d %s", tag.Name, slices.Index(digests, tag.Digest), tag.Revision)
		if err != nil {
			odd, missing := errors.Is(err, artifact.ErrFormat), errors.Is(err, artifact.ErrNotFound)
			line = fmt.Sprintf("%s is damaged: %t, missing: %t", tag.Name, odd, missing)
		}
		lines = append(lines, line)
	}
	return lines
}

func wantLines(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestTagKeepsHistoryAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	store := dirStore(t, dir)
	a, b := putNumbered(t, store, 0), putNumbered(t, store, 1)
	before := time.Now().Add(-time.Second)
	tagAs(t, store, "apps/podinfo", a, "main@sha1:1")
	tagAs(t, store, "apps/podinfo", b, "main@sha1:2")
	tagAs(t, store, "apps/podinfo", b, "main@sha1:2") // nothing new
	tagAs(t, store, "apps/podinfo", b, "main@sha1:3") // another revision of the same content
	tagAs(t, store, "apps/podinfo", a, "main@sha1:1") // rolled back
	tagAs(t, store, "apps", b, "")

	again := dirStore(t, dir)
	wantLines(t, tagLines(again.History(t.Context(), "apps/podinfo"), a, b),
		"apps/podinfo 0 main@sha1:1", "apps/podinfo 1 main@sha1:3", "apps/podinfo 1 main@sha1:2", "apps/podinfo 0 main@sha1:1")
	wantLines(t, tagLines(again.Tags(t.Context()), a, b), "apps 1 ", "apps/podinfo 0 main@sha1:1")
	got, err := again.Resolve(t.Context(), "apps/podinfo")
	if err != nil || got.Name != "apps/podinfo" || got.Digest != a || got.Revision != "main@sha1:1" {
		t.Errorf("Resolve gives %+v, %v", got, err)
	}
	if got.Time.Before(before) || got.Time.After(time.Now()) || got.Time.Location() != time.UTC {
		t.Errorf("tagged at %v", got.Time)
	}
}

func TestTagHistoryIsBounded(t *testing.T) {
	dir := t.TempDir()
	store, err := artifact.Dir(dir, artifact.DirOptions{MaxHistory: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	a := putNumbered(t, store, 0)
	for n := range 5 {
		tagAs(t, store, "app", a, fmt.Sprint(n))
	}
	wantLines(t, tagLines(store.History(t.Context(), "app"), a), "app 0 4", "app 0 3", "app 0 2")
}

// TestTagReadsTheLongestHistory has as many entries as there may be, each as long
// as it may be.
func TestTagReadsTheLongestHistory(t *testing.T) {
	dir := t.TempDir()
	store, err := artifact.Dir(dir, artifact.DirOptions{MaxHistory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	a := putNumbered(t, store, 0)
	tagAs(t, store, "app", a, "")
	at := filepath.Join(dir, "tags", "app.json")
	revision := strings.Repeat(`\u003c`, 1024)
	entry := fmt.Sprintf(`{"digest":"%s","revision":"%s","time":"2026-01-02T03:04:05.123456789Z"}`, a, revision)
	line := `{"name":"app","history":[` + strings.Repeat(entry+",", 1023) + entry + "]}"
	if err := os.WriteFile(at, []byte(line+"\n"+string(digest.FromString(line))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := tagLines(store.History(t.Context(), "app"), a)
	if want := "app 0 " + strings.Repeat("<", 1024); len(lines) != 1024 || lines[1023] != want {
		t.Errorf("%d entries, the last %.50q", len(lines), lines[len(lines)-1])
	}
}

func TestTagNames(t *testing.T) {
	good := []string{
		"a", "A", "apps", "apps/podinfo", "apps.json/x", "Apps", "feature/ABC-1", "v1.2.3_x-", "0",
		strings.Repeat("x", 240), strings.Repeat("X", 120), strings.Repeat("a/", 119) + "ab",
	}
	bad := []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".a", "-a", "_a", "a\\b", "a b", "a\n", "a\x00",
		"ü", "a:b", "a+b", "a!b", "!a", "C:/x",
		"sha256:" + strings.Repeat("a", 64), strings.Repeat("x", 241), strings.Repeat("X", 121),
	}
	store := dirStore(t, t.TempDir())
	a := putNumbered(t, store, 0)
	for _, name := range good {
		tagAs(t, store, name, a, name)
	}
	var want []string
	for _, name := range slices.Sorted(slices.Values(good)) {
		want = append(want, fmt.Sprintf("%s 0 %s", name, name))
	}
	wantLines(t, tagLines(store.Tags(t.Context()), a), want...)
	for _, name := range bad {
		wantError(t, store.Tag(t.Context(), name, a, ""), artifact.ErrFormat, name)
		wantError(t, store.Untag(t.Context(), name), artifact.ErrFormat, name)
		_, err := store.Resolve(t.Context(), name)
		wantError(t, err, artifact.ErrFormat, name)
		wantLines(t, tagLines(store.History(t.Context(), name)), " is damaged: true, missing: false")
	}
	wantLines(t, tagLines(store.Tags(t.Context()), a), want...)
}

func TestTagRefuses(t *testing.T) {
	dir := t.TempDir()
	store := dirStore(t, dir)
	a := putNumbered(t, store, 0)
	damaged := putNumbered(t, store, 1)
	if err := os.Truncate(filepath.Join(dir, "sha256", damaged.Encoded(), "blob"), 5); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name     string
		ctx      context.Context
		d        digest.Digest
		revision string
		cause    error
	}{
		{"what is not there", t.Context(), digest.FromString("x"), "", artifact.ErrNotFound},
		{"what is damaged", t.Context(), damaged, "", artifact.ErrDigest},
		{"an odd digest", t.Context(), "sha256:..", "", artifact.ErrFormat},
		{"a long revision", t.Context(), a, strings.Repeat("r", 1025), artifact.ErrFormat},
		{"a revision of two lines", t.Context(), a, "main\nmain", artifact.ErrFormat},
		{"a revision that is no UTF-8", t.Context(), a, "\xff", artifact.ErrFormat},
		{"an ended context", ended, a, "", context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, store.Tag(tt.ctx, "app", tt.d, tt.revision), tt.cause, "app")
			_, err := store.Resolve(t.Context(), "app")
			wantError(t, err, artifact.ErrNotFound, "app")
			wantLines(t, tagLines(store.Tags(t.Context())))
		})
	}
	wantLines(t, tagLines(store.Tags(ended)), " is damaged: false, missing: false")
	tagAs(t, store, "app", a, strings.Repeat("ü", 512))
	_, err := store.Resolve(ended, "app")
	wantError(t, err, context.Canceled, "app")
	wantError(t, store.Untag(ended, "app"), context.Canceled, "app")
	wantLines(t, tagLines(store.Tags(ended)), " is damaged: false, missing: false")
	wantLines(t, tagLines(store.History(ended, "app")), " is damaged: false, missing: false")
	wantLines(t, tagLines(store.History(t.Context(), "other")), " is damaged: false, missing: true")
}

// TestTagIsNeverSeenHalf resolves while the name changes from one to the other.
func TestTagIsNeverSeenHalf(t *testing.T) {
	dir := t.TempDir()
	store, other := dirStore(t, dir), dirStore(t, dir)
	digests := []digest.Digest{putNumbered(t, store, 0), putNumbered(t, store, 1)}
	tagAs(t, store, "app", digests[0], "")
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for i := range 100 {
			if err := store.Tag(t.Context(), "app", digests[i%2], ""); err != nil {
				t.Error(err)
			}
		}
	})
	for resolving := true; resolving && !t.Failed(); {
		if got, err := other.Resolve(t.Context(), "app"); err != nil || !slices.Contains(digests, got.Digest) {
			t.Errorf("Resolve gives %+v, %v", got, err)
		}
		select {
		case <-done:
			resolving = false
		default:
		}
	}
	wg.Wait()
}

// TestTagsByManyAreAllInTheHistory has several stores tag with the same name.
func TestTagsByManyAreAllInTheHistory(t *testing.T) {
	dir := t.TempDir()
	a := putNumbered(t, dirStore(t, dir), 0)
	var wg sync.WaitGroup
	for worker := range 4 {
		store := dirStore(t, dir)
		wg.Go(func() {
			for i := range 8 {
				if err := store.Tag(t.Context(), "app", a, fmt.Sprint(worker, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	revisions := make(map[string]bool)
	for tag, err := range dirStore(t, dir).History(t.Context(), "app") {
		if err != nil {
			t.Fatal(err)
		}
		revisions[tag.Revision] = true
	}
	if len(revisions) != 32 {
		t.Errorf("%d of 32 are in the history", len(revisions))
	}
}

func TestUntagForgetsTheNameAlone(t *testing.T) {
	store := dirStore(t, t.TempDir())
	a := putNumbered(t, store, 0)
	tagAs(t, store, "app", a, "")
	for range 2 { // the second time there is nothing to forget
		if err := store.Untag(t.Context(), "app"); err != nil {
			t.Error(err)
		}
		_, err := store.Resolve(t.Context(), "app")
		wantError(t, err, artifact.ErrNotFound, "app")
	}
	if _, err := store.Stat(t.Context(), a); err != nil {
		t.Error(err)
	}
}

func TestDeleteLeavesWhatIsTagged(t *testing.T) {
	store := dirStore(t, t.TempDir())
	a, b := putNumbered(t, store, 0), putNumbered(t, store, 1)
	tagAs(t, store, "apps/podinfo", a, "")
	tagAs(t, store, "apps/podinfo", b, "")
	err := store.Delete(t.Context(), b)
	wantError(t, err, artifact.ErrTagged, string(b))
	if !strings.Contains(err.Error(), `"apps/podinfo"`) {
		t.Errorf("%v does not name the tag", err)
	}
	if err := store.Delete(t.Context(), a); err != nil {
		t.Errorf("what only the history names: %v", err)
	}
	if err := store.Untag(t.Context(), "apps/podinfo"); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), b); err != nil {
		t.Error(err)
	}
}

// damages are what may have become of a tag's file, and never is believed.
func damages(t testing.TB, sound []byte) map[string][]byte {
	t.Helper()
	sealed := func(line string) []byte { return []byte(line + "\n" + string(digest.FromString(line)) + "\n") }
	of := func(name, entry string) []byte { return sealed(`{"name":"` + name + `","history":[{` + entry + `}]}`) }
	sum, when := `"digest":"`+string(digest.FromString("x"))+`"`, `"time":"2026-01-02T03:04:05Z"`
	other := strings.Replace(string(sound), "sha256:", "sha256:0", 1)
	return map[string][]byte{
		"empty":                   nil,
		"cut":                     sound[:len(sound)-1],
		"cut in half":             sound[:len(sound)/2],
		"longer":                  append(slices.Clone(sound), '\n'),
		"another digest":          []byte(other[:79] + other[80:]),
		"zeros":                   make([]byte, len(sound)),
		"no JSON":                 sealed("app"),
		"another's":               of("other", sum+","+when),
		"without an entry":        sealed(`{"name":"app","history":[]}`),
		"with an odd digest":      of("app", `"digest":"sha256:../../x",`+when),
		"with an odd revision":    of("app", sum+`,"revision":"a\nb",`+when),
		"with a time that is not": of("app", sum+`,"time":"today"`),
	}
}

func TestDamagedTagIsNoticedAndMended(t *testing.T) {
	dir := t.TempDir()
	store := dirStore(t, dir)
	a, b := putNumbered(t, store, 0), putNumbered(t, store, 1)
	at := filepath.Join(dir, "tags", "app.json")
	tagAs(t, store, "app", a, "1")
	tagAs(t, store, "zoo", a, "1")
	sound, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range damages(t, sound) {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(at, data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.Resolve(t.Context(), "app")
			wantError(t, err, artifact.ErrFormat, "app")
			wantLines(t, tagLines(store.Tags(t.Context()), a), "app is damaged: true, missing: false", "zoo 0 1")
			// What it named is not known, and so all is kept.
			wantError(t, store.Delete(t.Context(), b), artifact.ErrFormat, "app")
			c, err := store.GC(t.Context(), artifact.Keep{Younger: -1})
			wantError(t, err, artifact.ErrFormat, "app")
			if len(c.Digests) > 0 || len(list(t, store)) != 2 {
				t.Errorf("collected %+v", c)
			}
			tagAs(t, store, "app", a, "2")
			wantLines(t, tagLines(store.History(t.Context(), "app"), a), "app 0 2")
		})
	}
	if err := os.WriteFile(at, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Untag(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	wantLines(t, tagLines(store.Tags(t.Context()), a), "zoo 0 1")
}

func TestTagsIgnoreWhatIsNotTheirs(t *testing.T) {
	dir := t.TempDir()
	store := dirStore(t, dir)
	for _, name := range []string{"README", "A.json", "a b.json", ".json", "a++b.json", "!.json", "!1.json", "a!.json"} {
		if err := os.WriteFile(filepath.Join(dir, "tags", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantLines(t, tagLines(store.Tags(t.Context())))
}
