package git

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gitopskit/gitopskit/source/git/internal/lfs"
	"github.com/gitopskit/gitopskit/source/git/internal/transport"
)

// LFS says what becomes of files that Git LFS keeps outside of a repository, in which a pointer stands for each.
type LFS string

// What Options.LFS may be.
const (
	LFSPointers LFS = ""       // the files are the pointers, as git archive has them
	LFSFetch    LFS = "fetch"  // the files are what the pointers stand for, which the repository's LFS server is asked for
	LFSRefuse   LFS = "refuse" // a pointer is an error that names the file
)

// addPointed adds the files that pointers stand for.
func (g *gathering) addPointed(ctx context.Context, w *walk) error {
	if len(w.pointers) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(w.pointers))
	if g.opts.LFS == LFSRefuse {
		others := ""
		if len(names) > 1 {
			others = fmt.Sprintf(", as %d files are", len(names))
		}
		return fmt.Errorf("%q is in Git LFS%s: set Options.LFS to fetch what is, or to have the pointers", names[0], others)
	}
	var err error
	if g.stored, err = g.fetchPointed(ctx, w.pointers); err != nil {
		return err
	}
	for _, name := range names {
		p := w.pointers[name]
		if err := w.files.AddFile(name, p.executable, g.stored[p.OID]); err != nil {
			return err
		}
		if err := w.files.Identify(name, "sha256:"+p.OID); err != nil {
			return err
		}
	}
	return nil
}

// fetchPointed returns contents by their OIDs. What the source had for its last commit is not fetched again.
func (g *gathering) fetchPointed(ctx context.Context, pointers map[string]pointer) (map[string][]byte, error) {
	before := g.lastStored()
	contents, lacking := make(map[string][]byte), make(map[string]lfs.Pointer)
	for name, p := range pointers {
		body, ok := before[p.OID]
		if ok && int64(len(body)) == p.Size && !p.Extended {
			contents[p.OID] = body
		} else {
			lacking[name] = p.Pointer
		}
	}
	if len(lacking) == 0 {
		return contents, nil
	}
	client, ok := g.transport.(*transport.HTTP)
	if !ok {
		return nil, fmt.Errorf("%q is in Git LFS, which is fetched over HTTP and HTTPS only",
			slices.Min(slices.Collect(maps.Keys(lacking))))
	}
	session := client.Session()
	defer session.Close() // it has no errors of its own
	fetched, err := lfs.Fetch(ctx, session, &g.url, lacking, g.opts.Limits)
	maps.Copy(contents, fetched)
	return contents, err
}

func (s *Source) lastStored() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return nil
	}
	return s.last.stored
}

// addElsewhere adds what the repository has not itself.
func (g *gathering) addElsewhere(ctx context.Context, w *walk) error {
	if err := g.addPointed(ctx, w); err != nil {
		return fmt.Errorf("commit %s: %w", g.tip.commit, err)
	}
	if err := g.addSubmodules(ctx, w); err != nil {
		return fmt.Errorf("commit %s: %w", g.tip.commit, err)
	}
	return w.close()
}
