package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/fluxcd/pkg/tar"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/internal/bench/archive"
	"github.com/gitopskit/gitopskit/internal/bench/fetch"
)

// An artifactTree is of files that look like manifests, of which one in twenty is a script. It has no links,
// for Flux's package leaves them out.
type artifactTree struct {
	name  string
	count int
	size  int // bytes of a file, at least; none has 400 more
}

// artifactTrees are of an n.
func artifactTrees(n int) []artifactTree {
	return []artifactTree{
		{"manifests", max(n/10, 1), 5 << 10},
		{"small files", n, 512},
		{"large files", max(n/500, 1), 5 << 20},
	}
}

// fileName puts twenty files in a folder.
func (t artifactTree) fileName(i int) string {
	name := fmt.Sprintf("apps/team-%04d/svc-%02d/app-%06d.yaml", i/400, i/20%20, i)
	if i%20 == 19 {
		name += ".sh"
	}
	return name
}

// write makes the tree in a folder, the same each time.
func (t artifactTree) write(folder string) error {
	for i := range t.count {
		name, mode := filepath.Join(folder, filepath.FromSlash(t.fileName(i))), os.FileMode(0o644)
		if i%20 == 19 {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		body := fmt.Appendf(nil, "apiVersion: example\nkind: Services\nmetadata:\n  name: app-%06d\nspec:\n", i)
		random := rand.New(rand.NewPCG(uint64(t.size), uint64(i)))
		if err := os.WriteFile(name, services(random, body, t.size), mode); err != nil {
			return err
		}
	}
	return nil
}

// Whose archives are unpacked and opened.
const (
	byPack = "artifact.Pack"
	byFlux = "fluxcd/pkg/tar"
)

// A writtenTree has its files, and the archives that were made of it.
type writtenTree struct {
	artifactTree
	folder   string
	content  fetch.Content
	archives map[string]packed // by whose it is and its format
}

// A packed tree is a file.
type packed struct {
	path   string
	digest string
	size   int64
}

func (t artifactTree) writeTo(folder string) (*writtenTree, error) {
	w := &writtenTree{artifactTree: t, folder: folder, archives: make(map[string]packed)}
	if err := t.write(w.tree()); err != nil {
		return nil, err
	}
	var err error
	w.content, err = fetch.Read(os.DirFS(w.tree()), "")
	return w, err
}

// tree is the folder of the files.
func (t *writtenTree) tree() string { return filepath.Join(t.folder, "tree") }

// archive returns the one that somebody's packer makes of the tree, and whose content is the tree's.
func (t *writtenTree) archive(ctx context.Context, by, format string) (packed, error) {
	key := by + " " + format
	if a, ok := t.archives[key]; ok {
		return a, nil
	}
	a := packed{path: filepath.Join(t.folder, fmt.Sprintf("%d.tar.%s", len(t.archives), format))}
	err := t.make(ctx, a.path, by, format)
	if err == nil {
		a.digest, a.size, err = t.check(a.path, format)
	}
	if err != nil {
		return a, fmt.Errorf("the archive by %s: %w", by, err)
	}
	t.archives[key] = a
	return a, nil
}

func (t *writtenTree) make(ctx context.Context, path, by, format string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if by == byFlux {
		_, err = tar.Tar(t.tree(), f)
		return err
	}
	compression := map[string]artifact.Compression{archive.Gzip: artifact.Gzip, archive.Zstd: artifact.Zstd}[format]
	_, err = artifact.Pack(ctx, f, os.DirFS(t.tree()), artifact.PackOptions{Compression: compression,
		Limits: artifact.Limits{MaxFiles: 2_000_000, MaxBytes: 1 << 40}})
	return err
}
