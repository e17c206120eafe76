package kustomize

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// record is what a build has found, so that it can be told whether another build would find the same. Paths are those of
// the scan, in mounts too.
type record struct {
	files   map[string]string // by path: the identity, or what hashed says, or empty if neither is known
	folders map[string]string // by path, what listing says
	absent  map[string]bool
	places  map[string]string // by path of a folder, its path without links

	roots     map[string]string   // the identity of all of each file system, empty where it knows none
	asked     []Reference         // those of the mounts, in their order
	variables map[string]lookedUp // by name
	hashes    bool                // files that have no identity are worth a hash
}

func newRecord(fsys fs.FS, hashes bool) *record {
	return &record{
		files: map[string]string{}, folders: map[string]string{}, absent: map[string]bool{}, hashes: hashes,
		roots: map[string]string{"": identify(fsys, ".")}, places: map[string]string{},
	}
}

// inputs returns the record as its user sees it.
func (r *record) inputs() Inputs {
	all := make([]Inputs, 1+len(r.asked))
	of := func(name string) (*Inputs, string) {
		root, within := splitMount(name)
		return &all[mountNumber(root)+1], within
	}
	files := slices.Collect(maps.Keys(r.files))
	for name, place := range r.places {
		if name != place || isKustomization(path.Base(name)) {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	for _, name := range files {
		in, within := of(name)
		in.Files = append(in.Files, within)
	}
	for _, name := range slices.Sorted(maps.Keys(r.folders)) {
		in, within := of(name)
		in.Folders = append(in.Folders, within)
	}
	for _, name := range slices.Sorted(maps.Keys(r.absent)) {
		in, within := of(name)
		in.Absent = append(in.Absent, within)
	}
	for i, ref := range r.asked {
		all[0].Remote = append(all[0].Remote, RemoteInputs{ref, all[i+1]})
	}
	return all[0]
}

// identify asks the file system for the identity of what stands at name: a text that is the same as long as that is. Without
// an answer it is empty.
func identify(fsys fs.FS, name string) string {
	known, ok := fsys.(interface {
		Identity(name string) (string, error)
	})
	if !ok {
		return ""
	}
	identity, err := known.Identity(name)
	if err != nil {
		return ""
	}
	return identity
}

// file notes that the file at name was read, which has that identity, if any.
func (r *record) file(name, identity string, content []byte) {
	if identity == "" && r.hashes {
		identity = hashed(content)
	}
	r.files[name] = identity
}

// contentState begins the state of a file that has no identity. No identity begins with a zero byte.
const contentState = "\x00"

func hashed(content []byte) string {
	sum := sha256.Sum256(content)
	return contentState + string(sum[:])
}

// listing says which of the entries of a folder matter to a build, and of which kind they are.
func (in *intake) listing(dir string, entries []fs.DirEntry) string {
	var b strings.Builder
	for _, e := range entries {
		if !isListed(e) {
			continue
		}
		b.WriteString(e.Name())
		b.WriteByte(0)
		switch {
		case e.IsDir():
			b.WriteByte('/')
		case !in.isFile(path.Join(dir, e.Name()), e):
			b.WriteByte('@') // a link to a folder
		}
		b.WriteByte(0)
	}
	return b.String()
}

// mount notes that the file system of a reference was asked for.
func (r *record) mount(root string, ref Reference, fsys fs.FS) {
	r.asked = append(r.asked, ref)
	r.roots[root] = identify(fsys, ".")
}

// holds says whether a build in fsys would find what the recorded one found. Where that cannot be told, it says no.
func (r *record) holds(ctx context.Context, fsys fs.FS, opts Options) (bool, error) {
	opts = opts.withDefaults()
	in := newIntake(ctx, fsys, opts, nil)
	holds := r.sameVariables(ctx, opts) && r.mountAgain(in) && (r.sameRoots(in) || r.sameFiles(in) && r.sameNames(in))
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return holds, nil
}

// sameVariables says whether all that was looked up is still found, or not found.
func (r *record) sameVariables(ctx context.Context, opts Options) bool {
	if len(r.variables) == 0 {
		return true
	}
	s, err := newSubstituter(ctx, opts)
	if err != nil {
		return false
	}
	for name, was := range r.variables {
		if s.lookUp(name) != was {
			return false
		}
	}
	return true
}

// mountAgain asks for what was mounted.
func (r *record) mountAgain(in *intake) bool {
	for _, ref := range r.asked {
		if in.ctx.Err() != nil || in.limits.Remote == nil {
			return false
		}
		fsys, err := in.limits.Remote(in.ctx, ref)
		if err != nil || fsys == nil {
			return false // for the build to tell
		}
		in.mounts.add(newMount(fsys, ref))
	}
	return true
}

// sameRoots says that nothing at all has changed anywhere.
func (r *record) sameRoots(in *intake) bool {
	for root, identity := range r.roots {
		if identity == "" || identify(in.place(root).fsys, ".") != identity {
			return false
		}
	}
	return true
}

func (r *record) sameFiles(in *intake) bool {
	for name, state := range r.files {
		if in.ctx.Err() != nil || !in.same(name, state) {
			return false
		}
	}
	return true
}

// same says whether the file at name is in the state that was recorded.
func (in *intake) same(name, state string) bool {
	if identity := in.identify(name); identity != "" || !strings.HasPrefix(state, contentState) {
		return identity == state && state != ""
	}
	e, err := in.open(name)
	return err == nil && !e.dir && hashed(e.content) == state
}

// sameNames says whether folders still are folders and where they were, which is what their paths go up from, those that were
// listed have the same in them, and what was absent still is.
func (r *record) sameNames(in *intake) bool {
	for name, place := range r.places {
		if e, err := in.open(name); err != nil || e.real != place {
			return false
		}
	}
	for name, listing := range r.folders {
		if real, err := in.main.links.real(name); err != nil || real != name {
			return false // a link, which is not followed before it is known where to
		}
		entries, err := (&lister{in: in}).folder(name)
		if err != nil || in.listing(name, entries) != listing {
			return false
		}
	}
	for name := range r.absent {
		if _, err := in.open(name); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}
