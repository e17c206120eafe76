package artifact

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// Open reads the artifact in r into memory, if it is the one that want names,
// and returns its tree. Size, digest and content digest are verified, and r must
// end where the artifact ends. Open reads r to its end and does not close it.
//
// The tree is immutable and may be used by many goroutines. It also is an
// [fs.ReadDirFS], [fs.StatFS], [fs.ReadFileFS] and [fs.ReadLinkFS]. Open, Stat,
// ReadFile and ReadDir follow symbolic links, inside the tree and at most 40 for
// one name. Times are zero. Packing it gives the ContentDigest of any artifact
// that Pack made of the same tree.
//
// Errors are ErrDigest if the bytes are not those of want, ErrFormat if they are
// and are no artifact, ErrUnsafe, ErrTooLarge, ctx.Err(), and what r returns.
//
// With UnpackOptions.Spool the content is on disk and not in memory, and the tree
// is an [io.Closer] too.
func Open(ctx context.Context, r io.Reader, want Descriptor, opts UnpackOptions) (fs.FS, error) {
	if opts.Spool != nil {
		return openSpooled(ctx, r, want, opts)
	}
	m := newMemory()
	if err := scan(ctx, "open", r, want, opts, &m); err != nil {
		return nil, err
	}
	return newTree(m.nodes), nil
}

func openSpooled(ctx context.Context, r io.Reader, want Descriptor, opts UnpackOptions) (tree fs.FS, err error) {
	s, err := newSpool(opts.Spool)
	if err != nil {
		return nil, in("open", "", err)
	}
	defer func() {
		if tree != nil {
			return
		}
		if left := s.Close(); left != nil {
			err = errors.Join(err, in("open", "", left))
		}
	}()
	if err := scan(ctx, "open", r, want, opts, s); err != nil {
		return nil, err
	}
	if err := s.buffer.Flush(); err != nil {
		return nil, in("open", "", err)
	}
	s.buffer = nil
	return &spooledTree{newTree(s.nodes), s}, nil
}

// A memory is the sink of Open.
type memory struct {
	nodes map[string]*node // files and links by path
}

func newMemory() memory { return memory{nodes: make(map[string]*node)} }

func (m *memory) file(name string, executable bool, size int64, r io.Reader) error {
	// size is no more than Limits allow, and the last that is believed if it is
	// a lie.
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	m.nodes[name] = &node{mode: fileMode(executable), data: data}
	return nil
}

func fileMode(executable bool) fs.FileMode {
	if executable {
		return 0o755
	}
	return 0o644
}

func (m *memory) link(name, target string) error {
	m.nodes[name] = &node{mode: fs.ModeSymlink | 0o777, target: target}
	return nil
}

// again shares the node, which knows no name and does not change.
func (m *memory) again(name, earlier string) error {
	m.nodes[name] = m.nodes[earlier]
	return nil
}
