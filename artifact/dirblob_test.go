package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
)

// A storedBlob is what DirStore.Open returns.
type storedBlob interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// openStored puts data and damages it so, and opens it.
func openStored(t *testing.T, ctx context.Context, data []byte, d artifact.Descriptor, as []byte) storedBlob {
	t.Helper()
	dir := t.TempDir()
	store := dirStore(t, dir)
	if err := store.Put(t.Context(), bytes.NewReader(data), d); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sha256", d.Digest.Encoded(), "blob"), as, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := store.Open(ctx, d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r.(storedBlob)
}

func TestStoredBlobIsAReaderLikeAnother(t *testing.T) {
	data, d := pack(t, fstest.MapFS{"x": file(noise(3000))}, artifact.PackOptions{})
	if err := iotest.TestReader(openStored(t, t.Context(), data, d, data), data); err != nil {
		t.Error(err)
	}
}

// TestStoredBlobWithholdsTheEndOfDamage reads in ways that end without io.EOF.
func TestStoredBlobWithholdsTheEndOfDamage(t *testing.T) {
	data, d := pack(t, sample(), artifact.PackOptions{})
	for name, bad := range map[string][]byte{
		"first byte": flipped(data, 0, 1),
		"last byte":  flipped(data, len(data)-1, 1),
		"cut":        data[:len(data)-1],
		"longer":     append(bytes.Clone(data), 0),
	} {
		t.Run(name, func(t *testing.T) {
			r := openStored(t, t.Context(), data, d, bad)
			for range 2 { // once more from the start
				var got bytes.Buffer
				_, err := io.CopyN(&got, r, int64(len(bad)))
				wantError(t, err, artifact.ErrDigest, string(d.Digest))
				if got.Len() >= len(bad) {
					t.Errorf("all %d bytes were given out", got.Len())
				}
				_, err = r.Read(make([]byte, 1))
				wantError(t, err, artifact.ErrDigest, string(d.Digest))
				if _, err := r.Seek(0, io.SeekStart); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestStoredBlobVerifiesAroundSeeks seeks as who wants to know the size does, and
// back.
func TestStoredBlobVerifiesAroundSeeks(t *testing.T) {
	data, d := pack(t, sample(), artifact.PackOptions{})
	bad := flipped(data, 10, 1)
	r := openStored(t, t.Context(), data, d, bad)
	seek := func(offset int64, whence int, want int64) {
		t.Helper()
		if at, err := r.Seek(offset, whence); err != nil || at != want {
			t.Fatalf("Seek gives %d, %v", at, err)
		}
	}
	if _, err := io.CopyN(io.Discard, r, 500); err != nil {
		t.Fatal(err)
	}
	seek(0, io.SeekEnd, int64(len(data)))
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	seek(-100, io.SeekEnd, int64(len(data)-100))
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data[len(data)-100:]) {
		t.Errorf("a part is not verified: %v", err)
	}
	part := make([]byte, 50)
	if _, err := r.ReadAt(part, 700); err != nil || !bytes.Equal(part, data[700:750]) {
		t.Errorf("a part is not verified: %v", err)
	}
	seek(500, io.SeekStart, 500)
	_, err := io.Copy(io.Discard, r)
	wantError(t, err, artifact.ErrDigest, string(d.Digest))
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("Seek to before the start succeeds")
	}
}

func TestStoredBlobEndsWithItsContext(t *testing.T) {
	data, d := pack(t, sample(), artifact.PackOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	r := openStored(t, ctx, data, d, data)
	if _, err := io.CopyN(io.Discard, r, 500); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err := r.Read(make([]byte, 10))
	wantError(t, err, context.Canceled, string(d.Digest))
	_, err = r.ReadAt(make([]byte, 10), 10)
	wantError(t, err, context.Canceled, string(d.Digest))
}

// TestStoredBlobIsServed has net/http serve whole and part, and wants no client to
// take a damaged artifact for a whole one.
func TestStoredBlobIsServed(t *testing.T) {
	data, d := pack(t, sample(), artifact.PackOptions{})
	get := func(as []byte, ranged string) ([]byte, error) {
		r := openStored(t, t.Context(), data, d, as)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			http.ServeContent(w, q, "blob", time.Time{}, r)
		}))
		defer server.Close()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if ranged != "" {
			q.Header.Set("Range", ranged)
		}
		answer, err := server.Client().Do(q)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		return io.ReadAll(answer.Body)
	}
	if got, err := get(data, ""); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := get(data, "bytes=100-199"); err != nil || !bytes.Equal(got, data[100:200]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := get(flipped(data, 600, 1), ""); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("of a damaged one, %d bytes, %v", len(got), err)
	}
}
