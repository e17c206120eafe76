package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
)

// ways are how the contender does each work: each returns the work tree, or nothing where nothing is new.
func (r *run) ways() map[string]func(context.Context) (string, error) {
	if r.Who == partial {
		return map[string]func(context.Context) (string, error){
			fetch.NothingNew: r.ask, fetch.Full: r.whole, fetch.Path: r.sparse, fetch.NewCommit: r.update,
			fetch.SemVer: r.version, fetch.OldCommit: r.commit,
		}
	}
	return map[string]func(context.Context) (string, error){
		fetch.Full: r.whole, fetch.Path: r.whole, fetch.NewCommit: r.whole, fetch.SemVer: r.version, fetch.OldCommit: r.history,
	}
}

// ask is how git tells whether there is something new. With version 2 of the protocol it is two requests; with version 0 it
// is one, and as long as there are few references the faster way.
func (r *run) ask(ctx context.Context) (string, error) {
	answer, err := r.git(ctx, "-c", "protocol.version=0", "ls-remote", r.URL, "refs/heads/"+fetch.Branch)
	if err != nil {
		return "", err
	}
	if hash, _, _ := strings.Cut(answer, "\t"); hash != r.Commit {
		return r.Folder, nil
	}
	return "", nil
}

// whole is the clone that the area is about.
func (r *run) whole(ctx context.Context) (string, error) { return r.clone(ctx, "--depth=1") }

// sparse brings the trees of all folders, and then the blobs of one. A clone without trees (tree:0) gets them all the same
// when it checks out, by two requests more.
func (r *run) sparse(ctx context.Context) (string, error) {
	dir, err := r.clone(ctx, "--depth=1", "--filter=blob:none", "--sparse", "--no-checkout")
	if err != nil {
		return "", err
	}
	if _, err := r.git(ctx, "-C", dir, "sparse-checkout", "set", r.Path); err != nil {
		return "", err
	}
	_, err = r.git(ctx, "-C", dir, "checkout", "--quiet")
	return dir, err
}

// stand makes the clone that update is about.
func (r *run) stand(ctx context.Context) error {
	_, err := r.git(ctx, "clone", "--quiet", "--depth=1", "--single-branch", r.URL, r.standing())
	return err
}

func (r *run) standing() string { return filepath.Join(r.Folder, "standing") }

// update brings the new commit into the clone that stands there. Nothing is cleaned up on the way.
func (r *run) update(ctx context.Context) (string, error) {
	_, err := r.git(ctx, "-C", r.standing(), "fetch", "--quiet", "--depth=1", "--no-tags", "--no-auto-maintenance",
		"origin", fetch.Branch)
	if err != nil {
		return "", err
	}
	_, err = r.git(ctx, "-C", r.standing(), "reset", "--quiet", "--hard", "FETCH_HEAD")
	return r.standing(), err
}

// version chooses the highest tag as a script does, with git's own order of versions, and clones it. The range is a major
// version: the tags in it that have a hyphen are prereleases, which are not asked for.
func (r *run) version(ctx context.Context) (string, error) {
	pattern := "v" + strings.TrimSuffix(r.Range, "x") + "*"
	answer, err := r.git(ctx, "ls-remote", "--tags", "--refs", "--sort=-v:refname", r.URL, pattern)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(answer) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "\trefs/tags/")
		if !strings.Contains(name, "-") {
			// It would ask for all tags once more.
			return r.clone(ctx, "--depth=1", "--no-tags", "--branch="+name)
		}
	}
	return "", errors.New("no tag is in the range " + r.Range)
}

// commit fetches it by its hash, which servers may refuse; this one does not.
func (r *run) commit(ctx context.Context) (string, error) {
	dir := filepath.Join(r.Folder, "commit")
	for _, args := range [][]string{
		{"init", "--quiet", dir},
		{"-C", dir, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-auto-maintenance", r.URL, r.Commit},
		{"-C", dir, "-c", "advice.detachedHead=false", "checkout", "--quiet", "FETCH_HEAD"},
	} {
		if _, err := r.git(ctx, args...); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// history is the way of who knows clone only: a commit needs the branch's history.
func (r *run) history(ctx context.Context) (string, error) {
	dir, err := r.clone(ctx, "--no-checkout")
	if err != nil {
		return "", err
	}
	_, err = r.git(ctx, "-C", dir, "-c", "advice.detachedHead=false", "checkout", "--quiet", r.Commit)
	return dir, err
}
