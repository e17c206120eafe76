package kustomize

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Where kustomize finds things. The tree does not stand at the root, so that the rehearsal has a place that is not in it.
const (
	sourceRoot    = "/src"
	overlayRoot   = "/overlay"
	rehearsalRoot = "/rehearsal"
)

// memory is the file system that kustomize sees: the files of a tree and nothing else. It looks at the context at each
// access, so that a build stops there. Kustomize 0.21 calls two of its methods, the others refuse.
type memory struct {
	ctx  context.Context
	tree *tree
}

var _ filesys.FileSystem = (*memory)(nil)

// CleanedAbs splits a path into a folder and the name of a file in it, which is empty if the path is a folder's.
func (m *memory) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	if err := m.ctx.Err(); err != nil {
		return "", "", err
	}
	name = slashed(name)
	if name == rehearsalRoot || name == overlayRoot {
		return confirmed(name), "", nil
	}
	inTree, ok := below(name)
	if !ok {
		return "", "", notThere(name)
	}
	if real, ok := m.tree.links[inTree]; ok {
		inTree, name = real, inMemory(real)
	}
	if _, ok := m.tree.dirs[inTree]; ok {
		return confirmed(name), "", nil
	}
	if _, ok := m.tree.files[inTree]; ok {
		return confirmed(path.Dir(name)), path.Base(name), nil
	}
	return "", "", notThere(name)
}

// ReadFile returns the content of a file. Kustomize does not write to it.
func (m *memory) ReadFile(name string) ([]byte, error) {
	if err := m.ctx.Err(); err != nil {
		return nil, err
	}
	name = slashed(name)
	switch name {
	case path.Join(rehearsalRoot, konfig.DefaultKustomizationFileName()):
		return m.tree.rehearsal()
	case path.Join(overlayRoot, konfig.DefaultKustomizationFileName()):
		return m.tree.overlay, nil
	}
	if inTree, ok := below(name); ok {
		if content, ok := m.tree.files[inTree]; ok {
			return content, nil
		}
	}
	return nil, notThere(name)
}

func slashed(name string) string { return path.Clean(filepath.ToSlash(name)) }

func confirmed(name string) filesys.ConfirmedDir {
	return filesys.ConfirmedDir(filepath.FromSlash(name))
}

// below returns the path in the tree of a path in the memory. Mounts have the same in both.
func below(name string) (string, bool) {
	if name == sourceRoot {
		return ".", true
	}
	if strings.HasPrefix(name, remoteRoot+"/") {
		return name, true
	}
	return strings.CutPrefix(name, sourceRoot+"/")
}

func notThere(name string) error {
	return &fs.PathError{Op: "open", Path: strings.TrimPrefix(name, sourceRoot+"/"), Err: fs.ErrNotExist}
}

var errRefused = errors.New("the file system of a build only gives out files")

func (m *memory) Create(string) (filesys.File, error)  { return nil, errRefused }
func (m *memory) Mkdir(string) error                   { return errRefused }
func (m *memory) MkdirAll(string) error                { return errRefused }
func (m *memory) RemoveAll(string) error               { return errRefused }
func (m *memory) Open(string) (filesys.File, error)    { return nil, errRefused }
func (m *memory) IsDir(string) bool                    { return false }
func (m *memory) ReadDir(string) ([]string, error)     { return nil, errRefused }
func (m *memory) Exists(string) bool                   { return false }
func (m *memory) Glob(string) ([]string, error)        { return nil, errRefused }
func (m *memory) WriteFile(string, []byte) error       { return errRefused }
func (m *memory) Walk(string, filepath.WalkFunc) error { return errRefused }
