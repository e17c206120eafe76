package git_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// A program that goes on from the revision that it had the last time. With other options the same revision is other content,
// so it keeps a hash of the options beside the revision.
func Example() {
	opts := git.Options{
		Branch:   "master",
		Paths:    []string{"kustomize"},
		Username: "git",
		Password: os.Getenv("GITHUB_TOKEN"),
	}
	origin, err := git.New("https://github.com/stefanprodan/podinfo", opts)
	if err != nil {
		log.Fatal(err)
	}
	text, err := json.Marshal(opts) // which leaves out credentials and functions
	if err != nil {
		log.Fatal(err)
	}
	hash := digest.FromBytes(text).String()
	var known source.Revision // zero: everything is new
	if os.Getenv("LAST_OPTIONS") == hash {
		if known, err = source.ParseRevision(os.Getenv("LAST_REVISION")); err != nil {
			log.Fatal(err)
		}
	}
	snapshot, err := origin.Fetch(context.Background(), known)
	switch {
	case errors.Is(err, source.ErrNotModified):
		return
	case err != nil:
		log.Fatal(err)
	}
	defer snapshot.Close()
	fmt.Println(snapshot.Revision, hash) // to keep, once all is done with the content
}

func ExampleNew() {
	// Nothing named is the branch that the repository's HEAD is. New connects to nothing.
	origin, err := git.New("https://github.com/stefanprodan/podinfo", git.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://github.com/stefanprodan/podinfo
}

func ExampleNew_branch() {
	origin, err := git.New("https://github.com/stefanprodan/podinfo", git.Options{Branch: "master"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://github.com/stefanprodan/podinfo
}

func ExampleNew_tag() {
	origin, err := git.New("https://github.com/stefanprodan/podinfo", git.Options{Tag: "6.7.0"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://github.com/stefanprodan/podinfo
}

// The newest release of a component whose tags are podinfo/v6.7.0, podinfo/v6.7.1 and so on.
func ExampleNew_semVer() {
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{
		SemVer:     ">=6.7 <7",
		TagPattern: "^podinfo/v(.*)$", // the group is the version
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://example.com/org/fleet.git
}

// What a pull request wants to have merged; GitLab has it as refs/merge-requests/7/head.
func ExampleNew_pullRequest() {
	origin, err := git.New("https://github.com/stefanprodan/podinfo", git.Options{Reference: "refs/pull/7/head"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://github.com/stefanprodan/podinfo
}

// A branch that is held at a commit. Without the branch, the commit is asked for by its hash alone.
func ExampleNew_commit() {
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{
		Branch: "main",
		Commit: "855f775a0d5d8b8c1a6ba1bfa2fd2ef3d2f2b3f6",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://example.com/org/fleet.git
}

// Two folders of a large repository, without what is no manifest. The rest is not downloaded.
func ExampleNew_paths() {
	origin, err := git.New("https://example.com/org/monorepo.git", git.Options{
		Paths:  []string{"deploy/base", "deploy/production"},
		Ignore: "*.md\n/deploy/*/testdata/\n",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://example.com/org/monorepo.git
}

func ExampleNew_submodules() {
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{Submodules: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://example.com/org/fleet.git
}

// Files that Git LFS keeps are fetched from there; without the option they are pointers.
func ExampleNew_lfs() {
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{LFS: git.LFSFetch})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://example.com/org/fleet.git
}

// Sources that share a cache fetch what they have in common once.
func ExampleNewCache() {
	cache := git.NewCache(git.CacheOptions{MaxBytes: 256 << 20})
	for _, branch := range []string{"staging", "production"} {
		origin, err := git.New("https://example.com/org/fleet.git", git.Options{Branch: branch, Cache: cache})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(origin)
	}
	// Output:
	// https://example.com/org/fleet.git
	// https://example.com/org/fleet.git
}

// A folder is shared by processes too, and is there when the program starts again.
func ExampleOpenCache() {
	cache, err := git.OpenCache("/var/cache/fleet/git", git.CacheOptions{})
	if err != nil {
		log.Fatal(err)
	}
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{
		Cache:        cache,
		OnCacheError: func(err error) { log.Print(err) }, // a full disk is no reason not to fetch
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
}
