package artifact

import (
	"context"
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
func Open(ctx context.Context, r io.Reader, want Descriptor, opts UnpackOptions) (fs.FS, error) {
	m := &memory{nodes: make(map[string]*node)}
	if err := scan(ctx, "open", r, want, opts, m); err != nil {
		return nil, err
	}
	return newTree(m.nodes), nil
}

// A memory is the sink of Open.
type memory struct {
	nodes map[string]*node // files and links by path
}

func (m *memory) file(name string, executable bool, size int64, r io.Reader) error {
	// size is no more than Limits allow, and the last that is believed if it is
	// a lie.
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	n := &node{mode: 0o644, data: data}
	if executable {
		n.mode = 0o755
	}
	m.nodes[name] = n
	return nil
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
