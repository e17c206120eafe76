package artifacthttp_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// A fluxStatus is what status.artifact of a GitRepository has.
type fluxStatus struct {
	URL    string
	Digest digest.Digest
}

// fluxServer serves a file as source-controller does: a tar that Go's packer wrote, with folders and owners, packed with
// gzip, from a file server that knows no digest.
func fluxServer() (*httptest.Server, fluxStatus) {
	var blob bytes.Buffer
	z := gzip.NewWriter(&blob)
	w := tar.NewWriter(z)
	const content = "kind: Deployment\n"
	w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "deploy", Mode: 0o755})
	w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "deploy/app.yaml", Mode: 0o600, Size: int64(len(content))})
	w.Write([]byte(content))
	w.Close()
	z.Close()
	const path = "gitrepository/flux-system/podinfo/3a4ad1.tar.gz"
	server := httptest.NewServer(http.FileServerFS(fstest.MapFS{path: {Data: blob.Bytes(), ModTime: time.Unix(1_000_000_000, 0)}}))
	return server, fluxStatus{URL: server.URL + "/" + path, Digest: digest.FromBytes(blob.Bytes())}
}

func TestFetchFromSourceController(t *testing.T) {
	server, status := fluxServer()
	defer server.Close()
	store := emptyStore(t)
	got, err := hasty().Fetch(t.Context(), status.URL, only(status.Digest), store)
	if err != nil {
		t.Fatal(err)
	}
	r, err := store.Open(t.Context(), got.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tree, err := artifact.Open(t.Context(), r, got, artifact.UnpackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(tree, "deploy/app.yaml"); err != nil {
		t.Error(err)
	}
}
