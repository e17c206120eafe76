package git_test

import (
	"math"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// Whoever wants no limit sets the largest one that there is.
func TestLimitsAtTheirTypesMaximum(t *testing.T) {
	repo := testbed.Git(t)
	grown(t, repo)
	most := source.Limits{MaxFiles: math.MaxInt, MaxBytes: math.MaxInt64, MaxFileBytes: math.MaxInt64,
		MaxPathBytes: math.MaxInt, MaxDepth: math.MaxInt, MaxIgnoreBytes: math.MaxInt64}
	for name, limits := range map[string]source.Limits{
		"all": most, "files": {MaxFiles: most.MaxFiles}, "files, a third": {MaxFiles: most.MaxFiles / 3},
		"bytes": {MaxBytes: most.MaxBytes}, "file bytes": {MaxFileBytes: most.MaxFileBytes},
		"path bytes": {MaxPathBytes: most.MaxPathBytes}, "depth": {MaxDepth: most.MaxDepth},
		"ignore bytes": {MaxIgnoreBytes: most.MaxIgnoreBytes},
	} {
		for _, paths := range [][]string{nil, {"apps/web", "other/1"}} { // with paths, packs come one after the other
			folder, err := git.OpenCache(t.TempDir(), git.CacheOptions{MaxBytes: math.MaxInt64})
			must(t, err)
			for _, cache := range []*git.Cache{nil, folder, git.NewCache(git.CacheOptions{MaxBytes: math.MaxInt64})} {
				s := newSource(t, repo.URL(), git.Options{Paths: paths, Limits: limits, Cache: cache, Ignore: "*.md",
					MaxReferenceBytes: math.MaxInt64, StallTimeout: math.MaxInt64 * time.Nanosecond})
				snapshot, err := s.Fetch(t.Context(), source.Revision{})
				if err != nil {
					t.Errorf("%s, %q: %v", name, paths, err)
					continue
				}
				if got := readFile(t, snapshot, "apps/web/7/file.yaml"); got != "web 7" {
					t.Errorf("%s, %q: got %q", name, paths, got)
				}
			}
		}
	}
}
