package git

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/lfs"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A checkout is a commit's files. Nobody changes it.
type checkout struct {
	commit     object.Hash
	want       object.Hash // as a tip has it
	tag        string      // as a tip has it
	files      fs.FS
	signatures []source.Signature
	visited    map[string]bool   // as visits have it
	needed     int               // how many objects it needed
	stored     map[string][]byte // what pointers of Git LFS stand for, by their OIDs
}

// A lookup finds an object that is here.
type lookup func(object.Hash) (object.Object, bool)

// A walk goes through a commit's folders as far as their objects are here.
type walk struct {
	ctx    context.Context
	opts   *Options
	scope  scope
	find   lookup
	needed object.Set             // what was found
	lacks  map[object.Hash]lacked // what was not

	files      *source.Tree
	entries    int             // that are wanted
	later      int             // of these, files that are not in files yet
	ignored    int             // that are not
	read       int64           // bytes of folders, of each as often as it is met
	met        map[string]bool // of the scope's paths
	above      map[string]bool // folders on the way to them
	withheld   map[string]error
	submodules map[string]wantedModule
	modules    []byte // what .gitmodules has, if there are submodules
	at         string // the folder that the commit is in, for a submodule's
	pointers   map[string]pointer
}

// A lacked object is not here. Of a folder on the way to a path only the folder itself is wanted.
type lacked struct {
	kind  object.Kind
	above bool
	name  string
}

// A pointer stands for a file that Git LFS keeps.
type pointer struct {
	lfs.Pointer
	executable bool
}

func (s *Source) newWalk(ctx context.Context, find lookup) *walk {
	return &walk{
		ctx: ctx, opts: &s.opts, scope: s.scope, find: find, needed: make(object.Set), lacks: make(map[object.Hash]lacked),
		files: source.NewTree(s.opts.Limits), met: make(map[string]bool), withheld: make(map[string]error),
		above: make(map[string]bool), submodules: make(map[string]wantedModule), pointers: make(map[string]pointer),
		at: s.module.path,
	}
}

// commit walks through a commit. Unless something lacks, files then has what is wanted of it, but for submodules and
// pointers.
func (w *walk) commit(commit object.Hash, rules source.IgnoreRules) error {
	o, ok, err := w.object(commit, lacked{kind: object.Commit})
	if err != nil || !ok {
		return err
	}
	root, err := object.TreeOf(o.Body())
	if err == nil {
		_, err = w.folder("", root, rules, 0)
	}
	if err == nil && len(w.submodules) > 0 {
		err = w.readModules(root)
	}
	if err != nil {
		return fmt.Errorf("commit %s: %w", commit, err)
	}
	return nil
}

// close tells of what is not in the tree, when all the rest is.
func (w *walk) close() error {
	for _, p := range w.scope {
		if !w.met[p] {
			return fmt.Errorf("Options.Paths: %w", w.missing(p))
		}
	}
	// Of several in one folder that is not there the first one counts.
	for _, name := range slices.Sorted(maps.Keys(w.withheld)) {
		if err := w.files.Withhold(name, w.withheld[name]); err != nil {
			return err
		}
	}
	return nil
}

// present returns why there is nothing to hand out, or nothing of a path that was named. From an empty snapshot it would
// follow that all that was ever applied is to be pruned.
func (w *walk) present(commit object.Hash, files fs.FS) error {
	for _, p := range w.scope {
		_, err := fs.Lstat(files, p)
		switch why := w.withheld[p]; {
		case why == errSubmodule:
			return fmt.Errorf("Options.Paths: %q is a submodule, which Options.Submodules fetches: %w",
				p, source.ErrNotFound)
		case why != nil:
			return fmt.Errorf("Options.Paths: %q %w: %w", p, why, source.ErrNotFound)
		case errors.Is(err, source.ErrNotFetched):
			return fmt.Errorf("Options.Paths: %q has nothing that is not in a submodule which is not fetched: %w",
				p, source.ErrNotFound)
		case err != nil:
			return fmt.Errorf("Options.Paths: %q has no files, or none that is not ignored: %w", p, source.ErrNotFound)
		}
	}
	if w.files.Len() > 0 {
		return nil
	}
	if len(w.withheld) > 0 {
		return fmt.Errorf("commit %s has no files that are not ignored, but for submodules, "+
			"which Options.Submodules fetches: %w", commit, source.ErrNotFound)
	}
	return fmt.Errorf("commit %s has no files, or none that is not ignored: %w", commit, source.ErrNotFound)
}

func (w *walk) object(hash object.Hash, l lacked) (object.Object, bool, error) {
	o, ok := w.find(hash)
	switch {
	case !ok:
		if was, twice := w.lacks[hash]; twice && !was.above {
			l.above = false // of two places the one that needs more
		}
		w.lacks[hash] = l
		return o, false, nil
	case o.Kind != l.kind:
		return o, false, fmt.Errorf("object %s is a %s instead of a %s", hash, o.Kind, l.kind)
	}
	w.needed[hash] = o
	return o, true, nil
}

// folder reports whether all that the tree object stands for is in files, which is what makes its hash an identity.
func (w *walk) folder(name string, hash object.Hash, rules source.IgnoreRules, depth int) (bool, error) {
	where := w.scope.relation(name)
	o, ok, err := w.object(hash, lacked{object.Tree, where == above, name})
	if err != nil || !ok {
		return false, err
	}
	if where == above {
		w.above[name] = true
	}
	if depth >= w.opts.Limits.MaxDepth {
		return false, &source.LimitError{Option: "Limits.MaxDepth", Max: int64(w.opts.Limits.MaxDepth), Name: name}
	}
	body := o.Body()
	// The same few trees inside each other can be a billion entries, all of them ignored.
	if w.read += int64(len(body)); w.read > w.opts.Limits.MaxBytes {
		return false, &source.LimitError{Option: "Limits.MaxBytes", Max: w.opts.Limits.MaxBytes}
	}
	if again, ok := repeated(body); ok {
		return false, &source.NameError{Name: join(name, again), Reason: "is there twice"}
	}
	if rules, err = w.rules(name, body, rules); err != nil {
		return false, err
	}
	before, whole := w.files.Len(), where == inside
	for len(body) > 0 {
		var e object.Entry
		if e, body, err = object.NextEntry(body); err != nil {
			return false, fmt.Errorf("folder %q: %w", name, err)
		}
		complete, err := w.entry(name, e, rules, depth)
		if err != nil {
			return false, err
		}
		whole = whole && complete
	}
	if !whole || w.files.Len() == before {
		return whole, nil // with nothing in it, or only submodules, there is no such folder in the snapshot
	}
	return true, w.files.Identify(cmp.Or(name, "."), identity(hash))
}

// identity is told apart from a plain SHA-1 of the content: Git hashes a header, too.
func identity(hash object.Hash) string {
	text := hex.AppendEncode(append(make([]byte, 0, 64), "git-sha1:"...), hash[:])
	return string(text)
}

// rules adds those of the folder's own ignore file, if that is a file.
func (w *walk) rules(folder string, body []byte, rules source.IgnoreRules) (source.IgnoreRules, error) {
	if w.opts.NoIgnoreFiles || !bytes.Contains(body, []byte(source.IgnoreFile)) {
		return rules, nil
	}
	for len(body) > 0 {
		e, rest, err := object.NextEntry(body)
		if err != nil {
			return rules, fmt.Errorf("folder %q: %w", folder, err)
		}
		if body = rest; e.Name != source.IgnoreFile || !isFile(e.Mode) {
			continue
		}
		text, ok, err := w.object(e.Hash, lacked{kind: object.Blob, name: join(folder, e.Name)})
		if err != nil || !ok {
			return rules, err
		}
		return rules.With(text.Body())
	}
	return rules, nil
}

func join(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

func isFile(mode string) bool {
	return len(mode) == 6 && strings.HasPrefix(mode, "100") && strings.Trim(mode, "01234567") == ""
}

// entry reports whether the entry is in files, with all that it stands for.
func (w *walk) entry(folder string, e object.Entry, rules source.IgnoreRules, depth int) (bool, error) {
	if err := w.ctx.Err(); err != nil {
		return false, err
	}
	name := join(folder, e.Name)
	isFolder := e.IsFolder()
	if reason := forbidden(e); reason != "" {
		return false, &source.NameError{Name: name, Reason: reason}
	}
	isModule := e.Mode == object.ModeSubmodule
	where := w.scope.relation(name)
	if where == above && !isFolder && !isModule || where == outside {
		if w.withheld[name] = errOutside; len(w.withheld) > w.opts.Limits.MaxFiles {
			return false, &source.LimitError{Option: "Limits.MaxFiles", Max: int64(w.opts.Limits.MaxFiles)}
		}
		return false, nil
	}
	if slices.Contains(w.scope, name) {
		w.met[name] = true
	}
	if rules.Ignores(e.Name, isFolder || isModule) {
		for _, p := range w.scope {
			w.met[p] = w.met[p] || within(p, name)
		}
		w.keep(e, isFolder, depth)
		return false, nil
	}
	if err := w.count(); err != nil {
		return false, err
	}
	switch {
	case isFolder:
		return w.folder(name, e.Hash, rules.Folder(e.Name), depth+1)
	case isModule:
		return w.submodule(name, e, rules)
	}
	return w.blob(name, e)
}

// count counts an entry that is wanted. What is no file in the end, such as a folder with nothing in it, is in no limit on
// files; but the same few trees inside each other can be a billion entries without one file.
func (w *walk) count() error {
	w.entries++
	most, files := w.opts.Limits.MaxFiles, w.files.Len()+w.later
	if files > most || w.entries-files > max(most, source.DefaultMaxFiles) {
		return &source.LimitError{Option: "Limits.MaxFiles", Max: int64(most)}
	}
	return nil
}

// keep counts what is ignored, and here nevertheless, among the objects that are kept: who has a commit has all of it.
func (w *walk) keep(e object.Entry, isFolder bool, depth int) {
	o, ok := w.find(e.Hash)
	if w.ignored++; !ok || w.ignored > w.opts.Limits.MaxFiles || depth > w.opts.Limits.MaxDepth {
		return
	}
	w.needed[e.Hash] = o
	if !isFolder {
		return
	}
	for body := o.Body(); len(body) > 0; {
		below, rest, err := object.NextEntry(body)
		if err != nil {
			return
		}
		body = rest
		w.keep(below, below.IsFolder(), depth+1)
	}
}

func (w *walk) blob(name string, e object.Entry) (bool, error) {
	if e.Mode != object.ModeSymlink && !isFile(e.Mode) {
		return false, fmt.Errorf("%q has the mode %.10q, which Git does not know", name, e.Mode)
	}
	o, ok, err := w.object(e.Hash, lacked{kind: object.Blob, name: name})
	if err != nil || !ok {
		w.later++
		return false, wrapName(name, err)
	}
	if e.Mode == object.ModeSymlink {
		return true, w.files.AddSymlink(name, string(o.Body()))
	}
	executable := strings.Contains("1357", e.Mode[3:4])
	if w.opts.LFS != LFSPointers && o.Size() < lfs.PointerBytes {
		if p, ok := lfs.Parse(o.Body()); ok {
			if _, twice := w.pointers[name]; twice {
				return false, &source.NameError{Name: name, Reason: "is there twice"}
			}
			w.pointers[name] = pointer{p, executable}
			w.later++
			return false, nil
		}
	}
	open := func() ([]byte, error) { return o.Body(), nil }
	if err := w.files.AddLazyFile(name, executable, int64(o.Size()), open); err != nil {
		return false, err
	}
	return true, w.files.Identify(name, identity(e.Hash))
}

func wrapName(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%q: %w", name, err)
}

// lackedBy returns what is lacked that f says, in a fixed order.
func (w *walk) lackedBy(f func(lacked) bool) []object.Hash {
	var all []object.Hash
	for hash, l := range w.lacks {
		if f(l) {
			all = append(all, hash)
		}
	}
	slices.SortFunc(all, func(a, b object.Hash) int { return slices.Compare(a[:], b[:]) })
	return all
}

// example names something that is lacked, the same one each time.
func (w *walk) example() string {
	hashes := slices.SortedFunc(maps.Keys(w.lacks), func(a, b object.Hash) int { return slices.Compare(a[:], b[:]) })
	first := w.lacks[hashes[0]]
	text := first.kind.String() + " " + hashes[0].String()
	if first.name != "" {
		text += fmt.Sprintf(" (%q)", first.name)
	}
	return text
}
