package cache

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// A candidate is a record that evict may remove, or, without a file, a repository's folder with nothing but leftovers.
type candidate struct {
	repository, file string
	used             time.Time
}

// evict removes the records that were used longest ago until the folder's files have at most maxBytes. It spares the record
// that was just added, and repositories that others have locked, which are in use: their turn comes with the next Add.
func (f *folder) evict(own, added string) error {
	sizes, candidates, err := f.survey()
	if err != nil {
		return err
	}
	total := int64(0)
	for _, size := range sizes {
		total += size
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return a.used.Compare(b.used) })
	for _, c := range candidates {
		if total <= f.maxBytes {
			break
		}
		if c.repository == own && (c.file == added || c.file == "") {
			continue
		}
		left, err := f.remove(c, c.repository == own)
		if errors.Is(err, errInUse) {
			continue
		}
		if err != nil {
			return err
		}
		total += left - sizes[c.repository]
		sizes[c.repository] = left
	}
	return nil
}

// survey returns what each repository's files take, by its folder, and what may go.
func (f *folder) survey() (map[string]int64, []candidate, error) {
	folders, err := os.ReadDir(f.dir)
	sizes := map[string]int64{}
	var candidates []candidate
	for _, d := range folders {
		if !isRepository(d) {
			continue
		}
		root, e := f.open(d.Name())
		if e != nil {
			continue // another process evicted it
		}
		found, _ := files(root)
		_ = root.Close()
		records := len(candidates)
		for _, file := range found {
			sizes[d.Name()] += file.Size()
			if strings.HasPrefix(file.Name(), recordKind) {
				candidates = append(candidates, candidate{d.Name(), file.Name(), file.ModTime()})
			}
		}
		if len(candidates) == records {
			candidates = append(candidates, candidate{repository: d.Name()})
		}
	}
	return sizes, candidates, err
}

func isRepository(d fs.DirEntry) bool {
	return d.IsDir() && len(d.Name()) == 64 && strings.Trim(d.Name(), "0123456789abcdef") == ""
}

var errInUse = errors.New("in use")

// remove removes a candidate and returns what its repository's files take then. A repository that is left empty goes with
// its lock.
func (f *folder) remove(c candidate, locked bool) (left int64, err error) {
	if !locked {
		unlock, ok := f.locks.try(c.repository)
		if !ok {
			return 0, errInUse
		}
		defer unlock()
		file, err := f.tryLock(c.repository)
		if file == nil {
			return 0, cmp.Or(err, errInUse)
		}
		defer file.Close()
	}
	root, err := f.open(c.repository)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	if c.file != "" {
		if err := root.Remove(c.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	if err := sweep(root); err != nil {
		return 0, err
	}
	found, err := files(root)
	for _, file := range found {
		left += file.Size()
	}
	if len(found) == 0 && err == nil && !locked {
		f.forget(c.repository, root)
	}
	return left, err
}

// forget removes the folder of a repository, unless it has files of others.
func (f *folder) forget(repository string, root *os.Root) {
	top, err := os.OpenRoot(f.dir)
	if err != nil {
		return
	}
	defer top.Close()
	_ = root.Remove(lockName)
	_ = top.Remove(repository)
}
