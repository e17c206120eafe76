package artifact_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"os"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
)

// release packs a version of podinfo and makes it the current one.
func release(ctx context.Context, store *artifact.DirStore, replicas, revision string) error {
	tree := fstest.MapFS{"deploy.yaml": {Data: []byte("replicas: " + replicas + "\n")}}
	d, err := artifact.PackTo(ctx, store, tree, artifact.PackOptions{})
	if err != nil {
		return err
	}
	return store.Tag(ctx, "apps/podinfo", d.Digest, revision)
}

// A tag's history has what to roll back to, also after a restart. To roll back is
// to tag the earlier artifact again.
func ExampleDirStore_History() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := artifact.Dir(dir, artifact.DirOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	for replicas, revision := range []string{"main@sha1:aa01", "main@sha1:bb02", "main@sha1:cc03"} {
		if err := release(ctx, store, fmt.Sprint(replicas), revision); err != nil {
			log.Fatal(err)
		}
	}

	// The current one turns out to be bad: back to the one before.
	bad, err := store.Resolve(ctx, "apps/podinfo")
	if err != nil {
		log.Fatal(err)
	}
	var good artifact.Tagged
	for t, err := range store.History(ctx, "apps/podinfo") {
		if err != nil {
			log.Fatal(err)
		}
		if t.Digest != bad.Digest {
			good = t
			break
		}
	}
	if err := store.Tag(ctx, good.Name, good.Digest, good.Revision); err != nil {
		log.Fatal(err)
	}

	current, err := store.Resolve(ctx, "apps/podinfo")
	if err != nil {
		log.Fatal(err)
	}
	tree, err := openTagged(ctx, store, current)
	if err != nil {
		log.Fatal(err)
	}
	data, err := fs.ReadFile(tree, "deploy.yaml")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s", current.Revision, data)
	for t := range store.History(ctx, "apps/podinfo") {
		fmt.Println(t.Revision)
	}
	// Output:
	// main@sha1:bb02: replicas: 1
	// main@sha1:bb02
	// main@sha1:cc03
	// main@sha1:bb02
	// main@sha1:aa01
}

// openTagged opens what a tag names.
func openTagged(ctx context.Context, store *artifact.DirStore, t artifact.Tagged) (fs.FS, error) {
	d, err := store.Stat(ctx, t.Digest)
	if err != nil {
		return nil, err
	}
	r, err := store.Open(ctx, t.Digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return artifact.Open(ctx, r, d, artifact.UnpackOptions{})
}

// What tags name stays, with as much of their history as Keep says. Here age keeps
// nothing, so that there is something to see: a store that others put into at the
// same time leaves Younger as it is.
func ExampleDirStore_GC() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := artifact.Dir(dir, artifact.DirOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	for n := range 5 {
		if err := release(ctx, store, fmt.Sprint(n), fmt.Sprint("v", n)); err != nil {
			log.Fatal(err)
		}
	}
	collected, err := store.GC(ctx, artifact.Keep{History: 2, Younger: -1})
	if err != nil {
		log.Fatal(err)
	}
	left := 0
	for _, err := range store.List(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		left++
	}
	fmt.Printf("%d collected, %d left\n", len(collected.Digests), left)
	// Output: 3 collected, 2 left
}
