package artifacthttp_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/artifact/artifacthttp"
)

// noise returns n bytes that hardly compress, always the same.
func noise(n int) []byte {
	b, state := make([]byte, n), uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return b
}

// treeOf is a tree whose artifact is a little larger than n bytes.
func treeOf(n int) fstest.MapFS {
	return fstest.MapFS{"noise": {Data: noise(n)}, "app/deployment.yaml": {Data: []byte("kind: Deployment\n")}}
}

// A shelf is a DirStore with artifacts and names, and what is known of one of them.
type shelf struct {
	*artifact.DirStore
	dir string
	artifact.Descriptor
	data []byte
}

// resolver is an artifact.Resolver of digests.
type resolver func(ctx context.Context, name string) (digest.Digest, error)

func (r resolver) Resolve(ctx context.Context, name string) (artifact.Tagged, error) {
	d, err := r(ctx, name)
	return artifact.Tagged{Name: name, Digest: d}, err
}

// tag gives the artifact names.
func (s *shelf) tag(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.Tag(t.Context(), name, s.Digest, ""); err != nil {
			t.Fatal(err)
		}
	}
}

func emptyStore(t testing.TB) *artifact.DirStore {
	t.Helper()
	store, err := artifact.Dir(t.TempDir(), artifact.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// shelve makes a store with an artifact of some more than n bytes, under the names apps/podinfo and podinfo.
func shelve(t testing.TB, n int, compression artifact.Compression) *shelf {
	t.Helper()
	dir := t.TempDir()
	store, err := artifact.Dir(dir, artifact.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s := &shelf{DirStore: store, dir: dir}
	s.Descriptor, err = artifact.PackTo(t.Context(), store, treeOf(n), artifact.PackOptions{Compression: compression})
	if err != nil {
		t.Fatal(err)
	}
	s.data = bytesOf(t, store, s.Digest)
	s.tag(t, "podinfo", "apps/podinfo")
	return s
}

func bytesOf(t testing.TB, store artifact.Opener, d digest.Digest) []byte {
	t.Helper()
	r, err := store.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// damage changes the byte at an offset of the artifact, and its size if at is beyond the end.
func (s *shelf) damage(t testing.TB, at int) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(s.dir, "sha256", s.Digest.Encoded(), "blob"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := []byte{0}
	f.ReadAt(b, int64(at))
	b[0] ^= 0xff
	if _, err := f.WriteAt(b, int64(at)); err != nil {
		t.Fatal(err)
	}
}

// serve starts a server on loopback, and returns its URL.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// counted counts the requests to a handler.
func counted(h http.Handler) (http.Handler, *atomic.Int64) {
	n := new(atomic.Int64)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		h.ServeHTTP(w, r)
	}), n
}

// ask sends a request to a handler directly.
func ask(t testing.TB, h http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t testing.TB, answer *http.Response) []byte {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// holds fails the test unless the store has the artifact with all its bytes.
func holds(t testing.TB, store artifact.Opener, d digest.Digest, data []byte) {
	t.Helper()
	if got := bytesOf(t, store, d); !bytes.Equal(got, data) {
		t.Errorf("the store has %d other bytes, not those %d", len(got), len(data))
	}
}

// A memory is a Putter that keeps the last artifact, and that syncs no disk.
type memory struct{ data []byte }

func (m *memory) Put(_ context.Context, r io.Reader, want artifact.Descriptor) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if int64(len(data)) != want.Size || digest.FromBytes(data) != want.Digest {
		return artifact.ErrDigest
	}
	m.data = data
	return nil
}

// isEmpty fails the test if the store has an artifact.
func isEmpty(t testing.TB, store artifact.Lister) {
	t.Helper()
	for d, err := range store.List(t.Context()) {
		t.Errorf("the store has %v, %v", d, err)
	}
}

var _ artifacthttp.Store = (*artifact.DirStore)(nil)
