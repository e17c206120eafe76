package kustomize

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// mount is a file system that [Options.Remote] returned. What is in it has a name that begins with a slash, as in
// "/@remote/0/a.yaml", where a name in the caller's own file system has none. Each mount is a root that no path leads out of.
type mount struct {
	fsys  fs.FS
	links *links
	ref   Reference
}

func newMount(fsys fs.FS, ref Reference) mount { return mount{fsys, newLinks(fsys), ref} }

// remoteRoot is where mounts are, for the scan as for kustomize.
const remoteRoot = "/@remote"

// mounts are those of one build, in the order in which they were asked for.
type mounts struct {
	all   []mount
	known map[mountKey]string // the root of each
}

// mountKey is what makes two references one call of Options.Remote.
type mountKey struct {
	url, ref         string
	file, submodules bool
}

// place returns the file system whose root that is.
func (in *intake) place(root string) mount {
	if root == "" {
		return in.main
	}
	return in.mounts.at(root)
}

// identify is the function of that name, of what the scan calls name.
func (in *intake) identify(name string) string {
	root, within := splitMount(name)
	return identify(in.place(root).fsys, within)
}

// splitMount splits a name into the root of its mount, empty for the caller's file system, and the path below that.
func splitMount(name string) (root, within string) {
	rest, ok := strings.CutPrefix(name, remoteRoot+"/")
	if !ok {
		return "", name
	}
	number, within, found := strings.Cut(rest, "/")
	if !found {
		within = "."
	}
	return remoteRoot + "/" + number, within
}

// add returns the root of the mount.
func (m *mounts) add(one mount) string {
	m.all = append(m.all, one)
	return fmt.Sprintf("%s/%d", remoteRoot, len(m.all)-1)
}

func (m *mounts) at(root string) mount {
	i := mountNumber(root)
	if i < 0 || i >= len(m.all) {
		return newMount(nothing{}, Reference{})
	}
	return m.all[i]
}

// mountNumber is -1 for the root of the caller's file system.
func mountNumber(root string) int {
	i, err := strconv.Atoi(path.Base(root))
	if err != nil {
		return -1
	}
	return i
}

// nothing is the file system of a mount that is not there.
type nothing struct{}

func (nothing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// locate returns the name of what k calls ref in a field that can name w.
func (s *scanner) locate(k *kustomization, ref string, w nameable) (string, error) {
	if k.embedded && isRemote(ref) {
		return "", fmt.Errorf("%w in the configuration of a plugin: %s", ErrRemote, quotedReference(ref))
	}
	if s.limits.Remote == nil || !isRemote(ref) {
		return resolve(k.dir, ref)
	}
	r, err := parseReference(ref, w)
	if err != nil {
		return "", &reason{text: fmt.Sprintf("%s: %v", quotedReference(ref), err), original: err}
	}
	root, err := s.fetch(r)
	if err != nil {
		return "", err
	}
	name := path.Join(root, r.Path)
	return name, k.move(ref, name)
}

// move notes what ref stands for, which can only be one thing: kustomize is given a path for it.
func (k *kustomization) move(ref, name string) error {
	if before, ok := k.moved[ref]; ok && before != name {
		return fmt.Errorf("%w: %s both as a file and as a folder", ErrUnsupported, quotedReference(ref))
	}
	if k.moved == nil {
		k.moved = map[string]string{}
	}
	k.moved[ref] = name
	return nil
}

// named returns the name of what k calls ref, which the scan has located.
func (k *kustomization) named(ref string) (string, error) {
	if name, ok := k.moved[ref]; ok {
		return name, nil
	}
	return resolve(k.dir, ref)
}

// fetch returns the root of the mount for r, and asks for its content if nobody has yet.
func (s *scanner) fetch(r Reference) (string, error) {
	key := mountKey{r.URL, r.Ref, r.File, r.Submodules}
	if root, ok := s.mounts.known[key]; ok {
		return root, nil
	}
	if err := s.ctx.Err(); err != nil {
		return "", err
	}
	fsys, err := s.limits.Remote(s.ctx, r)
	if err != nil {
		text := oneLine(r.conceal(err.Error()))
		return "", &reason{text: fmt.Sprintf("%s: %s", shown(r.String()), text), original: err}
	}
	if fsys == nil {
		return "", fmt.Errorf("%s: Options.Remote returned no file system", shown(r.String()))
	}
	root := s.mounts.add(newMount(fsys, r))
	s.mounts.known[key] = root
	s.found.mount(root, r, fsys)
	return root, nil
}

// mounted finds names of mounts in a text, those that lead there from elsewhere in kustomize's memory too.
var mounted = regexp.MustCompile(`(?:/|(?:\.\./)+)@remote/(\d+)(/[^\s'",:;()]*)?`)

// readable returns a text with the mounts in it called by what the kustomizations call them.
func (m *mounts) readable(text string) string {
	if len(m.all) == 0 {
		return text
	}
	return mounted.ReplaceAllStringFunc(text, func(name string) string {
		groups := mounted.FindStringSubmatch(name)
		found := m.at(groups[1])
		if found.ref.URL == "" {
			return name
		}
		within := strings.TrimPrefix(groups[2], "/")
		if within == "" || found.ref.File {
			return found.ref.origin()
		}
		return found.ref.origin() + ": " + within
	})
}

// file is readable for the name of a file, which may have any characters.
func (m *mounts) file(name string) string {
	root, within := splitMount(name)
	found := mount{}
	if root != "" {
		found = m.at(root)
	}
	if found.ref.URL == "" {
		return name
	}
	if found.ref.File || within == "." {
		return found.ref.origin()
	}
	return found.ref.origin() + ": " + within
}

// explain makes the names of mounts in an error readable.
func (m *mounts) explain(err error) error {
	if err == nil || len(m.all) == 0 {
		return err
	}
	var e *Error
	if !errors.As(err, &e) {
		return m.reworded(err)
	}
	out := *e
	out.File, out.Err = m.file(e.File), m.reworded(e.Err)
	return &out
}

func (m *mounts) reworded(err error) error {
	before := err.Error()
	if after := m.readable(before); after != before {
		return &reason{text: after, original: err}
	}
	return err
}
