package artifact_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log"
	"os"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/source"
)

// What a source fetched is packed into a store as it is: a snapshot is an fs.FS.
func Example_snapshot() {
	ctx := context.Background()
	// source/git and source/bucket fetch snapshots. This one is made by hand.
	tree := source.NewTree(source.Limits{})
	if err := tree.AddFile("apps/podinfo.yaml", false, []byte("kind: Deployment\n")); err != nil {
		log.Fatal(err)
	}
	snapshot := tree.Snapshot(source.Revision{Name: "main", Digest: "sha1:855f77a1b2c3d4e5f60718293a4b5c6d7e8f9012"})
	defer snapshot.Close()

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
	d, err := artifact.PackTo(ctx, store, snapshot, artifact.PackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d file, %d bytes uncompressed\n", snapshot.Revision, d.Files, d.ContentSize)
	// Output: main@sha1:855f77a1b2c3d4e5f60718293a4b5c6d7e8f9012: 1 file, 2048 bytes uncompressed
}

// What changed from one artifact to the next, without unpacking either: with
// Under, also which of the applications in them.
func ExampleDiff() {
	ctx := context.Background()
	versions := []fstest.MapFS{{
		"apps/podinfo/deploy.yaml": {Data: []byte("replicas: 2\n")},
		"apps/podinfo/hpa.yaml":    {Data: []byte("kind: HorizontalPodAutoscaler\n")},
		"apps/shop/deploy.yaml":    {Data: []byte("replicas: 1\n")},
		"bin/smoke-test":           {Data: []byte("#!/bin/sh\n"), Mode: 0o644},
	}, {
		"apps/podinfo/deploy.yaml": {Data: []byte("replicas: 3\n")},
		"apps/podinfo/pdb.yaml":    {Data: []byte("kind: PodDisruptionBudget\n")},
		"apps/shop/deploy.yaml":    {Data: []byte("replicas: 1\n")},
		"bin/smoke-test":           {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
	}}
	var contents []artifact.Contents
	for _, tree := range versions {
		var blob bytes.Buffer
		d, err := artifact.Pack(ctx, &blob, tree, artifact.PackOptions{})
		if err != nil {
			log.Fatal(err)
		}
		c, err := artifact.ReadContents(ctx, &blob, d, artifact.UnpackOptions{})
		if err != nil {
			log.Fatal(err)
		}
		contents = append(contents, c)
	}
	changes := artifact.Diff(contents[0], contents[1])
	fmt.Println(changes)
	fmt.Println("in all:", changes.Summary())
	fmt.Println("in podinfo:", changes.Under("apps/podinfo").Summary())
	fmt.Println("in shop:", changes.Under("apps/shop").Summary())
	// Output:
	// changed apps/podinfo/deploy.yaml: content, 12 bytes
	// removed apps/podinfo/hpa.yaml: file, 30 bytes
	// added apps/podinfo/pdb.yaml: file, 26 bytes
	// changed bin/smoke-test: file to executable
	// in all: 1 added, 1 removed, 2 changed
	// in podinfo: 1 added, 1 removed, 1 changed
	// in shop: no changes
}

func ExampleReadContents() {
	ctx := context.Background()
	var blob bytes.Buffer
	d, err := artifact.Pack(ctx, &blob, fstest.MapFS{
		"app.yaml": {Data: []byte("kind: List\n")},
		"current":  {Data: []byte("app.yaml"), Mode: fs.ModeSymlink},
	}, artifact.PackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	contents, err := artifact.ReadContents(ctx, &blob, d, artifact.UnpackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(contents)
	// Output:
	// app.yaml: file, 11 bytes, sha256:bac33b4c6ac6e0a5745fec05e34589c0311e6b8da3abd1ab4b4f70205a8f1720
	// current: symlink to app.yaml
}

// A folder that was unpacked is compared with what it was unpacked from.
func ExampleContentsOf() {
	ctx := context.Background()
	tree := fstest.MapFS{"app.yaml": {Data: []byte("replicas: 1\n")}}
	var blob bytes.Buffer
	d, err := artifact.Pack(ctx, &blob, tree, artifact.PackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	packed, err := artifact.ReadContents(ctx, &blob, d, artifact.UnpackOptions{})
	if err != nil {
		log.Fatal(err)
	}

	tree["app.yaml"] = &fstest.MapFile{Data: []byte("replicas: 50\n")} // or a folder's os.Root.FS
	now, err := artifact.ContentsOf(ctx, tree, artifact.PackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(artifact.Diff(packed, now))
	// Output: changed app.yaml: content, 12 to 13 bytes
}
