package artifact_test

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

// One program packs and serves, another fetches into a store of its own. What it
// fetches is what has the digest, whoever served it.
func Example_overHTTP() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	origin, err := artifact.Dir(dir+"/origin", artifact.DirOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer origin.Close()
	tree := fstest.MapFS{"app.yaml": {Data: []byte("kind: Deployment\n")}}
	packed, err := artifact.PackTo(ctx, origin, tree, artifact.PackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if err := origin.Tag(ctx, "apps/podinfo", packed.Digest, "main@sha1:aa01"); err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(artifacthttp.Handler(origin, artifacthttp.HandlerOptions{}))
	defer server.Close()

	mirror, err := artifact.Dir(dir+"/mirror", artifact.DirOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer mirror.Close()
	var client artifacthttp.Client
	url := server.URL + "/apps/podinfo.tar.gz"
	want, err := client.Resolve(ctx, url) // a claim: what is known better goes in its place
	if err != nil {
		log.Fatal(err)
	}
	got, err := client.Fetch(ctx, url, want, mirror)
	if err != nil {
		log.Fatal(err)
	}
	r, err := mirror.Open(ctx, got.Digest)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	fetched, err := artifact.Open(ctx, r, got, artifact.UnpackOptions{})
	if err != nil {
		log.Fatal(err)
	}
	data, err := fs.ReadFile(fetched, "app.yaml")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s%v\n", data, got.Digest == packed.Digest)
	// Output:
	// kind: Deployment
	// true
}
