package artifact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// Tag is as in [Tagger]. A damaged tag is replaced, and its history lost. The
// history has DirOptions.MaxHistory entries at most.
func (s *DirStore) Tag(ctx context.Context, name string, d digest.Digest, revision string) error {
	file, err := tagFileName(name)
	if err == nil {
		err = checkRevision(revision)
	}
	if err != nil {
		return in("tag", name, err)
	}
	dir, err := artifactDir(d)
	if err != nil {
		return in("tag", name, err)
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return stored("tag", name, err)
	}
	defer unlock()
	if _, err := s.load(dir, d); err != nil {
		return in("tag", name, fmt.Errorf("artifact %s: %w", d, orNotFound(err)))
	}
	return stored("tag", name, s.tag(file, name, tagEntry{Digest: d, Revision: revision, Time: time.Now().UTC()}))
}

// tag needs the lock.
func (s *DirStore) tag(file, name string, e tagEntry) error {
	f, err := s.readTag(file, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrFormat) {
		return err
	}
	if err == nil && f.History[0].Digest == e.Digest && f.History[0].Revision == e.Revision {
		return nil
	}
	f.Name = name
	f.History = slices.Insert(f.History, 0, e)
	f.History = f.History[:min(len(f.History), s.opts.MaxHistory)]
	data, err := f.encode()
	if err != nil {
		return err
	}
	temp, err := s.tempPath(tagKind)
	if err != nil {
		return err
	}
	if err := writeFile(s.root, temp, data); err != nil {
		return errors.Join(err, s.root.RemoveAll(temp))
	}
	if err := s.replace(temp, tagsDir+"/"+file); err != nil {
		return errors.Join(err, s.root.RemoveAll(temp))
	}
	return syncDir(s.root, tagsDir)
}

// Untag is as in [Untagger].
func (s *DirStore) Untag(ctx context.Context, name string) error {
	file, err := tagFileName(name)
	if err != nil {
		return in("untag", name, err)
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return stored("untag", name, err)
	}
	defer unlock()
	at := tagsDir + "/" + file
	if s.misplaced(at) {
		err = s.root.RemoveAll(at)
	} else {
		err = s.root.Remove(at)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = syncDir(s.root, tagsDir)
	}
	return stored("untag", name, err)
}

// Resolve is as in [Resolver]. A damaged tag is an ErrFormat.
func (s *DirStore) Resolve(ctx context.Context, name string) (Tagged, error) {
	f, err := s.findTag(ctx, name)
	if err != nil {
		return Tagged{}, in("resolve", name, err)
	}
	return f.tagged(0), nil
}

// History is as in [Historian].
func (s *DirStore) History(ctx context.Context, name string) iter.Seq2[Tagged, error] {
	return func(yield func(Tagged, error) bool) {
		f, err := s.findTag(ctx, name)
		if err != nil {
			yield(Tagged{}, in("history", name, err))
			return
		}
		for i := range f.History {
			if !yield(f.tagged(i), nil) {
				return
			}
		}
	}
}

func (s *DirStore) findTag(ctx context.Context, name string) (tagFile, error) {
	if err := ctx.Err(); err != nil {
		return tagFile{}, err
	}
	file, err := tagFileName(name)
	if err != nil {
		return tagFile{}, err
	}
	f, err := s.readTag(file, name)
	return f, orNotFound(err)
}

// Tags is as in [TagLister]. A damaged tag comes with an ErrFormat.
func (s *DirStore) Tags(ctx context.Context) iter.Seq2[Tagged, error] {
	return func(yield func(Tagged, error) bool) {
		for f, err := range s.tagFiles(ctx) {
			t := Tagged{Name: f.Name}
			if err == nil {
				t = f.tagged(0)
			}
			if !yield(t, in("list tags", f.Name, err)) {
				return
			}
		}
	}
}

// tagFiles yields all tags, sorted by name. With an error there is a name at
// most.
func (s *DirStore) tagFiles(ctx context.Context) iter.Seq2[tagFile, error] {
	return func(yield func(tagFile, error) bool) {
		entries, err := fs.ReadDir(s.root.FS(), tagsDir)
		if errors.Is(err, fs.ErrNotExist) { // as may be in a read-only store
			err = nil
		}
		if err = cmp.Or(ctx.Err(), err); err != nil {
			yield(tagFile{}, err)
			return
		}
		var names []string
		for _, entry := range entries {
			if name, ok := tagNameOf(entry.Name()); ok {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			f, err := s.findTag(ctx, name)
			if ctx.Err() != nil {
				yield(tagFile{}, ctx.Err())
				return
			}
			if errors.Is(err, ErrNotFound) {
				continue // untagged since
			}
			if err != nil {
				f = tagFile{Name: name}
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

func (s *DirStore) readTag(file, name string) (tagFile, error) {
	f, err := s.openFile(tagsDir + "/" + file)
	if errors.Is(err, errMisplaced) {
		return tagFile{}, damagedTag(err.Error())
	}
	if err != nil {
		return tagFile{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTagFileBytes))
	if err != nil {
		return tagFile{}, err
	}
	return decodeTag(name, data)
}

// tagged returns the artifacts that tags name, with one of the names each: of
// every tag the newest so many that differ. As long as one tag is damaged this is
// not known.
func (s *DirStore) tagged(ctx context.Context, newest int) (map[digest.Digest]string, error) {
	all := make(map[digest.Digest]string)
	for f, err := range s.tagFiles(ctx) {
		if err != nil {
			return nil, in("resolve", f.Name, err)
		}
		own := make(map[digest.Digest]bool)
		for _, e := range f.History {
			own[e.Digest] = true
			if len(own) > newest {
				break
			}
			all[e.Digest] = f.Name
		}
	}
	return all, nil
}
