package git

import (
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/gitopskit/gitopskit/source"
)

// A tip is what options mean in a repository as it is now.
type tip struct {
	name   string        // what a revision says
	want   plumbing.Hash // what to ask for: an annotated tag itself, since servers need not give its commit by hash
	commit plumbing.Hash
	pinned bool // the commit was named by its hash
}

func resolve(advertised *packp.AdvRefs, opts Options) (tip, error) {
	var t tip
	var err error
	switch {
	case opts.Branch != "":
		t, err = find(advertised, "branch", opts.Branch, "refs/heads/"+opts.Branch)
	case opts.Tag != "":
		t, err = find(advertised, "tag", opts.Tag, "refs/tags/"+opts.Tag)
	case opts.Reference != "":
		t, err = find(advertised, "reference", opts.Reference, opts.Reference)
	case opts.Commit == "":
		t, err = head(advertised)
	}
	if err == nil && opts.Commit != "" {
		commit := plumbing.NewHash(opts.Commit)
		t = tip{name: t.name, want: commit, commit: commit, pinned: true}
	}
	return t, err
}

func find(advertised *packp.AdvRefs, kind, name, reference string) (tip, error) {
	want, ok := advertised.References[reference]
	if !ok {
		return tip{}, fmt.Errorf("%s %q: %w", kind, name, source.ErrNotFound)
	}
	t := tip{name: name, want: want, commit: want}
	if commit, ok := advertised.Peeled[reference]; ok {
		t.commit = commit
	}
	return t, nil
}

// head is named for its branch where the server says which it is.
func head(advertised *packp.AdvRefs) (tip, error) {
	if advertised.Head == nil {
		return tip{}, fmt.Errorf("HEAD: %w: its branch has no commit", source.ErrNotFound)
	}
	t := tip{name: "HEAD", want: *advertised.Head, commit: *advertised.Head}
	for _, symbolic := range advertised.Capabilities.Get(capability.SymRef) {
		if target, ok := strings.CutPrefix(symbolic, "HEAD:"); ok {
			t.name = strings.TrimPrefix(target, "refs/heads/")
		}
	}
	return t, nil
}
