package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// UnpackOptions say how Unpack and Open read. The zero value is the default
// limits, and an empty folder to unpack into.
type UnpackOptions struct {
	// Limits bound the tree.
	Limits Limits
	// AllowNonEmpty lets Unpack write beside what is there. Nothing that is
	// there is replaced, and no symbolic link that is there is written through:
	// one that stands where the artifact has a folder is ErrUnsafe, and anything
	// that stands where it has a file is fs.ErrExist. Open does not look at it.
	AllowNonEmpty bool
	// Portable refuses, as ErrUnsafe, trees that would not be the same on Windows
	// and macOS: names that differ by case only, in any script; names with
	// characters that Windows forbids or that macOS ignores, with accents that
	// are characters of their own, with a dot or a space at their end, or over
	// 255 bytes; and names of devices, such as nul or com1.txt. Names that are
	// absolute or climb on Windows are refused without it, too.
	Portable bool
	// Spool is where Open keeps content instead of in memory: in one temporary
	// file, whose name begins with ".open-", and which has none any more once it
	// is open, where the system can do that. The tree that Open returns then is an
	// [io.Closer], which gives the file up; what was opened of the tree cannot be
	// read after. Default: memory. Unpack does not look at it.
	Spool *os.Root
}

// Unpack writes the tree of the artifact in r into root, if it is the one that
// want names: size, digest and content digest are verified, and r must end
// where the artifact ends.
//
// All is written to a folder of its own in root first, whose name begins with
// ".unpack-" and which nobody else may enter; what is small is not written at all
// before it is verified. Only once every byte is verified
// and every file written is it moved to its place, which takes a rename for each
// entry at the top, or for each that joins a folder that was there. On any error,
// root is as it was. A process that is killed leaves that folder behind and, if
// it was killed during the renames, some of the entries, each of them whole.
//
// All access goes through root: no path and no link can lead out of it. Symbolic
// links are made last. Hard links become files of their own. Files are made with
// mode 0644 or 0755 and folders with 0755, less the umask. Nothing else should
// write to root meanwhile. Files are written by several goroutines, none of which
// outlives the call, and memory is taken for the tree's names, not for its content.
//
// Errors are ErrDigest if the bytes are not those of want, ErrFormat if they are
// and are no artifact, ErrUnsafe, ErrTooLarge, fs.ErrExist if root is not empty
// or something is in the way, ctx.Err(), and what r and root return.
func Unpack(ctx context.Context, r io.Reader, want Descriptor, root *os.Root, opts UnpackOptions) (err error) {
	if !opts.AllowNonEmpty {
		if err := checkEmpty(root); err != nil {
			return in("unpack", "", err)
		}
	}
	s := &stage{root: root}
	defer func() {
		if err == nil {
			return
		}
		if left := s.undo(); left != nil {
			err = errors.Join(err, left)
		}
	}()
	err = errAbandoned // unless what follows returns
	if err = receive(ctx, r, want, opts, s); err == nil {
		err = s.publish(ctx)
	}
	return err
}

// receive writes the tree to the stage. When it returns, or panics as r does, nobody
// writes any more.
func receive(ctx context.Context, r io.Reader, want Descriptor, opts UnpackOptions, to *stage) (err error) {
	d := &disk{stage: to, writers: newWriters()}
	defer func() { err = d.finish(ctx, err) }()
	err = errAbandoned
	err = scan(ctx, "unpack", r, want, opts, d)
	return err
}

func checkEmpty(root *os.Root) error {
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	switch _, err := f.ReadDir(1); err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("folder is not empty: %w (UnpackOptions.AllowNonEmpty unpacks beside what is there)", fs.ErrExist)
	default:
		return err
	}
}
