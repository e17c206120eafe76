package sourcetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/gitopskit/gitopskit/source"
)

// identities wants no identity that is not known, but of those that are, that each is of one content.
func identities(ctx context.Context, o Origin) error {
	s, before, err := o.first(ctx, map[string][]byte{
		"top": []byte("1"), "twin": []byte("1"), "apps/a/b/deep": []byte("1"), "apps/gone": []byte("1"),
		"still/x": []byte("1"), "still/y/z": []byte("2"), "swapped/a": []byte("1"), "swapped/b": []byte("2"),
	})
	if err != nil {
		return err
	}
	after, err := o.next(ctx, s, before.Revision, map[string][]byte{
		"apps/a/b/deep": []byte("2"), "apps/gone": nil, "apps/new": []byte("1"), "arrived": []byte("1"),
		"swapped/a": []byte("2"), "swapped/b": []byte("1"),
	})
	if err != nil {
		return err
	}
	old, err := identified(before)
	if err != nil {
		return err
	}
	now, err := identified(after)
	if err != nil {
		return fmt.Errorf("after a change: %w", err)
	}
	return errors.Join(oneContent(old, now), oneIdentity(old, now))
}

// A thing is what stands at a path.
type thing struct {
	path, identity string
	content        string // a hash, of a folder's too, by reading all that is in it
}

// identified returns all files and folders by path.
func identified(snapshot *source.Snapshot) (map[string]thing, error) {
	if got, err := source.Identity(snapshot, "apps/missing"); got != "" || !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("what is not there has the identity %q and the error %v instead of %v",
			got, err, fs.ErrNotExist)
	}
	all := make(map[string]thing)
	err := fs.WalkDir(snapshot, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		identity, err := source.Identity(snapshot, name)
		if err != nil {
			return fmt.Errorf("the identity of %q: %w", name, err)
		}
		content, err := hashed(snapshot, name)
		all[name] = thing{name, identity, content}
		return err
	})
	return all, err
}

func hashed(content fs.FS, name string) (string, error) {
	info, err := fs.Stat(content, name)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		body, err := fs.ReadFile(content, name)
		return fmt.Sprintf("file %x", sha256.Sum256(body)), err
	}
	entries, err := fs.ReadDir(content, name)
	sum := sha256.New()
	for _, e := range entries {
		inner, failed := hashed(content, path.Join(name, e.Name()))
		info, gone := e.Info()
		if err = errors.Join(err, failed, gone); err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%q %v %s\n", e.Name(), info.Mode(), inner)
	}
	return fmt.Sprintf("folder %x", sum.Sum(nil)), err
}

// oneContent wants one content for an identity, wherever it is met.
func oneContent(states ...map[string]thing) error {
	known := make(map[string]thing)
	for _, state := range states {
		for _, name := range slices.Sorted(maps.Keys(state)) {
			now := state[name]
			if old, ok := known[now.identity]; ok && now.identity != "" && old.content != now.content {
				return fmt.Errorf("%q and %q have one identity, %q, and different contents",
					old.path, now.path, now.identity)
			}
			known[now.identity] = now
		}
	}
	return nil
}

// oneIdentity wants one identity for a path as long as its content stays.
func oneIdentity(old, now map[string]thing) error {
	for _, name := range slices.Sorted(maps.Keys(old)) {
		was, is := old[name], now[name]
		if was.content == is.content && was.identity != is.identity {
			return fmt.Errorf("%q has not changed, and its identity has, from %q to %q", name, was.identity, is.identity)
		}
	}
	return nil
}
