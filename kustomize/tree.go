package kustomize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// tree is everything that a build needs, read and found harmless before kustomize sees any of it. Kustomize is given the
// files in here and no others, so that what was checked is what is built.
type tree struct {
	dir       string            // the folder to build
	files     map[string][]byte // that kustomize may read, by path
	dirs      map[string]string // that hold kustomizations, with the path of the file
	links     map[string]string // folders that are named by a path with a link in it, by that path
	manifests []manifest        // in the order in which they are listed, one that is listed twice twice
	overlaid  *kustomization    // the overlay of the options, where there is one
	overlay   []byte            // the same as kustomize reads it
	mounts    *mounts           // that files and folders can be in
	root      *level            // what is in them, by kustomization

	plain   bool // nothing but listing resources goes on
	schema  bool // a kustomization names an OpenAPI schema, which kustomize keeps in a global
	fragile bool // something can give a field a value that does not fit its type
	sorted  bool // the first kustomization says how to sort the objects
	noted   bool // it asks for annotations that tell where they come from
	traced  bool // and those have paths, which are not those of what is remote
}

// scanner walks the kustomizations that are reachable from one folder, as kustomize will.
type scanner struct {
	*intake
	*parser
	tree *tree

	level        *level                    // the current kustomization
	stack        []string                  // folders of the kustomizations from the first to the current one
	transforming int                       // how many of those seen do more than list resources
	known        map[string]*kustomization // by folder
	parsed       map[string]manifest       // by file
	named        map[string]bool           // files that something names
	instructed   bool                      // an object is for kustomize to print, or tells it what to do with it
	objects      int
	work         int64
	growth       growth
	printing     printing
}

// scanTree reads the kustomization in dir and all that it refers to, and records in found what it has looked at.
func scanTree(ctx context.Context, fsys fs.FS, dir string, limits Options, found *record) (*tree, error) {
	s := &scanner{
		intake: newIntake(ctx, fsys, limits, found),
		parser: newParser(limits),
		tree:   &tree{dir: dir, files: map[string][]byte{}, dirs: map[string]string{}, links: map[string]string{}},
		known:  map[string]*kustomization{},
		parsed: map[string]manifest{},
		named:  map[string]bool{},
	}
	s.tree.mounts = s.mounts
	t, err := s.scan(dir)
	return t, s.mounts.explain(err)
}

func (s *scanner) scan(dir string) (*tree, error) {
	dir, err := s.needFolder(dir)
	if err != nil {
		return nil, err
	}
	s.tree.dir = dir
	k, err := s.kustomization(dir)
	if err == nil && k == nil {
		k, err = s.listFolder(dir)
	}
	if err != nil {
		return nil, err
	}
	if k.Kind != types.KustomizationKind {
		return nil, at(k.file, fmt.Errorf("is of kind %s, which is built as a part of a kustomization", k.Kind))
	}
	s.tree.sorted = k.SortOptions != nil
	metadata := slices.Concat(k.BuildMetadata, s.limits.Overlay.BuildMetadata)
	s.tree.noted = len(metadata) > 0
	s.tree.traced = slices.Contains(metadata, types.OriginAnnotations) || slices.Contains(metadata, types.TransformerAnnotations)
	if err := s.visit(k); err != nil {
		return nil, err
	}
	if err := s.overlay(k); err != nil {
		return nil, err
	}
	s.tree.plain = s.transforming == 0 && !s.instructed
	if s.tree.plain {
		return s.tree, nil
	}
	if err := s.checkPrinting(); err != nil {
		return nil, err
	}
	if err := s.replaceAddresses(); err != nil {
		return nil, err
	}
	return s.tree, s.limits.checkWork(s.work)
}

// needFolder returns the path of a folder without links. In it stands what kustomize goes up from, for "..".
func (s *scanner) needFolder(dir string) (string, error) {
	e, err := s.look(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", at(dir, &reason{text: "does not exist", original: err})
	}
	if err != nil {
		return "", at(dir, err)
	}
	if !e.dir {
		return "", at(dir, fmt.Errorf("is a file, not a folder"))
	}
	return e.real, nil
}

// visit checks k and everything below it.
func (s *scanner) visit(k *kustomization) error {
	if len(s.stack) == s.limits.MaxDepth {
		return at(k.file, fmt.Errorf("%w: more than %d kustomizations, each in the one before (Options.MaxDepth)",
			ErrTooLarge, s.limits.MaxDepth))
	}
	s.stack = append(s.stack, k.dir)
	defer func() { s.stack = s.stack[:len(s.stack)-1] }()
	defer s.enterLevel(k)()
	s.tree.dirs[k.dir] = k.file
	if !k.plain() {
		s.transforming++
	}
	return at(k.file, s.references(k))
}

// references follows each field of a kustomization that can name something.
func (s *scanner) references(k *kustomization) error {
	for _, follow := range []func(*kustomization) error{
		s.resources, s.components, s.openAPI, s.crds, s.configurations, s.kvSources, s.helm, s.patches, s.replacements, s.plugins,
		s.printable,
	} {
		if err := follow(k); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) resources(k *kustomization) error {
	for _, ref := range k.Resources {
		name, e, err := s.reach(k, "resources", ref, anything)
		if err == nil && e.dir {
			err = s.base(k, name, e.real)
		} else if err == nil {
			err = s.manifest(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// base takes in a kustomization that is a resource of k. One that does nothing but list files, itself or in the bases that
// it lists, is put before kustomize as one file of all of them, which it takes for the same: it tries for a file first. That
// spares it the comparison of the objects with each other at each level, and half the time where there is only one.
func (s *scanner) base(k *kustomization, name, dir string) error {
	first, transforming := len(s.tree.manifests), s.transforming
	if err := s.descend(k, dir, types.KustomizationKind, "resources"); err != nil {
		return err
	}
	if s.transforming == transforming && !s.tree.noted {
		s.merge(name, s.tree.manifests[first:])
	}
	return nil
}

// merge makes one file of several, if the objects in it are then sure to be the same and in the same order.
func (s *scanner) merge(name string, manifests []manifest) {
	if _, ok := s.tree.files[name]; ok {
		return
	}
	var b bytes.Buffer
	for i, m := range manifests {
		content := s.tree.files[m.file]
		// A list is unfolded behind all that is in the same file, and a last line without an end is not that with one.
		if bytes.Contains(content, listKind) || i+1 < len(manifests) && len(content) > 0 && !bytes.HasSuffix(content, lineEnd) {
			return
		}
		if i > 0 {
			b.WriteString("---\n")
		}
		b.Write(content)
	}
	s.tree.files[name] = b.Bytes()
}

var (
	listKind = []byte("List")
	lineEnd  = []byte("\n")
)

func (s *scanner) components(k *kustomization) error {
	for _, ref := range k.Components {
		_, e, err := s.reach(k, "components", ref, folders)
		if err != nil {
			return err
		}
		if !e.dir {
			return fmt.Errorf("components: %s is a file, not a folder", quotedReference(ref))
		}
		if err := s.descend(k, e.real, types.ComponentKind, "components"); err != nil {
			return err
		}
	}
	return nil
}

// descend visits the kustomization in dir, which k names in field and which must be of the given kind.
func (s *scanner) descend(k *kustomization, dir, kind, field string) error {
	if s.leadsHere(dir) {
		return cycle(field, dir)
	}
	sub, err := s.kustomization(dir)
	if err != nil {
		return err
	}
	if sub == nil {
		return noKustomization(field, dir)
	}
	if sub.Kind != kind {
		return fmt.Errorf("%s: %s is of kind %s, not %s", field, sub.file, sub.Kind, kind)
	}
	return s.visit(sub)
}

// leadsHere says whether dir is or holds one of the folders on the way to the current kustomization. Kustomize takes both
// for a cycle.
func (s *scanner) leadsHere(dir string) bool {
	return slices.ContainsFunc(s.stack, func(visited string) bool { return isWithin(visited, dir) })
}

func cycle(field, dir string) error {
	return fmt.Errorf("%s: %w: %s is or holds a kustomization that leads here", field, ErrCycle, dir)
}

func noKustomization(field, dir string) error {
	return &reason{text: fmt.Sprintf("%s: no kustomization.yaml in %s", field, dir), sentinel: fs.ErrNotExist}
}

// isWithin says whether name is dir or below it.
func isWithin(name, dir string) bool {
	return dir == "." && !path.IsAbs(name) || name == dir || strings.HasPrefix(name, dir+"/")
}

// manifest takes in a file of objects.
func (s *scanner) manifest(name string) error {
	content, err := s.give(name)
	if err != nil {
		return err
	}
	m, ok := s.parsed[name]
	if !ok {
		if m, err = s.parser.manifest(content); err != nil {
			return at(name, err)
		}
		m.file = name
		s.parsed[name] = m
		s.instructed = s.instructed || m.spelling == oddTexts || slices.ContainsFunc(m.objects, isForKustomize)
	}
	s.objects += len(m.objects)
	s.work = added(s.work, m.work)
	s.tree.manifests = append(s.tree.manifests, m)
	s.level.parts = append(s.level.parts, part{manifest: m})
	return at(name, s.limits.checkObjects(s.objects))
}

// reach finds what k calls ref in one of its fields, which can name w.
func (s *scanner) reach(k *kustomization, field, ref string, w nameable) (string, entry, error) {
	name, err := s.locate(k, ref, w)
	if err != nil {
		return "", entry{}, k.atWord(field, ref, fmt.Errorf("%s: %w", field, err))
	}
	e, err := s.look(name)
	if err != nil {
		return "", entry{}, k.atWord(field, ref, missing(field, ref, err))
	}
	if e.dir && e.real != name {
		s.tree.links[name] = e.real
	}
	s.named[name] = !e.dir // see replaceAddresses
	return name, e, nil
}

// give takes in the file at name, and makes it one that kustomize may read.
func (s *scanner) give(name string) ([]byte, error) {
	content, err := s.take(name)
	if err != nil {
		return nil, at(name, err)
	}
	s.tree.files[name] = content
	return content, nil
}

// file takes in the file that k calls ref in one of its fields.
func (s *scanner) file(k *kustomization, field, ref string) (name string, content []byte, err error) {
	name, e, err := s.reach(k, field, ref, onlyFiles)
	if err != nil {
		return "", nil, err
	}
	if e.dir {
		return "", nil, fmt.Errorf("%s: %s is a folder, not a file", field, quotedReference(ref))
	}
	content, err = s.give(name)
	return name, content, err
}

// yamlFile is file for YAML. What kustomize does not parse into objects, it parses with a package that bounds aliases itself.
func (s *scanner) yamlFile(k *kustomization, field, ref string) (name string, content []byte, err error) {
	name, content, err = s.file(k, field, ref)
	if err == nil {
		err = at(name, guardText(content))
	}
	return name, content, err
}
