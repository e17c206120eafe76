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
		return fmt.Errorf("%q and %d other files are in Git LFS: set Options.LFS to fetch them", names[0], len(names)-1)
	}
	files := make(map[string]lfs.Pointer, len(names))
	for name, p := range w.pointers {
		files[name] = p.Pointer
	}
	client, ok := g.transport.(*transport.HTTP)
	if !ok {
		return fmt.Errorf("%q is in Git LFS, which is fetched over HTTP and HTTPS only", names[0])
	}
	session := client.Session()
	defer session.Close() // it has no errors of its own
	contents, err := lfs.Fetch(ctx, session, &g.url, files, g.opts.Limits)
	if err != nil {
		return err
	}
	for _, name := range names {
		p := w.pointers[name]
		if err := w.files.AddFile(name, p.executable, contents[p.OID]); err != nil {
			return err
		}
		if err := w.files.Identify(name, "sha256:"+p.OID); err != nil {
			return err
		}
	}
	return nil
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
