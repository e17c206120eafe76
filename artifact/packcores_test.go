package artifact_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// What sample is too small for: many blocks, of text and of noise, packed by
// encoders that have packed other blocks before.
var manyBlocksGolden = map[artifact.Compression]map[artifact.Level]digest.Digest{
	artifact.Gzip: {
		artifact.LevelDefault: "sha256:5d302b1815be918de36a6b93adcb489338675dfe9b7752307887f1aa9dcb0f27",
		artifact.LevelFastest: "sha256:ac3ad91c6e353937bbe7cb09ea7e537b927f85e05feca5096b5def650dfbb073",
		artifact.LevelBest:    "sha256:e3558b80871cef142fb8307c0a456bbf3bb14f4845183d7d5c15969bd5f1cc71",
	},
	artifact.Zstd: {
		artifact.LevelDefault: "sha256:62b27ee0b44dc51e96eb55ebc9bd6d64b2ee8c6cf665ffc5c2130000f6102328",
		artifact.LevelFastest: "sha256:62b27ee0b44dc51e96eb55ebc9bd6d64b2ee8c6cf665ffc5c2130000f6102328",
		artifact.LevelBest:    "sha256:bafa760338635b68fd45675066933b6388b5203b1611f1db737b76f0cf8ddb52",
	},
}

func TestPackOfManyBlocksGivesTheGoldenDigestsOnAnyNumberOfCores(t *testing.T) {
	tree := manyBlocks()
	for c, levels := range manyBlocksGolden {
		for level, want := range levels {
			for _, cores := range []int{1, 2, 7} {
				_, d := pack(t, tree, artifact.PackOptions{Compression: c, Level: level, Concurrency: cores})
				if d.Digest != want {
					t.Errorf("%v, level %v, %d cores: digest is %s, was %s", c, level, cores, d.Digest, want)
				}
			}
		}
	}
}

// manyBlocks is a tree of 7 blocks of zstd and of 28 of gzip, of small files and of
// some that are larger than a block.
func manyBlocks() fstest.MapFS {
	var text strings.Builder
	tree := manifests(60)
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		text.Write(tree[name].Data)
	}
	for i := range 40 {
		tree[fmt.Sprintf("apps/all-%d.yaml", i)] = file(strings.ReplaceAll(text.String(), "team", fmt.Sprint("crew", i*i)))
	}
	tree["apps/team-3/noise"] = file(noise(2 << 20))
	tree["apps/team-3/zeros"] = file(string(make([]byte, 3<<20)))
	return tree
}

// exclusive counts uses of a tree, and those that began while another went on.
type exclusive struct {
	fs.ReadLinkFS
	inside, opened, overlaps atomic.Int64
	onOpen                   func(n int64)
	broken                   string // what cannot be opened
}

func (x *exclusive) use() func() {
	if x.inside.Add(1) > 1 {
		x.overlaps.Add(1)
	}
	return func() { x.inside.Add(-1) }
}

func (x *exclusive) Open(name string) (fs.File, error) {
	defer x.use()()
	if n := x.opened.Add(1); x.onOpen != nil {
		x.onOpen(n)
	}
	if name == x.broken {
		return nil, fs.ErrPermission
	}
	f, err := x.ReadLinkFS.Open(name)
	return exclusiveFile{f, x}, err
}

func (x *exclusive) ReadDir(name string) ([]fs.DirEntry, error) {
	defer x.use()()
	return fs.ReadDir(x.ReadLinkFS, name)
}

func (x *exclusive) ReadLink(name string) (string, error) {
	defer x.use()()
	return x.ReadLinkFS.ReadLink(name)
}

type exclusiveFile struct {
	fs.File
	x *exclusive
}

func (f exclusiveFile) Read(p []byte) (int, error) {
	defer f.x.use()()
	return f.File.Read(p)
}

func (f exclusiveFile) Stat() (fs.FileInfo, error) {
	defer f.x.use()()
	return f.File.Stat()
}

func (f exclusiveFile) Close() error {
	defer f.x.use()()
	return f.File.Close()
}

func TestPackOnOneCoreUsesTheTreeFromOneGoroutineAtATime(t *testing.T) {
	tree := manyBlocks()
	tree["apps/link"] = link("all-1.yaml")
	for _, c := range compressions {
		x := &exclusive{ReadLinkFS: tree}
		pack(t, x, artifact.PackOptions{Compression: c, Concurrency: 1})
		if x.overlaps.Load() > 0 || x.opened.Load() == 0 {
			t.Errorf("%v: %d uses of %d files overlap", c, x.overlaps.Load(), x.opened.Load())
		}
	}
}

// What is read ahead when it ends is a few files for each core, not the tree.
func TestPackReadsNoFurtherOnceItIsToStop(t *testing.T) {
	tree := manifests(200)
	for _, cores := range []int{1, 4} {
		ctx, cancel := context.WithCancel(t.Context())
		x := &exclusive{ReadLinkFS: tree, onOpen: func(n int64) {
			if n == 10 {
				cancel()
			}
		}}
		_, err := artifact.Pack(ctx, io.Discard, x, artifact.PackOptions{Concurrency: cores})
		if n := x.opened.Load(); !errors.Is(err, context.Canceled) || n > 30 {
			t.Errorf("%d cores: %d files were opened, and the error is %v", cores, n, err)
		}
		x = &exclusive{ReadLinkFS: tree, broken: "apps/team-0/app-0/deployment.yaml"}
		_, err = artifact.Pack(t.Context(), io.Discard, x, artifact.PackOptions{Concurrency: cores})
		wantError(t, err, fs.ErrPermission, x.broken)
		if n := x.opened.Load(); n > 400 {
			t.Errorf("%d cores: %d files of 600 were opened after an error", cores, n)
		}
	}
}

// Of two errors, the one that comes first in the archive is returned, even if a
// reader came upon the other before it.
func TestPackReturnsTheFirstErrorOfTheArchive(t *testing.T) {
	tree := manifests(100)
	tree["apps/team-0/app-0/deployment.yaml"].Data = make([]byte, 1<<20)
	tree["apps/team-1/app-1/pipe"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	opts := limits(artifact.Limits{MaxFileBytes: 1<<20 - 1})
	for _, cores := range []int{1, 2, 4, 8} {
		opts.Concurrency = cores
		_, err := artifact.Pack(t.Context(), io.Discard, tree, opts)
		wantError(t, err, artifact.ErrTooLarge, "apps/team-0/app-0/deployment.yaml")
	}
}

func TestPackPanicsWhereItsCallerCanRecover(t *testing.T) {
	for _, name := range []string{"app.yaml", "bin"} {
		broken := patched{sample(), name, func() (fs.File, error) { panic("broken tree: " + name) }}
		func() {
			defer func() {
				if v := recover(); v != "broken tree: "+name {
					t.Errorf("%s: recovered %v", name, v)
				}
			}()
			_, err := artifact.Pack(t.Context(), io.Discard, broken, artifact.PackOptions{})
			t.Errorf("%s: no panic, and the error is %v", name, err)
		}()
	}
}
