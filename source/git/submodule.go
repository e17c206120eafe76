package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A module says how a source reaches its submodules, and where it stands as a submodule itself.
type module struct {
	access *access
	path   string // from the outermost repository's root; empty there
	depth  int
	visits *visits // of the fetch that it is part of; nil for the outermost
}

// Submodules can name each other without end: each level may double them.
const (
	maxNesting = 8
	maxModules = 1000
)

// Visits are the submodules that one fetch takes, by repository and commit. What the same Source was given before need not
// be asked for again where the objects are still here. For all else the server has to be asked even then: several Sources
// may share a cache, and the server knows who may read.
type visits struct {
	before, now map[string]bool
	count       int
}

func (s *Source) newVisits() *visits {
	v := &visits{now: make(map[string]bool)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		v.before = s.last.visited
	}
	return v
}

// A wantedModule is an entry of a tree that is to be a submodule's content.
type wantedModule struct {
	commit object.Hash
	rules  source.IgnoreRules // for what is in it
}

// Why there is nothing below a submodule's path.
var (
	errSubmodule = fmt.Errorf("is in a submodule, which Options.Submodules fetches: %w", source.ErrNotFetched)
	errUpdate    = fmt.Errorf("is in a submodule with update = none in %s: %w", modulesFile, source.ErrNotFetched)
)

// submodule reports whether it makes no difference to what the folder's hash stands for.
func (w *walk) submodule(name string, e object.Entry, rules source.IgnoreRules) (bool, error) {
	if !w.opts.Submodules {
		w.withheld[name] = errSubmodule
		return true, nil
	}
	if _, twice := w.submodules[name]; twice {
		return false, &source.NameError{Name: name, Reason: "is there twice"}
	}
	w.submodules[name] = wantedModule{e.Hash, rules.Folder(e.Name)}
	for _, p := range w.scope {
		if within(p, name) {
			w.met[p] = true // or the submodule says that it is not
		}
	}
	return false, nil
}

// readModules finds the root's .gitmodules, which counts whether it is wanted or not.
func (w *walk) readModules(root object.Hash) error {
	o, ok := w.find(root)
	if !ok {
		return nil
	}
	for body := o.Body(); len(body) > 0; {
		e, rest, err := object.NextEntry(body)
		if err != nil {
			return err
		}
		if body = rest; e.Name != modulesFile {
			continue
		}
		if !isFile(e.Mode) {
			return &source.NameError{Name: modulesFile, Reason: "is not a regular file"}
		}
		text, ok, err := w.object(e.Hash, lacked{kind: object.Blob, name: modulesFile})
		if ok {
			w.modules = text.Body()
		}
		return err
	}
	return nil
}

// missing says of a path that the commit does not have how far it leads.
func (w *walk) missing(path string) error {
	whole := w.fromRoot(path)
	for name, why := range w.withheld {
		if within(path, name) && why == errSubmodule {
			return fmt.Errorf("%q %w: %w", whole, why, source.ErrNotFound)
		}
	}
	folder, rest := "", path
	for {
		element, below, nested := strings.Cut(rest, "/")
		if next := join(folder, element); nested && w.above[next] {
			folder, rest = next, below
			continue
		}
		text := fmt.Sprintf("%q: %q has no %q", whole, w.fromRoot(folder), element)
		switch {
		case nested && w.withheld[join(folder, element)] == errOutside:
			text = fmt.Sprintf("%q: %q is not a folder", whole, w.fromRoot(join(folder, element)))
		case w.fromRoot(folder) == "":
			text = fmt.Sprintf("%q: the repository's root has no %q", whole, element)
		}
		if strings.ContainsAny(path, "*?[") {
			return fmt.Errorf("%s: %w; these are names, and no patterns", text, source.ErrNotFound)
		}
		return fmt.Errorf("%s: %w", text, source.ErrNotFound)
	}
}

// fromRoot returns a path with that of the submodule that it is in.
func (w *walk) fromRoot(path string) string { return strings.Trim(w.at+"/"+path, "/") }

// below returns the paths that are in a folder, relative to it.
func (s scope) below(folder string) scope {
	if s.relation(folder) == inside {
		return nil
	}
	var inner scope
	for _, p := range s {
		if within(p, folder) {
			inner = append(inner, p[len(folder)+1:])
		}
	}
	return inner
}

// addSubmodules adds the files of submodules, each fetched by a source of its own. No lock may be held: two repositories may
// be submodules of each other, and of themselves.
func (g *gathering) addSubmodules(ctx context.Context, w *walk) error {
	if len(w.submodules) == 0 {
		return nil
	}
	if g.remote != nil {
		g.remote.close() // its server need not wait
	}
	entries, err := parseModules(w.modules)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(w.submodules)) {
		entry := entries[name]
		if entry == nil {
			return fmt.Errorf("submodule %q: %s has no entry with this path, which would have its URL", name, modulesFile)
		}
		if entry.none {
			w.withheld[name] = errUpdate
			continue
		}
		if err := g.addSubmodule(ctx, w, name, entry.url); err != nil {
			return err
		}
	}
	return nil
}

func (g *gathering) addSubmodule(ctx context.Context, w *walk, name, given string) error {
	where := fmt.Sprintf("submodule %q (%.300q)", name, source.RedactURL(given))
	u, inURL, err := moduleURL(&g.url, given)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	left, err := w.files.LimitsBelow(name)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	child, err := g.child(name, w.submodules[name], left, g.module.access.to(u, inURL))
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	where = fmt.Sprintf("submodule %q (%s)", name, child)
	files, err := child.module.fetch(ctx, child, w.submodules[name].commit)
	if err == nil {
		err = w.files.AddTree(name, files)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", where, ofWhole(child.transport.Clean(err), name, g.opts.Limits))
	}
	return nil
}

// ofWhole has a limit's error tell the limit that was set, where err is about what was left of it.
func ofWhole(err error, name string, limits source.Limits) error {
	crossed := new(source.LimitError)
	if !errors.As(err, &crossed) {
		return err
	}
	limit, ok := map[string]int64{
		"Limits.MaxFiles": int64(limits.MaxFiles), "Limits.MaxBytes": limits.MaxBytes,
		"Limits.MaxPathBytes": int64(limits.MaxPathBytes), "Limits.MaxDepth": int64(limits.MaxDepth),
	}[crossed.Option]
	if !ok {
		return err
	}
	if crossed.Name != "" {
		name = join(name, crossed.Name)
	}
	return &source.LimitError{Option: crossed.Option, Max: limit, Name: name}
}

// child returns the source of a submodule: the parent's, but for what is about its repository. Nothing more is verified,
// since what is signed names the submodule's commit.
func (g *gathering) child(name string, wanted wantedModule, left source.Limits, way *access) (*Source, error) {
	g.visits.count++
	switch {
	case g.module.depth >= maxNesting:
		return nil, fmt.Errorf("submodules are in each other more than %d times: %w", maxNesting, source.ErrTooLarge)
	case g.visits.count > maxModules:
		return nil, fmt.Errorf("there are more than %d submodules: %w", maxModules, source.ErrTooLarge)
	}
	child := &Source{url: way.url, opts: g.opts, scope: g.scope.below(name), rules: wanted.rules, verifier: &verifier{},
		// Below whose home an address without a user leads is what the parent's credentials say.
		objects: g.objects, key: cacheKey(way.url, g.key), turn: make(chan struct{}, 1),
		module: module{access: way, path: join(g.module.path, name), depth: g.module.depth + 1, visits: g.visits}}
	child.opts.Limits = left
	var err error
	if child.choice, err = newChooser(Options{Commit: wanted.commit.String()}); err != nil {
		return nil, err
	}
	child.transport, err = way.transport()
	return child, err
}

// fetch returns the files of a submodule's commit, and of its own submodules.
func (m *module) fetch(ctx context.Context, s *Source, commit object.Hash) (*source.Tree, error) {
	visit := s.key + "@" + commit.String()
	g := s.gathering(nil, tip{want: commit, commit: commit, pinned: true})
	g.visits = m.visits
	var w *walk
	var err error
	if m.visits.before[visit] || m.visits.now[visit] {
		w, err = g.here(ctx)
	}
	if w == nil && err == nil {
		w, err = g.connected(ctx)
	}
	if err != nil {
		return nil, err
	}
	m.visits.now[visit] = true
	return w.files, g.addElsewhere(ctx, w)
}

// here returns the walk through a commit if none of its objects lacks.
func (g *gathering) here(ctx context.Context) (*walk, error) {
	if _, err := g.repository.Records(ctx); err != nil { // others may have added some
		return nil, err
	}
	w := g.newWalk(ctx, g.find)
	if err := w.commit(g.tip.commit, g.rules); err != nil || len(w.lacks) > 0 {
		return nil, err
	}
	return w, nil
}

// connected asks the server.
func (g *gathering) connected(ctx context.Context) (*walk, error) {
	var err error
	if g.remote, err = g.connect(ctx); err != nil {
		return nil, err
	}
	defer g.remote.close()
	if g.tip, err = g.choice.choose(g.remote.refs); err != nil {
		return nil, err
	}
	return g.locked(ctx)
}
