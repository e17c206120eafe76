package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/source"
)

// small is some content for checks to which it does not matter which.
func small() map[string][]byte {
	return map[string][]byte{"a.yaml": []byte("a: 1\n"), "apps/b.yaml": []byte("b: 1\n")}
}

// compare says how the regular files of content differ from files.
func compare(content fs.FS, files map[string][]byte) error {
	missing := maps.Clone(files)
	err := fs.WalkDir(content, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, ok := files[path]
		if !ok {
			return fmt.Errorf("%q is there and was not written", path)
		}
		delete(missing, path)
		got, err := fs.ReadFile(content, path)
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("%q has %d bytes that differ from the %d that were written", path, len(got), len(want))
		}
		return err
	})
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		err = errors.Join(err, fmt.Errorf("%q was written and is not there", name))
	}
	return err
}

func content(ctx context.Context, o Origin) error {
	files := small()
	files["apps/deep/er/c.yaml"] = []byte("c")
	files["empty"] = []byte{}
	files["with space & ünïcode+%2F.txt"] = []byte("name")
	for i := range 60 {
		files[fmt.Sprintf("many/%02d", i)] = fmt.Appendf(nil, "%d", i)
	}
	_, snapshot, err := o.first(ctx, files)
	if err != nil {
		return err
	}
	defer snapshot.Close() // what matters has been read
	if err := compare(snapshot, files); err != nil {
		return err
	}
	return fstest.TestFS(snapshot, slices.Collect(maps.Keys(files))...)
}

// big is apart from content, because fstest reads every file byte by byte.
func big(ctx context.Context, o Origin) error {
	files := map[string][]byte{"big.bin": bytes.Repeat([]byte("0123456789abcdef"), 400_000), "small": []byte("1")}
	_, snapshot, err := o.first(ctx, files)
	if err != nil {
		return err
	}
	return compare(snapshot, files)
}

func change(ctx context.Context, o Origin) error {
	s, before, err := o.first(ctx, map[string][]byte{"a": []byte("1"), "b/c": []byte("1"), "gone/d": []byte("1")})
	if err != nil {
		return err
	}
	after, err := o.next(ctx, s, before.Revision, map[string][]byte{"b/c": []byte("2"), "new": []byte("1"), "gone/d": nil})
	if err != nil {
		return err
	}
	if before.Revision == after.Revision {
		return fmt.Errorf("content has changed and the revision %s has not", after.Revision)
	}
	return compare(after, map[string][]byte{"a": []byte("1"), "b/c": []byte("2"), "new": []byte("1")})
}

// revert does not ask for the old revision again: a commit that reverts is another commit.
func revert(ctx context.Context, o Origin) error {
	s, snapshot, err := o.first(ctx, small())
	for _, body := range []string{"a: 2\n", "a: 1\n"} {
		if err != nil {
			return err
		}
		snapshot, err = o.next(ctx, s, snapshot.Revision, map[string][]byte{"a.yaml": []byte(body)})
	}
	if err != nil {
		return err
	}
	return compare(snapshot, small())
}

func outlives(ctx context.Context, o Origin) error {
	s, old, err := o.first(ctx, small())
	if err != nil {
		return err
	}
	later, err := o.next(ctx, s, old.Revision, map[string][]byte{"a.yaml": []byte("a: 2\n"), "apps/b.yaml": nil})
	if err != nil {
		return err
	}
	if err := compare(old, small()); err != nil {
		return fmt.Errorf("after a later fetch: %w", err)
	}
	if err := later.Close(); err != nil {
		return err
	}
	if err := compare(old, small()); err != nil {
		return fmt.Errorf("after the later snapshot was closed: %w", err)
	}
	return nil
}

func immutable(ctx context.Context, o Origin) error {
	s, snapshot, err := o.first(ctx, small())
	if err != nil {
		return err
	}
	body, err := fs.ReadFile(snapshot, "a.yaml")
	if err != nil {
		return err
	}
	clear(body)
	entries, err := fs.ReadDir(snapshot, ".")
	if err != nil {
		return err
	}
	clear(entries)
	if err := compare(snapshot, small()); err != nil {
		return fmt.Errorf("after its reader wrote into what it had been given: %w", err)
	}
	again, err := fetch(ctx, s, source.Revision{})
	if err != nil {
		return err
	}
	return compare(again, small())
}
