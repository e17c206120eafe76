package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// historyOf tells each change as its time in seconds after start and its keys, those that went with a minus.
func historyOf(t *testing.T, s *bucket.Source, start time.Time) []string {
	t.Helper()
	changes, err := s.History(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, change := range changes {
		line := fmt.Sprintf("%v-%v:", change.Began.Sub(start).Seconds(), change.Time.Sub(start).Seconds())
		for _, key := range change.Keys {
			line += map[bool]string{true: " -", false: " "}[key.Deleted] + key.Key
		}
		lines = append(lines, line)
	}
	return lines
}

func wantHistory(t *testing.T, h *historyStore, start time.Time, change func(*bucket.Options), want ...string) {
	t.Helper()
	if got := historyOf(t, h.source(t, change), start); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestHistoryTakesAnUploadForOneChange(t *testing.T) {
	h := newHistoryStore()
	start := h.now
	h.write("a", "1", "b", "1")
	before := recordHistory(t, h, h.source(t, nil))
	var uploading []historyState
	h.after(time.Hour)
	for _, key := range []string{"a", "c", "d"} {
		h.after(4*time.Second).write(key, "2")
		uploading = append(uploading, recordHistory(t, h, h.source(t, nil)))
	}
	h.after(time.Second).write("b", "")
	uploading = append(uploading, recordHistory(t, h, h.source(t, nil)))

	wantHistory(t, h, start, nil, "3604-3613: a -b c d", "0-0: a b")
	wantHistory(t, h, start, func(o *bucket.Options) { o.ChangeGap = -1 },
		"3613-3613: -b", "3612-3612: d", "3608-3608: c", "3604-3604: a", "0-0: a b")
	for i, state := range uploading {
		snapshot := fetch(t, h.source(t, func(o *bucket.Options) { o.Before = state.revision }), source.Revision{})
		if snapshot.Revision != before.revision || read(t, snapshot, "b") != "1" {
			t.Errorf("before state %d of the upload: got %v, want %v", i, historyContent(t, snapshot), before.files)
		}
	}
	alone := h.source(t, func(o *bucket.Options) { o.Before, o.ChangeGap = uploading[1].revision, -1 })
	if got := fetch(t, alone, source.Revision{}).Revision; got != uploading[0].revision {
		t.Errorf("without a gap: got %s, want the state in the middle, %s", got, uploading[0].revision)
	}
}

func TestHistoryLeavesOutWhatMadeNoDifference(t *testing.T) {
	h := newHistoryStore()
	start := h.now
	h.write(".sourceignore", "*.log\n", "a", "1", "b.md", "1")
	for range 10 {
		h.after(4*time.Second).write("x.log", fmt.Sprint(h.now), "a", "1")
	}
	h.after(4*time.Second).write("a", "2")
	h.after(time.Minute).write("a", "3")
	h.after(time.Second).write("a", "2")
	h.after(time.Minute).write(".sourceignore", "*.log\n# noted\n")
	h.after(time.Minute).write(".sourceignore", "*.log\n*.md\n")
	h.after(time.Minute).write("b.md", "2")
	wantHistory(t, h, start, nil, "225-225: .sourceignore -b.md", "44-44: a", "0-0: .sourceignore a b.md")
	h.took()
	if changes, err := h.source(t, nil).History(t.Context(), 1); err != nil || len(changes) != 1 {
		t.Errorf("got %v, %v", changes, err)
	}
	if lists, gets := h.took(); lists != 1 || gets > 2 {
		t.Errorf("the last change: got %d listings and %d reads", lists, gets)
	}
}

func TestHistoryOfOneSecond(t *testing.T) {
	h := newHistoryStore()
	h.tick = time.Second
	start := h.now
	h.write("a", "1", "b", "1")
	h.after(59*time.Second + 200*time.Millisecond)
	for _, body := range []string{"2", "3", "", "4"} {
		h.after(100*time.Millisecond).write("a", body)
	}
	for at, want := range map[time.Duration]string{
		time.Minute - 1: "1", 59 * time.Second: "4", 59*time.Second - 1: "1", 0: "1", time.Hour: "4",
	} {
		if want == "1" && at > 59*time.Second {
			want = "4" // the store tells whole seconds, and what happened in one is dated at its start
		}
		snapshot := fetch(t, h.source(t, func(o *bucket.Options) { o.AsOf = start.Add(at) }), source.Revision{})
		if got := read(t, snapshot, "a"); got != want {
			t.Errorf("as of %s: got %q, want %q", at, got, want)
		}
	}
	wantHistory(t, h, start, func(o *bucket.Options) { o.ChangeGap = -1 }, "59-59: a", "0-0: a b")
}

func TestHistoryBelievesTheStoreOnWhatIsLatest(t *testing.T) {
	for name, tt := range map[string]struct {
		apart  bool
		second time.Duration // from the first write to the second
		bodies []string
		files  map[string]string
	}{
		"deleted within a second, listed apart": {true, 0, []string{"1", ""}, map[string]string{"z": "1"}},
		"back within a second, listed apart":    {true, 0, []string{"", "2"}, map[string]string{"a": "2", "z": "1"}},
		"the clock was set back":                {false, -time.Hour, []string{"1", "2"}, map[string]string{"a": "2", "z": "1"}},
	} {
		h := newHistoryStore()
		h.apart = tt.apart
		h.write("z", "1", "a", tt.bodies[0])
		h.after(tt.second).write("a", tt.bodies[1])
		present := recordHistory(t, h, h.source(t, nil))
		got := recordHistory(t, h, h.source(t, func(o *bucket.Options) { o.AsOf = h.now.Add(24 * time.Hour) }))
		changes, err := h.source(t, nil).History(t.Context(), 1)
		if err != nil || got.revision != present.revision || changes[0].Revision != present.revision ||
			!maps.Equal(got.files, tt.files) {
			t.Errorf("%s: got %v, %v, %v, want %v", name, got, changes, err, present)
		}
	}
}

// historyWrong fetches what history does not tell.
func historyWrong(t *testing.T, h *historyStore, change func(*bucket.Options), texts ...string) *bucket.HistoryError {
	t.Helper()
	wrong := new(bucket.HistoryError)
	snapshot, err := h.source(t, change).Fetch(t.Context(), source.Revision{})
	if !errors.As(err, &wrong) || !errors.Is(err, source.ErrNotFound) {
		t.Fatalf("got %v, %v", snapshot, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %q, want %q in it", err, text)
		}
	}
	return wrong
}

func TestHistoryWithoutVersioning(t *testing.T) {
	h := newHistoryStore()
	h.mode = "off"
	h.write("a", "1", "gone", "1")
	now := recordHistory(t, h, h.source(t, nil))
	h.after(time.Minute).write("gone", "")
	off := recordHistory(t, h, h.source(t, nil))
	for _, at := range []time.Duration{-time.Hour, 0, time.Hour} {
		historyWrong(t, h, func(o *bucket.Options) { o.AsOf = h.now.Add(at) }, "turn it on")
	}
	historyWrong(t, h, func(o *bucket.Options) { o.Before = off.revision }, "turn it on")
	if changes, err := h.source(t, nil).History(t.Context(), 0); !errors.As(err, new(*bucket.HistoryError)) {
		t.Errorf("got %v, %v", changes, err)
	}

	h.mode = ""
	h.after(time.Minute).write("a", "2")
	on := recordHistory(t, h, h.source(t, nil))
	h.after(time.Minute).write("a", "3")
	wrong := historyWrong(t, h, func(o *bucket.Options) { o.AsOf = now.at }, "versioning turned on", "Options.AsOf with the Before")
	if !wrong.AsOf.Equal(now.at) || !wrong.Since.Equal(on.at) {
		t.Errorf("got %+v", wrong)
	}
	historyWrong(t, h, func(o *bucket.Options) { o.AsOf = off.at }, "versioning turned on")
	got := fetch(t, h.source(t, func(o *bucket.Options) { o.AsOf = on.at }), source.Revision{})
	if got.Revision != on.revision {
		t.Errorf("got %v, want %v", got.Revision, on)
	}
	got = fetch(t, h.source(t, func(o *bucket.Options) { o.Before = on.revision }), source.Revision{})
	if got.Revision != off.revision {
		t.Errorf("got %v, want what there was when versioning was turned on, %v", got.Revision, off)
	}
	historyWrong(t, h, func(o *bucket.Options) { o.Before = off.revision },
		`"a" was written at 2024-05-01T10:00:00Z with versioning off`, "of the oldest state")
	never := func(o *bucket.Options) { o.Before.Digest = "sha256:00" }
	if wrong = historyWrong(t, h, never, "looked at 3 states", "back to "+on.at.Format(time.RFC3339), "none of these has",
		"Options.Prefix, Ignore or NoIgnoreFiles", "with versioning off"); strings.Contains(wrong.Reason, "turn") {
		t.Errorf("versioning is on, and there is %q", wrong.Reason)
	}

	h.mode = "suspended"
	h.after(time.Minute).write("a", "4")
	h.after(time.Minute).write("a", "5")
	historyWrong(t, h, func(o *bucket.Options) { o.AsOf = on.at },
		`"a" was written at 2024-05-01T10:05:00Z with versioning suspended`, "leave it on")
	historyWrong(t, h, never, "looked at 1 state:", "none of these has", "suspended", "leave it on")
	h.mode = ""
	h.after(time.Minute).write("a", "6")
	if wrong = historyWrong(t, h, func(o *bucket.Options) { o.AsOf = on.at }, "suspended"); strings.Contains(wrong.Reason, "turn") {
		t.Errorf("versioning is on, and there is %q", wrong.Reason)
	}
}

func TestHistoryEnds(t *testing.T) {
	h := newHistoryStore()
	h.write("a", "1")
	first := recordHistory(t, h, h.source(t, nil))
	for i := range 6 {
		h.after(time.Hour).write("a", fmt.Sprint("then ", i))
	}
	last := recordHistory(t, h, h.source(t, nil))
	historyWrong(t, h, func(o *bucket.Options) { o.AsOf = first.at.Add(-1) }, "lifecycle", "2024-05-01T10:00:00Z")
	unknown := source.Revision{Digest: "sha256:" + source.Revision{}.Digest + "00"}
	wrong := historyWrong(t, h, func(o *bucket.Options) { o.Before = unknown },
		"looked at 8 states", "lifecycle", "NoIgnoreFiles")
	if wrong.Looked != 8 || wrong.Before != unknown || !wrong.Since.Equal(first.at) {
		t.Errorf("got %+v", wrong)
	}
	historyWrong(t, h, func(o *bucket.Options) { o.Before = first.revision }, "lifecycle")
	wrong = historyWrong(t, h, func(o *bucket.Options) { o.Before, o.MaxChanges = first.revision, 3 },
		"looked at 3 states", "Options.MaxChanges")
	if want := last.at.Add(-time.Hour); !wrong.Since.Equal(want) {
		t.Errorf("got %s, want %s", wrong.Since, want)
	}

	// What was emptied was no state that anybody fetched.
	h.after(time.Hour).write("a", "")
	h.after(time.Hour).write("b", "1")
	again := recordHistory(t, h, h.source(t, nil))
	got := fetch(t, h.source(t, func(o *bucket.Options) { o.Before = again.revision }), source.Revision{})
	if got.Revision != last.revision {
		t.Errorf("got %v, want %v", got.Revision, last)
	}
	historyWrong(t, h, func(o *bucket.Options) { o.AsOf = again.at.Add(-1) }, "no objects")
	none := h.source(t, func(o *bucket.Options) { o.Prefix = "none" })
	if _, err := none.History(t.Context(), 0); !errors.As(err, new(*bucket.HistoryError)) {
		t.Errorf("got %v", err)
	}
}

func TestHistoryIsHeldToLimits(t *testing.T) {
	h := newHistoryStore()
	h.write("a", "small")
	was := recordHistory(t, h, h.source(t, nil))
	h.after(time.Hour).write("a", strings.Repeat("large", 1000))
	large := recordHistory(t, h, h.source(t, nil))
	h.after(time.Hour).write("a", "small again")
	limit := func(change func(*bucket.Options)) func(*bucket.Options) {
		return func(o *bucket.Options) { o.Limits.MaxFileBytes = 100; change(o) }
	}
	wrong := new(source.LimitError)
	s := h.source(t, limit(func(o *bucket.Options) { o.AsOf = large.at }))
	if _, err := s.Fetch(t.Context(), source.Revision{}); !errors.As(err, &wrong) || wrong.Option != "Limits.MaxFileBytes" {
		t.Errorf("got %v", err)
	}
	s = h.source(t, limit(func(o *bucket.Options) { o.Before = large.revision }))
	if got := fetch(t, s, source.Revision{}); got.Revision != was.revision {
		t.Errorf("got %v, want %v", got.Revision, was)
	}
	s = h.source(t, func(o *bucket.Options) { o.AsOf, o.MaxKeys = large.at, 2 })
	if _, err := s.Fetch(t.Context(), source.Revision{}); !errors.As(err, &wrong) || wrong.Option != "Options.MaxKeys" {
		t.Errorf("got %v", err)
	}
	if _, err := s.History(t.Context(), 0); !errors.As(err, &wrong) || wrong.Option != "Options.MaxKeys" {
		t.Errorf("got %v", err)
	}
}

func TestHistoryListsAgainWhatWasRemovedForGood(t *testing.T) {
	h := newHistoryStore()
	h.write("a", "1", ".sourceignore", "x")                     // v1, v2
	h.after(time.Hour).write("a", "2", ".sourceignore", "y")    // v3, v4
	h.after(time.Hour).write("a", "3", ".sourceignore", "none") // v5, v6
	at := h.now.Add(-time.Hour)
	for _, key := range []string{"a", ".sourceignore"} {
		h.lost = func(o bucket.Object) bool {
			if o.Key == key && o.Modified.Equal(at) {
				h.expire(key, o.Version)
				return true
			}
			return false
		}
		h.took()
		snapshot := fetch(t, h.source(t, func(o *bucket.Options) { o.AsOf = at }), source.Revision{})
		if lists, _ := h.took(); lists < 2 {
			t.Errorf("%s: got %d listings", key, lists)
		}
		if key == "a" && read(t, snapshot, "a") != "1" {
			t.Errorf("got %v", historyContent(t, snapshot))
		}
	}
	h.lost = func(o bucket.Object) bool { return o.Key == ".sourceignore" }
	for what, err := range map[string]error{
		"History": func() error { _, err := h.source(t, nil).History(t.Context(), 0); return err }(),
		"Fetch":   func() error { _, err := h.source(t, nil).Fetch(t.Context(), source.Revision{}); return err }(),
	} {
		if !errors.Is(err, bucket.ErrMoved) || !errors.As(err, new(*source.TemporaryError)) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func TestHistoryWithoutIDs(t *testing.T) {
	h := newHistoryStore()
	h.write("a", "1")
	h.versions["a"][0].Version = ""
	if _, err := h.source(t, nil).History(t.Context(), 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestHistoryStopsWithItsContext(t *testing.T) {
	h := newHistoryStore()
	h.write("a", "1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.source(t, nil).History(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestHistoryOptions(t *testing.T) {
	revision := source.Revision{Digest: "sha256:0f"}
	for text, opts := range map[string]bucket.Options{
		"AsOf excludes Before": {AsOf: time.Unix(1, 0), Before: revision},
		"no bucket has":        {Before: source.Revision{Name: "main", Digest: revision.Digest}},
		"want sha256:hex":      {Before: source.Revision{Name: "main"}},
	} {
		opts.Driver = newHistoryStore()
		if _, err := bucket.New(opts); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
}
