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
		artifact.LevelDefault: "sha256:e68e40fd849d54d248d94e6d07738877f7f542b06edc98814abc4c73336b7d2e",
		artifact.LevelFastest: "sha256:7be32f7edf95f02d4c24c5da5b919c5a37e3b34eb5587e09423cbc8e58757000",
		artifact.LevelBest:    "sha256:81aaad58df498690e9756f7dd1d71f63c1349b9bec6a1572178881452cc1424d",
	},
	artifact.Zstd: {
		artifact.LevelDefault: "sha256:7ee0bd3aca061fddfffbd11319e625ab67b507fdf17bbf3bfca175180e7a8cb2",
		artifact.LevelFastest: "sha256:7ee0bd3aca061fddfffbd11319e625ab67b507fdf17bbf3bfca175180e7a8cb2",
		artifact.LevelBest:    "sha256:ed02c4a5438816038528314e96048070b91202fc2edfa7c2d9ed1d0723ecf55d",
	},
}

func TestPackOfManyBlocksGivesTheGoldenDigestsOnAnyNumberOfCores(t *testing.T) {
	tree := manyBlocks()
	for c, levels := range manyBlocksGolden {
		for level, want := range levels {
			for _, cores := range []int{1, 3} {
				_, d := pack(t, tree, artifact.PackOptions{Compression: c, Level: level, Concurrency: cores})
				if d.Digest != want {
					t.Errorf("%v, level %v, %d cores: digest is %s, was %s", c, level, cores, d.Digest, want)
				}
			}
		}
	}
}

// manyBlocks is a tree of several blocks of zstd and of many of gzip, with small
// files and some that are too large to be read ahead.
func manyBlocks() fstest.MapFS {
	var text strings.Builder
	tree := manifests(60)
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		text.Write(tree[name].Data)
	}
	for i := range 14 {
		tree[fmt.Sprintf("apps/all-%d.yaml", i)] = file(strings.ReplaceAll(text.String(), "team", fmt.Sprint("crew", i*i)))
	}
	tree["apps/team-3/noise"] = file(noise(1 << 20))
	tree["apps/team-3/zeros"] = file(string(make([]byte, 1<<20)))
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
