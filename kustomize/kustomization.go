package kustomize

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
)

// kustomization is a kustomization file, or what stands for one in a folder without.
type kustomization struct {
	types.Kustomization
	dir  string
	file string // the path of the file; the folder's where there is none

	content  []byte            // of the file
	moved    map[string]string // names of what is remote, by the reference
	embedded bool              // it stands for the configuration of a plugin
}

// kustomization reads the kustomization file in dir. It returns nil if there is none.
func (s *scanner) kustomization(dir string) (*kustomization, error) {
	file, err := s.kustomizationFile(dir)
	if file == "" || err != nil {
		return nil, err
	}
	content, err := s.give(file)
	if err != nil {
		return nil, err
	}
	if k, ok := s.known[dir]; ok {
		return k, nil
	}
	if err := guardText(content); err != nil {
		return nil, at(file, err)
	}
	k := &kustomization{dir: dir, file: file, content: content}
	err = k.parse(content)
	if err == nil {
		err = guardKeys(content)
	}
	if err != nil {
		return nil, at(file, err)
	}
	s.known[dir] = k
	return k, nil
}

func (s *scanner) kustomizationFile(dir string) (found string, err error) {
	for _, base := range konfig.RecognizedKustomizationFileNames() {
		name := path.Join(dir, base)
		e, err := s.look(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return "", at(name, err)
		case e.dir:
		case found != "":
			return "", at(name, fmt.Errorf("a second kustomization file, beside %s", path.Base(found)))
		default:
			found = name
		}
	}
	return found, nil
}

// parse does what kustomize does with the content of a kustomization file, and asks of it what kustomize asks.
func (k *kustomization) parse(content []byte) (err error) {
	defer recoverTo(&err)
	if err := k.Unmarshal(content); err != nil {
		if strings.Contains(err.Error(), "yaml: ") {
			return document{text: content, line: 1}.syntaxError(err)
		}
		return &reason{text: strings.TrimPrefix(plainText(err), "json: "), original: err}
	}
	k.FixKustomization()
	if err := k.CheckEmpty(); err != nil {
		return errors.New("is empty")
	}
	if problems := k.EnforceFields(); len(problems) > 0 {
		return errors.New(strings.Join(problems, ", "))
	}
	return nil
}

// plain says whether the kustomization does nothing but list resources.
func (k *kustomization) plain() bool {
	rest := k.Kustomization
	rest.TypeMeta, rest.MetaData, rest.Resources = types.TypeMeta{}, nil, nil
	return k.Kind == types.KustomizationKind && reflect.DeepEqual(rest, types.Kustomization{})
}

// listFolder makes up the kustomization that lists what is in a folder without one: every .yaml and .yml file in it and in
// its subfolders, and each subfolder that has a kustomization as that.
func (s *scanner) listFolder(dir string) (*kustomization, error) {
	k := &kustomization{dir: dir, file: dir}
	k.FixKustomization()
	if err := s.list(&lister{in: s.intake}, dir, ".", k); err != nil {
		return nil, err
	}
	content, err := json.Marshal(k.Kustomization)
	if err != nil {
		return nil, at(dir, err)
	}
	s.tree.files[path.Join(dir, konfig.DefaultKustomizationFileName())] = content
	return k, nil
}

// list goes through folders as filepath.Walk does: what is in a subfolder comes where the name of that stands.
func (s *scanner) list(l *lister, root, sub string, k *kustomization) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	dir := path.Join(root, sub)
	entries, err := l.folder(dir)
	if errors.Is(err, ErrTooLarge) {
		return at(root, err) // dir may be a very long path
	}
	if err != nil {
		return at(dir, err)
	}
	if sub != "." && s.hasKustomization(dir, entries) {
		return s.add(k, sub)
	}
	s.found.folders[dir] = s.listing(dir, entries)
	for _, e := range entries {
		name := path.Join(sub, e.Name())
		switch {
		case e.IsDir():
			l.depth++
			err = s.list(l, root, name, k)
			l.depth--
		case isManifest(e.Name()) && s.isFile(path.Join(root, name), e):
			err = s.add(k, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add lists a path. The "./" keeps a folder that is called github.com from being taken for a host.
func (s *scanner) add(k *kustomization, name string) error {
	k.Resources = append(k.Resources, "./"+name)
	if len(k.Resources) > s.limits.MaxFiles {
		return fmt.Errorf("%w: more than %d files (Options.MaxFiles)", ErrTooLarge, s.limits.MaxFiles)
	}
	return nil
}

func (in *intake) hasKustomization(dir string, entries []fs.DirEntry) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return !e.IsDir() && isKustomization(e.Name()) && in.isFile(path.Join(dir, e.Name()), e)
	})
}

func isKustomization(name string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), name)
}

func isHidden(name string) bool { return strings.HasPrefix(name, ".") && name != "." }

func isManifest(name string) bool {
	ext := path.Ext(name)
	return ext == ".yaml" || ext == ".yml"
}

// isFile follows symbolic links to files. Links to folders are not walked: they could lead round in circles. A link that leads
// nowhere, out of the root or to itself is taken for a file, and is an error where that is read: the file system is not asked
// to follow it.
func (in *intake) isFile(name string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return true
	}
	if _, err := in.main.links.real(name); err != nil {
		return true
	}
	info, err := fs.Stat(in.main.fsys, name)
	return err != nil || !info.IsDir()
}
