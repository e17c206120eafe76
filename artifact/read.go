package artifact

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A sink takes a tree's entries as they are read, before they are verified, one
// at a time and in the archive's order.
type sink interface {
	// file must read size bytes from r, which also is an io.WriterTo.
	file(name string, executable bool, size int64, r io.Reader) error
	link(name, target string) error
	// again is a hard link: a file with the content and the mode of earlier,
	// which came before as a file, or again.
	again(name, earlier string) error
}

// scan reads the artifact from r into to. Only if it returns nil are the
// entries those of want.
func scan(ctx context.Context, op string, r io.Reader, want Descriptor, opts UnpackOptions, to sink) error {
	limits := opts.Limits.withDefaults()
	if err := want.check(); err != nil {
		return in(op, "", err)
	}
	if err := want.within(limits); err != nil {
		return in(op, "", err)
	}
	s := &stream{ctx: ctx, op: op, want: want, limits: limits, layout: newLayout(limits)}
	s.layout.portable = opts.Portable
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
	packed  *meter    // of content's goroutine, as long as that runs
	content *conveyor // which runs while read does
	tar     *tarReader
}

func (s *stream) read(to sink) error {
	max, over := s.limits.contentMax(s.want.Size)
	s.content = newConveyor(s.ctx, s.want.Size, max, over)
	s.content.start(func() (io.ReadCloser, error) {
		return decompressor(s.want.MediaType, bufio.NewReaderSize(s.packed, blockSize))
	}, s.blame)
	defer s.content.end()
	s.tar = &tarReader{from: s.content}
	for {
		h, err := s.tar.next()
		if err == io.EOF {
			return s.layout.settle(s.ctx, s.op)
		}
		if err == nil {
			err = s.entry(h, to)
		}
		if err != nil {
			return in(s.op, h.name, err)
		}
	}
}

func (s *stream) entry(h header, to sink) error {
	name := strings.TrimPrefix(h.name, "./") // as tar writes for "."
	if h.size > 0 && (h.flag == flagHardLink || h.flag == flagSymlink || h.flag == flagFolder) {
		// Readers differ in whether they take content to follow.
		return unsafef("link or folder of %d bytes", h.size)
	}
	switch h.flag {
	case flagFile:
		return s.file(name, h, to)
	case flagSymlink:
		if err := s.layout.link(name, h.target); err != nil {
			return err
		}
		return to.link(name, h.target)
	case flagFolder:
		if name = strings.TrimSuffix(name, "/"); name == "" || name == "." {
			return nil
		}
		return s.layout.folder(name)
	case flagHardLink:
		earlier := strings.TrimPrefix(h.target, "./")
		if err := s.layout.again(name, earlier); err != nil {
			return err
		}
		if err := s.room(0); err != nil {
			return err
		}
		return to.again(name, earlier)
	case flagCharDevice, flagBlockDevice, flagPipe:
		return unsafef("device or pipe")
	}
	return unsafef("entry of type %q", h.flag)
}

func (s *stream) file(name string, h header, to sink) error {
	if err := s.layout.file(name, h.size); err != nil {
		return err
	}
	if err := s.room(h.size); err != nil {
		return err
	}
	err := to.file(name, h.executable, h.size, s.tar)
	if s.tar.fault != nil {
		return s.tar.fault // and no failure of the sink
	}
	return err
}

// room refuses content that would cross a limit before it is read. What hard links
// copy counts, although it is not in the archive.
func (s *stream) room(size int64) error {
	switch used := s.content.n + s.layout.copied; {
	case size > s.limits.MaxBytes-used:
		return s.limits.tooManyBytes()
	case size > s.content.max-used:
		return s.content.over
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
		return err // of the conveyor
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
