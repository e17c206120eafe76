package kustomize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// intake is the one place that reads from the caller's file system. It reads each file once, keeps count against the
// limits, and looks at the context before each access.
type intake struct {
	ctx    context.Context
	main   mount // the caller's file system
	mounts *mounts
	limits Options

	seen  map[string]entry
	found *record
	files int
	bytes int64
}

// entry is what stands at a path: a folder or a file with its content.
type entry struct {
	dir     bool
	real    string // the path of a folder without links
	content []byte
}

func newIntake(ctx context.Context, fsys fs.FS, limits Options, found *record) *intake {
	return &intake{
		ctx: ctx, main: newMount(fsys, Reference{}), mounts: &mounts{known: map[mountKey]string{}}, limits: limits,
		seen: map[string]entry{}, found: found,
	}
}

// look returns what stands at name, and the file system's error if there is nothing.
func (in *intake) look(name string) (entry, error) {
	if err := in.ctx.Err(); err != nil {
		return entry{}, err
	}
	if e, ok := in.seen[name]; ok {
		return e, nil
	}
	e, err := in.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		in.found.absent[name] = true
	} else if err != nil {
		in.found.files[name] = "" // what is the matter with it may be over with the next change of it
	}
	if err != nil {
		return e, err
	}
	if e.dir {
		in.found.places[name] = e.real
	}
	if !e.dir {
		in.found.file(name, in.identify(name), e.content)
		if e.content, err = in.decrypted(name, e.content); err != nil {
			return e, err
		}
	}
	in.seen[name] = e
	return e, nil
}

func (in *intake) open(name string) (entry, error) {
	root, within := splitMount(name)
	m := in.place(root)
	real, err := m.links.real(within)
	if err != nil {
		return entry{}, err
	}
	f, err := m.fsys.Open(within)
	if err != nil {
		return entry{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return entry{}, err
	}
	if info.IsDir() {
		return entry{dir: true, real: path.Join(root, real)}, nil
	}
	if !info.Mode().IsRegular() {
		return entry{}, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("is neither a file nor a folder")}
	}
	content, err := in.content(f, info.Size())
	return entry{content: content}, err
}

// content reads f, whose size the file system says is size, and does not take its word for it.
func (in *intake) content(f fs.File, size int64) ([]byte, error) {
	limit := in.limits.MaxFileBytes
	if size > limit {
		return nil, in.fileTooLarge()
	}
	var b bytes.Buffer
	b.Grow(int(max(size, 0)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, in.fileTooLarge()
	}
	return b.Bytes(), nil
}

func (in *intake) fileTooLarge() error {
	return fmt.Errorf("%w: a file may have %d bytes (Options.MaxFileBytes)", ErrTooLarge, in.limits.MaxFileBytes)
}

// take returns the content of the file at name and counts it as taken in once more.
func (in *intake) take(name string) ([]byte, error) {
	e, err := in.look(name)
	if err != nil {
		return nil, err
	}
	if e.dir {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("is a folder")}
	}
	return e.content, in.count(e.content)
}

func (in *intake) count(content []byte) error {
	in.files++
	in.bytes += int64(len(content))
	if in.files > in.limits.MaxFiles {
		return fmt.Errorf("%w: more than %d files (Options.MaxFiles)", ErrTooLarge, in.limits.MaxFiles)
	}
	if in.bytes > in.limits.MaxBytes {
		return fmt.Errorf("%w: more than %d bytes (Options.MaxBytes)", ErrTooLarge, in.limits.MaxBytes)
	}
	return nil
}
