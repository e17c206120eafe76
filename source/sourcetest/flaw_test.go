package sourcetest_test

import (
	"context"
	"fmt"
	"io/fs"
	"sync/atomic"
	"testing/fstest"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
)

// stale keeps giving the first content under the revision of the newest.
func stale(_ *memory, right source.Func) source.Func {
	var first atomic.Pointer[source.Snapshot]
	return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
		s, err := right(ctx, known)
		if err != nil {
			return nil, err
		}
		first.CompareAndSwap(nil, s)
		return source.NewSnapshot(inner{first.Load()}, s.Revision), nil
	}
}

// altered changes what is fetched.
func altered(change func(fstest.MapFS)) flaw {
	return func(m *memory, right source.Func) source.Func {
		return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
			s, err := right(ctx, known)
			if err != nil {
				return nil, err
			}
			files := fstest.MapFS{}
			for name, body := range m.files {
				files[name] = &fstest.MapFile{Data: body}
			}
			change(files)
			return source.NewSnapshot(files, s.Revision), nil
		}
	}
}

func cut(file *fstest.MapFile) {
	if file != nil {
		file.Data = file.Data[:1]
	}
}

// live shows the origin as it is when somebody looks.
func live(m *memory, right source.Func) source.Func {
	return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
		s, err := right(ctx, known)
		if err != nil {
			return nil, err
		}
		return source.NewSnapshot(window{m}, s.Revision), nil
	}
}

type window struct{ *memory }

func (w window) Open(name string) (fs.File, error) {
	s, err := w.snapshot()
	if err != nil {
		return nil, err
	}
	return s.Open(name)
}

// shared gives every reader the same bytes.
func shared(m *memory, right source.Func) source.Func {
	return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
		s, err := right(ctx, known)
		if err != nil {
			return nil, err
		}
		return source.NewSnapshot(careless{s.FS, m}, s.Revision), nil
	}
}

type careless struct {
	fs.FS
	memory *memory
}

func (c careless) ReadFile(name string) ([]byte, error) { return c.memory.files[name], nil }

// one is the same snapshot for everyone who fetches.
func one(_ *memory, right source.Func) source.Func {
	var last atomic.Pointer[source.Snapshot]
	return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
		s, err := right(ctx, known)
		if err != nil {
			return nil, err
		}
		if kept := last.Load(); kept != nil && kept.Revision == s.Revision {
			return kept, nil
		}
		last.Store(s)
		return s, nil
	}
}

func renamed(revision source.Revision) flaw {
	return func(_ *memory, right source.Func) source.Func {
		return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
			s, err := right(ctx, known)
			if err == nil {
				s.Revision = revision
			}
			return s, err
		}
	}
}

func random(_ *memory, right source.Func) source.Func {
	var count atomic.Int64
	return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
		s, err := right(ctx, known)
		if err == nil {
			s.Revision.Digest = digest.FromString(fmt.Sprint(count.Add(1)))
		}
		return s, err
	}
}

// inner hides a snapshot's Close from those who look for it.
type inner struct{ fs.FS }
