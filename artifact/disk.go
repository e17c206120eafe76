package artifact

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// A disk is the sink of Unpack. It reads on while its writers write small files, and
// writes large ones itself.
type disk struct {
	stage   *stage
	writers *writers
	own     folders
	parcel  *parcel
	links   []bentLink
	hard    []bentLink // to the files that they are to become copies of
}

func (d *disk) file(name string, executable bool, size int64, r io.Reader) error {
	if err := d.writers.failed(); err != nil {
		return err
	}
	perm := fileMode(executable)
	if size > parcelBytes/4 {
		return d.large(name, perm, r)
	}
	if d.parcel != nil && !d.parcel.fits(size) {
		if err := d.flush(); err != nil {
			return err
		}
	}
	if d.parcel == nil {
		d.parcel = d.writers.empty()
	}
	return d.parcel.add(name, perm, size, r)
}

// flush hands the parcel to the writers. Before the first file is written there is no
// stage: what is small is verified by then.
func (d *disk) flush() error {
	err := d.ready()
	if err == nil && d.parcel != nil {
		d.writers.write(d.parcel)
		d.parcel = nil
	}
	return err
}

func (d *disk) ready() error {
	if d.own.root != nil {
		return nil
	}
	if err := d.stage.open(); err != nil {
		return in("unpack", "", err)
	}
	d.own.root, d.writers.root = d.stage.files, d.stage.files
	return nil
}

func (d *disk) large(name string, perm fs.FileMode, r io.Reader) error {
	if err := d.ready(); err != nil {
		return err
	}
	f, err := d.own.create(name, perm)
	if err != nil {
		return err
	}
	// Only Write of f is used, as its ReadFrom takes a buffer for every file.
	_, err = io.Copy(struct{ io.Writer }{f}, r)
	return errors.Join(err, f.Close())
}

func (d *disk) link(name, target string) error {
	d.links = append(d.links, bentLink{name, target})
	return nil
}

func (d *disk) again(name, earlier string) error {
	d.hard = append(d.hard, bentLink{name, earlier})
	return nil
}

// finish waits for the writers and makes what depends on all files being there, if
// err, which reading ended with, is nil.
func (d *disk) finish(ctx context.Context, err error) error {
	defer d.own.close()
	if err == nil {
		err = d.flush()
	}
	if failed := d.writers.end(err != nil); err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	for _, l := range d.hard {
		if err := cmp.Or(ctx.Err(), d.copy(l.name, l.target)); err != nil {
			return in("unpack", l.name, err)
		}
	}
	return d.makeLinks(ctx)
}

// copy gives name the content and the mode of earlier.
func (d *disk) copy(name, earlier string) error {
	dir, base, err := d.own.place(earlier)
	if err != nil {
		return err
	}
	from, err := dir.Open(base)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := d.own.create(name, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// makeLinks makes all folders before the first link, so that no folder is looked
// for where there is a link, not even where case does not count.
func (d *disk) makeLinks(ctx context.Context) error {
	for _, l := range d.links {
		if _, _, err := d.own.place(l.name); err != nil {
			return in("unpack", l.name, err)
		}
	}
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
	dir, base, err := d.own.place(name)
	if err != nil {
		return err
	}
	if filepath.Separator != '/' && strings.ContainsAny(target, `\:`) {
		return unsafef("symbolic link to %q, which is no path on this system", target)
	}
	return dir.Symlink(filepath.FromSlash(target), base)
}
