package kustomize

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// lister lists folders without a kustomization. It takes entries in as many as come at once and keeps those that count, so
// that a folder of a million other files costs no memory.
type lister struct {
	in    *intake
	seen  int // how many entries there were in all
	depth int // how many folders the current one is in
}

// batch is how many entries are asked for at once.
const batch = 1_000

// folder returns those entries of dir that a listing is about, sorted by name: folders, manifests and kustomization files.
func (l *lister) folder(dir string) ([]fs.DirEntry, error) {
	f, err := l.in.main.fsys.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var kept []fs.DirEntry
	keep := func(entries []fs.DirEntry) error {
		for _, e := range entries {
			if isListed(e) {
				kept = append(kept, e)
			}
		}
		return l.count(len(entries))
	}
	folder, ok := f.(fs.ReadDirFile)
	if !ok {
		var all []fs.DirEntry
		if all, err = fs.ReadDir(l.in.main.fsys, dir); err == nil {
			err = keep(all)
		}
	}
	for ok && err == nil {
		err = l.in.ctx.Err()
		var some []fs.DirEntry
		if err == nil {
			some, err = folder.ReadDir(batch)
		}
		if counted := keep(some); counted != nil {
			return nil, counted
		}
		if len(some) == 0 && err == nil {
			break // against the contract of ReadDir, and else without an end
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	slices.SortFunc(kept, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return kept, nil
}

// count counts an entry once for each folder that it is in.
func (l *lister) count(entries int) error {
	l.seen += entries * (l.depth + 1)
	if l.seen > l.in.limits.MaxEntries {
		return fmt.Errorf("%w: more than %d entries in folders without a kustomization (Options.MaxEntries)",
			ErrTooLarge, l.in.limits.MaxEntries)
	}
	return nil
}

func isListed(e fs.DirEntry) bool {
	return !isHidden(e.Name()) && (e.IsDir() || isManifest(e.Name()) || isKustomization(e.Name()))
}
