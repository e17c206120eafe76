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

// Inputs is what a build depended on in its file system. Another file system that has the same there gives the same
// objects. All paths are slash-separated, from the root of the file system, sorted.
type Inputs struct {
	Files   []string // that were read
	Folders []string // whose entries were listed: those are concerned by manifests and kustomizations that come and go in them
	Absent  []string // that were looked for and not there, such as kustomization.yml beside kustomization.yaml
}

// Concern says whether the build can come out differently where the file at name has changed, come or gone. Symbolic links
// are for the caller to resolve.
func (in Inputs) Concern(name string) bool {
	if contains(in.Files, name) || contains(in.Absent, name) {
		return true
	}
	if base := path.Base(name); !isManifest(base) && !isKustomization(base) {
		return false
	}
	for name != "." && !isHidden(path.Base(name)) {
		name = path.Dir(name)
		if contains(in.Folders, name) {
			return true
		}
		if within(in.Files, name) || within(in.Absent, name) {
			return false // it was there, and nobody listed it
		}
	}
	return false
}

func contains(sorted []string, name string) bool {
	_, ok := slices.BinarySearch(sorted, name)
	return ok
}

// within says whether one of the paths is below dir.
func within(sorted []string, dir string) bool {
	i, _ := slices.BinarySearch(sorted, dir+"/")
	return dir == "." && len(sorted) > 0 || i < len(sorted) && strings.HasPrefix(sorted[i], dir+"/")
}

// record is what a build has found in its file system, so that it can be told whether another build would find the same.
type record struct {
	root    string            // the identity of all of it, where the file system knows one
	files   map[string]string // by path, what stateOf says
	folders map[string]string // by path, what listingOf says
	absent  map[string]bool

	variables map[string]lookedUp // by name
	hashes    bool                // files that have no identity are worth a hash
}

func newRecord(fsys fs.FS, hashes bool) *record {
	return &record{root: identify(fsys, "."), files: map[string]string{}, folders: map[string]string{}, absent: map[string]bool{}, hashes: hashes}
}

// inputs returns the record as its user sees it.
func (r *record) inputs() Inputs {
	return Inputs{
		Files:   slices.Sorted(maps.Keys(r.files)),
		Folders: slices.Sorted(maps.Keys(r.folders)),
		Absent:  slices.Sorted(maps.Keys(r.absent)),
	}
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

// file notes that name was read.
func (r *record) file(fsys fs.FS, name string, content []byte) {
	state := identify(fsys, name)
	if state == "" && r.hashes {
		state = hashed(content)
	}
	r.files[name] = state
}

// contentState begins the state of a file that has no identity. No identity begins with a zero byte.
const contentState = "\x00"

func hashed(content []byte) string {
	sum := sha256.Sum256(content)
	return contentState + string(sum[:])
}

// folder notes that the entries of name were listed.
func (r *record) folder(fsys fs.FS, name string, entries []fs.DirEntry) {
	r.folders[name] = listingOf(fsys, name, entries)
}

// listingOf says which of the entries matter to a build, and of which kind they are.
func listingOf(fsys fs.FS, dir string, entries []fs.DirEntry) string {
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
		case !isFile(fsys, path.Join(dir, e.Name()), e):
			b.WriteByte('@') // a link to a folder
		}
		b.WriteByte(0)
	}
	return b.String()
}

// holds says whether a build in fsys would find what the recorded one found. Where that cannot be told, it says no.
func (r *record) holds(ctx context.Context, fsys fs.FS, opts Options) (bool, error) {
	opts = opts.withDefaults()
	if !r.sameVariables(ctx, opts) {
		return false, ctx.Err()
	}
	if r.root != "" && identify(fsys, ".") == r.root {
		return true, ctx.Err()
	}
	in := newIntake(ctx, fsys, opts, nil)
	for name, state := range r.files {
		if ctx.Err() != nil || !in.same(name, state) {
			return false, ctx.Err()
		}
	}
	for name, listing := range r.folders {
		entries, err := fs.ReadDir(fsys, name)
		if ctx.Err() != nil || err != nil || listingOf(fsys, name, entries) != listing {
			return false, ctx.Err()
		}
	}
	for name := range r.absent {
		if _, err := fs.Stat(fsys, name); ctx.Err() != nil || !errors.Is(err, fs.ErrNotExist) {
			return false, ctx.Err()
		}
	}
	return true, ctx.Err()
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

// same says whether the file at name is in the state that was recorded.
func (in *intake) same(name, state string) bool {
	if identity := identify(in.fsys, name); identity != "" || !strings.HasPrefix(state, contentState) {
		return identity == state && state != ""
	}
	e, err := in.open(name)
	return err == nil && !e.dir && hashed(e.content) == state
}
