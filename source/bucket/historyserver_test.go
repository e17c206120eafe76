package bucket_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// newHistoryBucket returns a bucket with versioning, of MinIO: versitygw dates a version by when it was replaced.
func newHistoryBucket(t *testing.T) *testbed.Bucket {
	t.Helper()
	b := testbed.MinIO(t)
	must(t, b.Client.EnableVersioning(t.Context(), b.Name))
	return b
}

// live makes changes to a bucket, each dated later than the one before, and returns what Fetch returned after each.
func live(t *testing.T, b *testbed.Bucket, changes ...map[string][]byte) []historyState {
	t.Helper()
	var states []historyState
	for _, files := range changes {
		time.Sleep(3 * time.Millisecond) // the server dates exactly, and minio-go reads milliseconds
		must(t, put(t.Context(), b, files))
		snapshot := fetch(t, newSource(t, options(b)), source.Revision{})
		states = append(states, historyState{time.Now(), snapshot.Revision, historyContent(t, snapshot)})
	}
	return states
}

func TestHistoryOnAServer(t *testing.T) {
	b := newHistoryBucket(t)
	states := live(t, b, []map[string][]byte{
		{"a": []byte("1"), "dir/b": []byte("1"), "ü +%&<": []byte("1"), "x.md": []byte("1"), ".sourceignore": []byte("*.md")},
		{"a": []byte("2"), "dir/b": nil},
		{".sourceignore": []byte("dir")},
		{"dir/b": []byte("2"), "a": nil},
		{".sourceignore": nil, "a": []byte("3")},
		{"a": nil, "ü +%&<": []byte("2")},
	}...)
	for i, state := range states {
		opts := options(b)
		opts.AsOf = state.at
		snapshot := fetch(t, newSource(t, opts), source.Revision{})
		if got := historyContent(t, snapshot); snapshot.Revision != state.revision || !maps.Equal(got, state.files) {
			t.Errorf("as of state %d: got %v %v, want %v", i, snapshot.Revision, got, state)
		}
	}
	last := states[len(states)-1]
	whole, err := newSource(t, options(b)).History(t.Context(), 0)
	if err != nil || len(whole) != 1 || whole[0].Revision != last.revision || whole[0].Began.After(states[0].at) {
		t.Errorf("got %v, %v, want one change", whole, err)
	}
	opts := options(b)
	opts.Before, opts.ChangeGap = states[2].revision, -1
	s := newSource(t, opts)
	if got := fetch(t, s, source.Revision{}); got.Revision != states[1].revision || read(t, got, "a") != "2" {
		t.Errorf("got %v, want %v", got.Revision, states[1])
	}
	changes, err := s.History(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, state := range states {
		if !slices.ContainsFunc(changes, func(c bucket.Change) bool { return c.Revision == state.revision }) {
			t.Errorf("got %v, want state %d among them, %v", changes, i, state)
		}
	}
}

func TestHistoryCostsOneListingAndWhatIsNew(t *testing.T) {
	b := newHistoryBucket(t)
	files := make(map[string][]byte)
	for i := range 20 {
		files[fmt.Sprintf("f/%03d", i)] = fmt.Append(nil, i)
	}
	states := live(t, b, files, map[string][]byte{"f/007": nil, "f/008": []byte("new"), ".sourceignore": []byte("f/009")})
	recorder := &testbed.Recorder{}
	opts := options(b)
	opts.Transport, opts.AsOf = recorder, states[0].at
	s := newSource(t, opts)
	expect := func(when string, gets int) {
		t.Helper()
		lines := recorder.Take()
		l, g := testbed.Count(lines, "GET /"+b.Name+"/?"), testbed.Count(lines, "GET /"+b.Name+"/f/")
		if l != 1 || len(lines) != l+gets || g < gets-1 || !strings.Contains(lines[0], "versions=") {
			t.Errorf("%s: got %d LISTs, %d GETs of files, %d requests: %q", when, l, g, len(lines), lines[:min(len(lines), 3)])
		}
	}
	first := fetch(t, s, source.Revision{})
	expect("first", 20)
	if _, err := s.Fetch(t.Context(), first.Revision); err != source.ErrNotModified {
		t.Errorf("got %v", err)
	}
	expect("known", 0)
	fetch(t, s, source.Revision{})
	expect("again", 0)
	changes, err := s.History(t.Context(), 0)
	if err != nil || len(changes) != 1 || changes[0].Revision != states[1].revision {
		t.Errorf("got %v, %v", changes, err)
	}
	expect("history, with an ignore file that is new", 1)
	if _, err := s.History(t.Context(), 0); err != nil {
		t.Error(err)
	}
	expect("history again", 0)
}

func TestHistoryWhereAServerDidNotKeepVersions(t *testing.T) {
	b := testbed.MinIO(t)
	states := live(t, b, map[string][]byte{"a": []byte("1"), "b": []byte("1")})
	wrong := new(bucket.HistoryError)
	_, err := newSource(t, options(b)).History(t.Context(), 0)
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "turn it on") {
		t.Errorf("got %v", err)
	}
	must(t, b.Client.EnableVersioning(t.Context(), b.Name))
	states = append(states, live(t, b, map[string][]byte{"a": []byte("2")}, map[string][]byte{"b": nil})...)
	tell := func(states []historyState, told ...bool) {
		t.Helper()
		for i, state := range states {
			opts := options(b)
			opts.AsOf = state.at
			snapshot, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			if told[i] && (err != nil || snapshot.Revision != state.revision) || !told[i] && !errors.As(err, &wrong) {
				t.Errorf("state %d of %d: got %v, %v", i, len(states), snapshot, err)
			}
		}
	}
	tell(states, false, true, true)
	must(t, b.Client.SuspendVersioning(t.Context(), b.Name))
	states = append(states, live(t, b, map[string][]byte{"c": []byte("1")}, map[string][]byte{"c": []byte("2")})...)
	tell(states, false, false, false, false, true)
}

// A versionPage is an answer to a listing of versions.
type versionPage struct {
	XMLName             xml.Name `xml:"ListVersionsResult"`
	IsTruncated         bool
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIdMarker string `xml:",omitempty"`
	Version             []listedVersion
	DeleteMarker        []listedVersion // after all else, as some servers have them
}

type listedVersion struct {
	Key, VersionId, LastModified, ETag string
	IsLatest                           bool
	Size                               int
}

// versionPages serves that many versions of one key, a tenth of them deletions.
func versionPages(count int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := 0
		if marker := r.URL.Query().Get("version-id-marker"); marker != "" {
			_, _ = fmt.Sscanf(marker, "v%d", &start)
		}
		page := versionPage{IsTruncated: start+1000 < count}
		for i := start; i < min(start+1000, count); i++ {
			v := listedVersion{Key: "a", VersionId: fmt.Sprint("v", i+1), IsLatest: i == 0, ETag: fmt.Sprint(i % 7), Size: 1}
			v.LastModified = time.Date(2024, 5, 1, 10, 0, -i*60, 0, time.UTC).Format(time.RFC3339)
			if i%10 == 1 {
				page.DeleteMarker = append(page.DeleteMarker, v)
			} else {
				page.Version = append(page.Version, v)
			}
			page.NextKeyMarker, page.NextVersionIdMarker = v.Key, v.VersionId
		}
		_ = xml.NewEncoder(w).Encode(page)
	})
}

func TestHistoryCostsOneListingForEachThousandVersions(t *testing.T) {
	server := httptest.NewServer(versionPages(2500))
	defer server.Close()
	recorder := &testbed.Recorder{}
	s := newSource(t, bucket.Options{Endpoint: server.URL, Bucket: "versions", Transport: recorder})
	changes, err := s.History(t.Context(), 0)
	if err != nil || len(changes) != 2500 {
		t.Errorf("got %d changes, %v", len(changes), err)
	}
	for i, change := range changes {
		if change.Keys[0].Deleted != (i%10 == 1) {
			t.Fatalf("change %d: got %+v", i, change)
		}
	}
	if lines := recorder.Take(); len(lines) != 3 {
		t.Errorf("got %d requests: %q", len(lines), lines)
	}
}
