package artifact

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// PackOptions say how Pack packs. The zero value is gzip and the default
// limits.
type PackOptions struct {
	// Compression is how the archive is compressed. Default: Gzip.
	Compression Compression
	// Limits bound the tree.
	Limits Limits
}

// Pack writes the tree of fsys to w as an artifact and returns its Descriptor.
// The same tree gives the same bytes: see the package comment for what counts
// as the same.
//
// Symbolic links need an fsys that is an [fs.ReadLinkFS]; without, one is an
// error that wraps [errors.ErrUnsupported]. Other errors are ErrUnsafe for an
// entry that an artifact may not hold, ErrChanged for a file that grew or
// shrank, ErrTooLarge for a limit, ctx.Err(), and what fsys and w return. After
// an error, what w was given is no artifact.
//
// Memory is taken for the tree's names, not for its content.
func Pack(ctx context.Context, w io.Writer, fsys fs.FS, opts PackOptions) (Descriptor, error) {
	p, err := newPacker(ctx, w, fsys, opts)
	if err != nil {
		return Descriptor{}, in("pack", "", err)
	}
	if err := p.pack(); err != nil {
		if p.packed.err != nil && ctx.Err() == nil {
			// The entry at hand has no part in what went wrong at w.
			err = &Error{Op: "pack", Err: fmt.Errorf("write: %w", p.packed.err)}
		}
		return Descriptor{}, in("pack", "", err)
	}
	return Descriptor{
		MediaType:     opts.Compression.mediaType(),
		Digest:        p.packed.digest(),
		Size:          p.packed.n,
		ContentDigest: p.content.digest(),
		ContentSize:   p.content.n,
		Files:         p.layout.files,
	}, nil
}

// A packer is one call of Pack. Entries go from tar through content, which
// hashes the archive, to compress, and through buffer and packed, which hashes
// the artifact, to the caller's writer.
type packer struct {
	ctx    context.Context
	fsys   fs.FS
	links  fs.ReadLinkFS // fsys, or nil
	layout *layout

	tar      *tar.Writer
	content  *gauge
	compress io.WriteCloser
	buffer   *bufio.Writer // the gzip encoder writes some 250 bytes at a time
	packed   *gauge
	block    []byte
}

const blockSize = 64 << 10

func newPacker(ctx context.Context, w io.Writer, fsys fs.FS, opts PackOptions) (*packer, error) {
	limits := opts.Limits.withDefaults()
	p := &packer{ctx: ctx, fsys: fsys, layout: newLayout(limits), block: make([]byte, blockSize)}
	p.links, _ = fsys.(fs.ReadLinkFS)
	p.packed = newGauge(ctx, w, limits.packedMax(), limits.tooManyBytes())
	p.buffer = bufio.NewWriterSize(p.packed, blockSize)
	compress, err := opts.Compression.compressor(p.buffer)
	if err != nil {
		return nil, err
	}
	p.compress = compress
	p.content = newGauge(ctx, compress, limits.MaxBytes, limits.tooManyBytes())
	p.tar = tar.NewWriter(p.content)
	return p, nil
}

func (p *packer) pack() error {
	if err := p.folder("."); err != nil {
		return err
	}
	if err := p.layout.settle(p.ctx, "pack"); err != nil {
		return err
	}
	if err := p.tar.Close(); err != nil {
		return err
	}
	if err := p.compress.Close(); err != nil {
		return err
	}
	return p.buffer.Flush()
}

func (p *packer) file(name string) error {
	f, err := p.fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: listed as a file, opened as %v", ErrChanged, info.Mode())
	}
	size := info.Size()
	if err := p.layout.file(name, size); err != nil {
		return err
	}
	if size > p.content.max-p.content.n {
		return p.content.over
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := p.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: mode}); err != nil {
		return err
	}
	return p.copy(f, size)
}

func (p *packer) link(name string) error {
	if p.links == nil {
		return fmt.Errorf("symbolic link, and %T is no fs.ReadLinkFS: %w", p.fsys, errors.ErrUnsupported)
	}
	target, err := p.links.ReadLink(name)
	if err != nil {
		return err
	}
	if err := p.layout.link(name, target); err != nil {
		return err
	}
	return p.header(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
}

// header leaves all that is not set here to zero, and the format to the tar
// writer: USTAR, and PAX where a name or size needs it.
func (p *packer) header(h tar.Header) error {
	h.ModTime = time.Unix(0, 0)
	return p.tar.WriteHeader(&h)
}

// copy copies size bytes, and makes sure that there are no more.
func (p *packer) copy(f fs.File, size int64) error {
	for left := size; left > 0; {
		block := p.block[:min(left, blockSize)]
		n, err := io.ReadFull(f, block)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return fmt.Errorf("%w: shrank from %d to %d bytes", ErrChanged, size, size-left+int64(n))
		}
		if err != nil {
			return err
		}
		if _, err := p.tar.Write(block); err != nil {
			return err
		}
		left -= int64(n)
	}
	switch _, err := io.ReadFull(f, p.block[:1]); err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("%w: grew from %d bytes", ErrChanged, size)
	default:
		return err
	}
}
