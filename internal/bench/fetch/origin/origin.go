// Package origin is what gitopskit's own programs of the areas git and bucket have in common: a Source that is fetched from.
package origin

import (
	"context"
	"errors"
	"io/fs"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/source"
)

// Known is the revision that the Source has now. It has fetched all of it then, as one in a program that runs for long has.
func Known(ctx context.Context, from source.Source) (source.Revision, error) {
	before, err := from.Fetch(ctx, source.Revision{})
	if err != nil {
		return source.Revision{}, err
	}
	return before.Revision, before.Close()
}

// Fetch gives the files of what is not known, and nothing where nothing is new.
func Fetch(from source.Source, known source.Revision) *fetch.Fetch {
	return &fetch.Fetch{Run: func(ctx context.Context) (fs.FS, error) {
		snapshot, err := from.Fetch(ctx, known)
		if errors.Is(err, source.ErrNotModified) {
			return nil, nil
		}
		if err != nil {
			return nil, err // and not a nil snapshot in an interface
		}
		return snapshot, nil
	}}
}
