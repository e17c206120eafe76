package artifacthttp_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/artifact/artifacthttp"
)

// exampleStore returns a store in a new folder, and what removes it.
func exampleStore() (*artifact.DirStore, func()) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	store, err := artifact.Dir(dir, artifact.DirOptions{})
	if err != nil {
		log.Fatal(err)
	}
	return store, func() {
		store.Close()
		os.RemoveAll(dir)
	}
}

// One process packs and serves under a name, another asks what the name stands for, fetches it and reads it.
func Example() {
	ctx := context.Background()
	theirs, remove := exampleStore()
	defer remove()
	tree := fstest.MapFS{"service.yaml": {Data: []byte("kind: Service\n")}}
	packed, err := artifact.PackTo(ctx, theirs, tree, artifact.PackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if err := theirs.Tag(ctx, "apps/podinfo", packed.Digest, "main@sha1:855f77"); err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(artifacthttp.Handler(theirs, artifacthttp.HandlerOptions{}))
	defer server.Close()

	ours, remove := exampleStore()
	defer remove()
	var client artifacthttp.Client
	want, err := client.Resolve(ctx, server.URL+"/apps/podinfo")
	if err != nil {
		log.Fatal(err)
	}
	got, err := client.Fetch(ctx, server.URL+"/"+string(want.Digest), want, ours)
	if err != nil {
		log.Fatal(err)
	}
	r, err := ours.Open(ctx, got.Digest)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	fetched, err := artifact.Open(ctx, r, got, artifact.UnpackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	data, err := fs.ReadFile(fetched, "service.yaml")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v, %s", got == want, data)
	// Output: true, kind: Service
}

// What Flux's source-controller made is fetched with what is in the status of its resource, and nothing else.
func ExampleClient_Fetch() {
	ctx := context.Background()
	store, remove := exampleStore()
	defer remove()
	controller, status := fluxServer()
	defer controller.Close()

	var client artifacthttp.Client
	got, err := client.Fetch(ctx, status.URL, artifact.Descriptor{Digest: status.Digest}, store)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.MediaType)
	// Output: application/vnd.oci.image.layer.v1.tar+gzip
}
