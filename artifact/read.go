package artifact

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A sink takes a tree's entries as they are read, before they are verified.
type sink interface {
	// file must read size bytes from r.
	file(name string, executable bool, size int64, r io.Reader) error
	link(name, target string) error
}

// scan reads the artifact from r into to. Only if it returns nil are the
// entries those of want.
func scan(ctx context.Context, op string, r io.Reader, want Descriptor, limits Limits, to sink) error {
	limits = limits.withDefaults()
	if err := want.check(); err != nil {
		return in(op, "", err)
	}
	if err := want.within(limits); err != nil {
		return in(op, "", err)
	}
	s := &stream{ctx: ctx, op: op, want: want, limits: limits, layout: newLayout(limits)}
	s.packed = newMeter(ctx, r, want.Size, mismatchf("more than %d bytes", want.Size))
	return in(op, "", s.verdict(s.read(to)))
}

// A stream is one artifact on its way in: the caller's reader through packed,
// which hashes the artifact, through the decompressor and content, which hashes
// the archive, to tar.
type stream struct {
	ctx     context.Context
	op      string
	want    Descriptor
	limits  Limits
	layout  *layout
	packed  *meter
	content *meter
	tar     *tar.Reader
	end     int64 // where in content the last entry ends
}

func (s *stream) read(to sink) error {
	dec, err := decompressor(s.want.MediaType, bufio.NewReaderSize(s.packed, blockSize))
	if err != nil {
		return s.blame(err)
	}
	defer dec.Close()
	s.content = newMeter(s.ctx, dec, s.limits.MaxBytes, s.limits.tooManyBytes())
	s.tar = tar.NewReader(s.content)
	for {
		hdr, err := s.tar.Next()
		if err == io.EOF {
			break
		}
		// An insecure path, if GODEBUG asks for that error, is layout's to judge.
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return s.blame(err)
		}
		s.end = s.content.n + hdr.Size
		if err := s.entry(hdr, to); err != nil {
			return in(s.op, hdr.Name, err)
		}
	}
	if err := s.tail(); err != nil {
		return err
	}
	return s.layout.settle(s.ctx, s.op)
}

func (s *stream) entry(hdr *tar.Header, to sink) error {
	name := strings.TrimPrefix(hdr.Name, "./") // as tar writes for "."
	switch hdr.Typeflag {
	case tar.TypeReg:
		return s.file(name, hdr, to)
	case tar.TypeSymlink:
		if err := s.layout.link(name, hdr.Linkname); err != nil {
			return err
		}
		return to.link(name, hdr.Linkname)
	case tar.TypeDir:
		if name = strings.TrimSuffix(name, "/"); name == "" || name == "." {
			return nil
		}
		return s.layout.folder(name)
	case tar.TypeXGlobalHeader: // as git archive writes for the commit
		return nil
	case tar.TypeLink:
		return unsafef("hard link to %.4096q", hdr.Linkname)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return unsafef("device or pipe")
	}
	return unsafef("entry of type %q", hdr.Typeflag)
}

func (s *stream) file(name string, hdr *tar.Header, to sink) error {
	for record := range hdr.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") {
			return unsafef("sparse file")
		}
	}
	if err := s.layout.file(name, hdr.Size); err != nil {
		return err
	}
	if hdr.Size > s.content.max-s.content.n {
		return s.content.over
	}
	content := &faultReader{r: s.tar}
	err := to.file(name, hdr.Mode&0o111 != 0, hdr.Size, content)
	if content.err != nil {
		return s.blame(content.err)
	}
	return err
}

// tail reads what follows the last entry: two blocks of zeros, which the tar
// reader does not insist on, and padding with zeros. An archive that was cut
// before it was hashed would otherwise pass for a smaller tree.
func (s *stream) tail() error {
	block := make([]byte, 4096)
	for {
		n, err := s.content.Read(block)
		for _, b := range block[:n] {
			if b != 0 {
				return malformedf("data after the archive's end")
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return s.blame(err)
		}
	}
	const record = 512
	if s.content.n < (s.end+record-1)/record*record+2*record {
		return malformedf("archive without an end")
	}
	return nil
}

// blame tells what an error met while decoding is an error of: the reader, a
// limit, the context, or the bytes themselves.
func (s *stream) blame(err error) error {
	switch {
	case s.packed.err != nil:
		return s.packed.err
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case errors.Is(err, ErrTooLarge):
		return err
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}

// verdict compares the bytes with want. If reading their content failed with
// err, it says whether that is so because the bytes are the wrong ones: then
// what they seem to hold is of no interest.
func (s *stream) verdict(err error) error {
	if err != nil && !errors.Is(err, ErrUnsafe) && !errors.Is(err, ErrFormat) {
		return err
	}
	if _, err := io.Copy(io.Discard, s.packed); err != nil {
		return err
	}
	if s.packed.n < s.want.Size {
		return mismatchf("%d bytes of %d", s.packed.n, s.want.Size)
	}
	if got := s.packed.digest(); got != s.want.Digest {
		return mismatchf("digest is %s, not %s", got, s.want.Digest)
	}
	if err != nil {
		return err
	}
	if got := s.content.digest(); s.want.ContentDigest != "" && got != s.want.ContentDigest {
		return mismatchf("content digest is %s, not %s", got, s.want.ContentDigest)
	}
	if got := s.content.n; s.want.ContentSize != 0 && got != s.want.ContentSize {
		return mismatchf("content size is %d, not %d", got, s.want.ContentSize)
	}
	if got := s.layout.files; s.want.Files != 0 && got != s.want.Files {
		return mismatchf("%d files, not %d", got, s.want.Files)
	}
	return nil
}

// A faultReader remembers that reading failed, to tell it from a sink's failure.
type faultReader struct {
	r   io.Reader
	err error
}

func (f *faultReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}
