package artifact_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
)

func Example() {
	ctx := context.Background()
	tree := fstest.MapFS{ // or a Git snapshot, or a folder's os.Root.FS
		"app/deployment.yaml": {Data: []byte("kind: Deployment\n")},
		"app/current":         {Data: []byte("deployment.yaml"), Mode: fs.ModeSymlink},
	}
	var blob bytes.Buffer
	d, err := artifact.Pack(ctx, &blob, tree, artifact.PackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	opened, err := artifact.Open(ctx, &blob, d, artifact.UnpackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	data, err := fs.ReadFile(opened, "app/current")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d files, %s", d.Files, data)
	// Output: 2 files, kind: Deployment
}

// The descriptor is what to keep: it is all that is needed to believe the bytes
// later.
func ExamplePack() {
	tree := fstest.MapFS{"service.yaml": {Data: []byte("kind: Service\n")}}
	var blob bytes.Buffer
	d, err := artifact.Pack(context.Background(), &blob, tree, artifact.PackOptions{Compression: artifact.None})
	if err != nil {
		log.Fatal(err)
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", text)
	// Output:
	// {
	//   "mediaType": "application/vnd.oci.image.layer.v1.tar",
	//   "digest": "sha256:cc82f754ec4794f55b1607cff8f268911c4e8a2055e03cf02eb25fccf6e4ceb5",
	//   "size": 2048,
	//   "contentDigest": "sha256:cc82f754ec4794f55b1607cff8f268911c4e8a2055e03cf02eb25fccf6e4ceb5",
	//   "contentSize": 2048,
	//   "files": 1
	// }
}

// A fresh folder becomes the current one only once all is verified and written.
func ExampleUnpack() {
	ctx := context.Background()
	var blob bytes.Buffer
	d, err := artifact.Pack(ctx, &blob, fstest.MapFS{"bin/run": {Data: []byte("#!/bin/sh\n"), Mode: 0o755}}, artifact.PackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()

	truncated := bytes.NewReader(blob.Bytes()[:50])
	err = artifact.Unpack(ctx, truncated, d, root, artifact.UnpackOptions{})
	fmt.Println("not what was packed:", errors.Is(err, artifact.ErrDigest))

	if err := artifact.Unpack(ctx, &blob, d, root, artifact.UnpackOptions{}); err != nil {
		log.Fatal(err)
	}
	info, err := root.Stat("bin/run")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("executable:", info.Mode()&0o100 != 0)
	// Output:
	// not what was packed: true
	// executable: true
}

// A store gives out what was put into it by digest. Its bytes are verified by
// whoever reads them to their end.
func ExampleDir() {
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

	tree := fstest.MapFS{"version": {Data: []byte("v3\n")}}
	d, err := artifact.PackTo(ctx, store, tree, artifact.PackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	r, err := store.Open(ctx, d.Digest)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	stored, err := artifact.Open(ctx, r, d, artifact.UnpackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	version, err := fs.ReadFile(stored, "version")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", version)
	// Output: v3
}

// A crossed limit says which option raises it.
func ExampleLimits() {
	tree := fstest.MapFS{"a.yaml": {}, "b.yaml": {}}
	_, err := artifact.Pack(context.Background(), new(bytes.Buffer), tree, artifact.PackOptions{
		Limits: artifact.Limits{MaxFiles: 1},
	})
	fmt.Println(err)
	// Output: pack "b.yaml": too large: over 1, the limit that Limits.MaxFiles sets
}
