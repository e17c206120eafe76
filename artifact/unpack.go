package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
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
}

// Unpack writes the tree of the artifact in r into root, if it is the one that
// want names: size, digest and content digest are verified, and r must end
// where the artifact ends. On any error all that was written is removed again,
// so that files in root are files of want. A process that is killed cannot tidy
// up: unpack into a fresh folder, and rename it or point a link to it after.
//
// All access goes through root: no path and no link can lead out of it. Symbolic
// links are made last, once everything is verified. Files are made with mode
// 0644 or 0755 and folders with 0755, less the umask. Nothing else should write
// to root meanwhile.
//
// Errors are ErrDigest if the bytes are not those of want, ErrFormat if they are
// and are no artifact, ErrUnsafe, ErrTooLarge, fs.ErrExist if root is not empty
// or something is in the way, ctx.Err(), and what r and root return.
func Unpack(ctx context.Context, r io.Reader, want Descriptor, root *os.Root, opts UnpackOptions) error {
	if !opts.AllowNonEmpty {
		if err := checkEmpty(root); err != nil {
			return in("unpack", "", err)
		}
	}
	d := &disk{root: root, dirs: make(map[string]bool), block: make([]byte, blockSize)}
	err := scan(ctx, "unpack", r, want, opts.Limits, d)
	if err == nil {
		err = d.makeLinks(ctx)
	}
	if err == nil {
		return nil
	}
	if left := d.remove(); left != nil {
		return errors.Join(err, left)
	}
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

// A disk is the sink of Unpack.
type disk struct {
	root  *os.Root
	dirs  map[string]bool // known to be folders, not links to folders
	made  []string        // in order, in the system's notation
	links []bentLink
	block []byte
}

func (d *disk) file(name string, executable bool, _ int64, r io.Reader) error {
	local, err := d.place(name)
	if err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if executable {
		perm = 0o755
	}
	// With O_EXCL the last element is not followed if it is a link.
	f, err := d.root.OpenFile(local, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	d.made = append(d.made, local)
	// Only Write of f is used, as its ReadFrom takes a buffer for every file.
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, r, d.block)
	return errors.Join(err, f.Close())
}

func (d *disk) link(name, target string) error {
	d.links = append(d.links, bentLink{name, target})
	return nil
}

func (d *disk) makeLinks(ctx context.Context) error {
	for _, l := range d.links {
		if err := ctx.Err(); err != nil {
			return in("unpack", "", err)
		}
		if err := d.makeLink(l.name, l.target); err != nil {
			return in("unpack", l.name, err)
		}
	}
	return nil
}

func (d *disk) makeLink(name, target string) error {
	local, err := d.place(name)
	if err != nil {
		return err
	}
	if filepath.Separator != '/' && strings.ContainsAny(target, `\:`) {
		return unsafef("symbolic link to %q, which is no path on this system", target)
	}
	if err := d.root.Symlink(filepath.FromSlash(target), local); err != nil {
		return err
	}
	d.made = append(d.made, local)
	return nil
}

// place makes the folders above name and returns name in the system's notation.
func (d *disk) place(name string) (string, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return "", unsafef("no path on this system")
	}
	return local, d.folder(path.Dir(name))
}

func (d *disk) folder(name string) error {
	if name == "." || d.dirs[name] {
		return nil
	}
	if err := d.folder(path.Dir(name)); err != nil {
		return err
	}
	local, err := filepath.Localize(name)
	if err != nil {
		return unsafef("no path on this system")
	}
	switch err := d.root.Mkdir(local, 0o755); {
	case err == nil:
		d.made = append(d.made, local)
	case errors.Is(err, fs.ErrExist):
		info, err := d.root.Lstat(local)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return unsafef("%q is there already and no folder: %v", name, info.Mode())
		}
	default:
		return err
	}
	d.dirs[name] = true
	return nil
}

// remove removes what was made, the last first. It has no context: it must
// happen because one ended.
func (d *disk) remove() error {
	var errs []error
	for _, local := range slices.Backward(d.made) {
		if err := d.root.Remove(local); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, in("unpack", filepath.ToSlash(local), fmt.Errorf("remove again: %w", err)))
		}
	}
	return errors.Join(errs...)
}
