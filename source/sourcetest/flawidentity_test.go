package sourcetest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

// telling is content with identities that somebody else makes up.
type telling struct {
	fs.FS
	tell func(content fs.FS, name string) (string, error)
}

func (f telling) Identity(name string) (string, error) {
	identity, err := f.tell(f.FS, name)
	if err != nil {
		return "", err
	}
	return identity, nil
}

func identifiedBy(tell func(content fs.FS, name string) (string, error)) flaw {
	return func(_ *memory, right source.Func) source.Func {
		return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
			s, err := right(ctx, known)
			if err != nil {
				return nil, err
			}
			return source.NewSnapshot(telling{s.FS, tell}, s.Revision), nil
		}
	}
}

func kindOf(content fs.FS, name string) (fs.FileMode, error) {
	info, err := fs.Stat(content, name)
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

func TestCheckFindsIdentitiesThatLie(t *testing.T) {
	var count atomic.Int64
	for name, tt := range map[string]struct {
		tell func(content fs.FS, name string) (string, error)
		want string
	}{
		"stays though the content changes": {func(content fs.FS, name string) (string, error) {
			mode, err := kindOf(content, name)
			return fmt.Sprint(mode, name), err
		}, "and different contents"},
		"of a folder stays though what is deep in it changes": {func(content fs.FS, name string) (string, error) {
			if mode, err := kindOf(content, name); err != nil || !mode.IsDir() {
				return "", err
			}
			entries, err := fs.ReadDir(content, name)
			return fmt.Sprint(name, entries), err
		}, `"apps/a" and "apps/a" have one identity`},
		"of a folder is that of all bytes in it": {func(content fs.FS, name string) (string, error) {
			if mode, err := kindOf(content, name); err != nil || !mode.IsDir() {
				return "", err
			}
			var all strings.Builder
			err := fs.WalkDir(content, name, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				body, err := fs.ReadFile(content, path)
				all.Write(body)
				return err
			})
			return all.String(), err
		}, "and different contents"},
		"knows no kinds": {func(content fs.FS, name string) (string, error) {
			if mode, err := kindOf(content, name); err != nil || mode.IsDir() {
				return "1", err
			}
			body, err := fs.ReadFile(content, name)
			return string(body), err
		}, "have one identity"},
		"never the same twice": {func(content fs.FS, name string) (string, error) {
			_, err := kindOf(content, name)
			return fmt.Sprint(count.Add(1)), err
		}, "has not changed, and its identity has"},
		"of nothing": {func(content fs.FS, name string) (string, error) {
			got, err := source.Identity(content, name)
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return got, err
		}, "what is not there"},
		"fails": {func(content fs.FS, name string) (string, error) {
			if name == "still/x" {
				return "", fs.ErrInvalid
			}
			return source.Identity(content, name)
		}, `the identity of "still/x"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := fmt.Sprint(check(t, identifiedBy(tt.tell)))
			if !strings.Contains(got, "IdentityIsOfTheContent: ") || !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %q", got, tt.want)
			}
		})
	}
}

func TestCheckPassesUnknownIdentities(t *testing.T) {
	if err := check(t, identifiedBy(func(content fs.FS, name string) (string, error) {
		_, err := kindOf(content, name)
		return "", err
	})); err != nil {
		t.Error(err)
	}
	// Content that tells none at all is as good.
	if err := check(t, func(_ *memory, right source.Func) source.Func {
		return func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
			s, err := right(ctx, known)
			if err != nil {
				return nil, err
			}
			return source.NewSnapshot(inner{s.FS}, s.Revision), nil
		}
	}); err != nil {
		t.Error(err)
	}
}
