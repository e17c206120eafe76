package sourcetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/sourcetest"
)

// A memory is an origin in memory, and right, unless flaws make a Source of it wrong.
type memory struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (m *memory) write(_ context.Context, files map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, body := range files {
		m.files[name] = bytes.Clone(body)
		if body == nil {
			delete(m.files, name)
		}
	}
	return nil
}

func (m *memory) snapshot() (*source.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tree := source.NewTree(source.Limits{})
	var listing strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		if err := tree.AddFile(name, false, m.files[name]); err != nil {
			return nil, err
		}
		fmt.Fprintf(&listing, "%q %x\n", name, m.files[name])
	}
	return tree.Snapshot(source.Revision{Name: "memory", Digest: digest.FromString(listing.String())}), nil
}

func (m *memory) fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	snapshot, err := m.snapshot()
	if err == nil && known.Current(snapshot.Revision) {
		return nil, source.ErrNotModified
	}
	return snapshot, err
}

// A flaw makes a wrong Source out of a right one.
type flaw func(m *memory, right source.Func) source.Func

func check(t *testing.T, f flaw) error {
	return sourcetest.Check(t.Context(), func() (sourcetest.Origin, error) {
		m := &memory{files: make(map[string][]byte)}
		// All Sources of one origin share what is wrong with them.
		wrong := f(m, m.fetch)
		return sourcetest.Origin{New: func() (source.Source, error) { return wrong, nil }, Write: m.write}, nil
	})
}

func TestCheckPassesWhatIsRight(t *testing.T) {
	if err := check(t, func(_ *memory, right source.Func) source.Func { return right }); err != nil {
		t.Error(err)
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		flaw flaw
		want string // the check that has to find it
	}{
		"never not modified": {func(m *memory, right source.Func) source.Func {
			return func(ctx context.Context, _ source.Revision) (*source.Snapshot, error) {
				return right(ctx, source.Revision{})
			}
		}, "KnownRevisionIsNotModified"},
		"always not modified": {func(m *memory, right source.Func) source.Func {
			return func(context.Context, source.Revision) (*source.Snapshot, error) { return nil, source.ErrNotModified }
		}, "ContentIsWhatWasWritten"},
		"any known revision is current": {func(m *memory, right source.Func) source.Func {
			return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
				if !known.IsZero() {
					return nil, source.ErrNotModified
				}
				return right(ctx, known)
			}
		}, "UnknownRevisionIsFetched"},
		"stale": {stale, "ChangeIsSeen"},
		"a snapshot and an error": {func(m *memory, right source.Func) source.Func {
			return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
				s, _ := m.snapshot()
				return s, fs.ErrInvalid
			}
		}, "gives both"},
		"neither": {func(m *memory, right source.Func) source.Func {
			return func(context.Context, source.Revision) (*source.Snapshot, error) { return nil, nil }
		}, "neither"},
		"a file lost":     {altered(func(files fstest.MapFS) { delete(files, "a.yaml") }), `"a.yaml" was written and is not there`},
		"a file too many": {altered(func(files fstest.MapFS) { files["extra"] = &fstest.MapFile{} }), `"extra" is there`},
		"content cut":     {altered(func(files fstest.MapFS) { cut(files["a.yaml"]) }), `"a.yaml" has`},
		"live view":       {live, "SnapshotOutlivesLaterFetch"},
		"shared memory":   {shared, "SnapshotIsImmutable"},
		"no close": {func(m *memory, right source.Func) source.Func {
			return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
				s, err := right(ctx, known)
				if err == nil {
					s = &source.Snapshot{FS: inner{s}, Revision: s.Revision}
				}
				return s, err
			}
		}, "CloseEndsTheSnapshot"},
		"one snapshot for all": {one, "CloseLeavesOtherSnapshots"},
		"no digest":            {renamed(source.Revision{Name: "x"}), "has no digest"},
		"odd digest":           {renamed(source.Revision{Name: "x", Digest: "md5:00"}), "RevisionIsText"},
		"random revision":      {random, "RevisionIsOfTheContent"},
		"deaf": {func(m *memory, right source.Func) source.Func {
			return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
				return right(context.WithoutCancel(ctx), known)
			}
		}, "EndedContextIsHeeded"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := check(t, tt.flaw); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestCheckTellsWhyAnOriginIsMissing(t *testing.T) {
	err := sourcetest.Check(t.Context(), func() (sourcetest.Origin, error) { return sourcetest.Origin{}, fs.ErrPermission })
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}
