package bucket_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
	"github.com/gitopskit/gitopskit/source/sourcetest"
)

// secureOptions reach the bucket over HTTPS.
func secureOptions(b *testbed.Bucket) bucket.Options {
	opts := options(b)
	opts.Endpoint, opts.CA = "https://"+b.SecureEndpoint, b.CA
	return opts
}

// mutualOptions show a certificate to a server that insists on one.
func mutualOptions(b *testbed.Bucket) bucket.Options {
	opts := options(b)
	opts.Endpoint, opts.Transport = "https://"+b.MutualEndpoint, b.Transport()
	return opts
}

func TestMinIOConformance(t *testing.T) {
	for name, connect := range map[string]func(*testbed.Bucket) bucket.Options{
		"plain": options, "client certificate": mutualOptions,
	} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Test(t, func(t *testing.T) sourcetest.Origin {
				b := testbed.MinIO(t)
				return sourcetest.Origin{
					New:   func() (source.Source, error) { return bucket.New(connect(b)) },
					Write: func(ctx context.Context, files map[string][]byte) error { return put(ctx, b, files) },
				}
			})
		})
	}
}

func TestCertificatesAreHeldToTheOptions(t *testing.T) {
	for name, server := range map[string]func(testing.TB) *testbed.Bucket{"S3": testbed.S3, "MinIO": testbed.MinIO} {
		t.Run(name, func(t *testing.T) {
			b := server(t)
			must(t, b.Put(t.Context(), "a", []byte("1")))
			for way, opts := range map[string]bucket.Options{"CA": secureOptions(b), "client certificate": mutualOptions(b)} {
				if got := read(t, fetch(t, newSource(t, opts), source.Revision{}), "a"); got != "1" {
					t.Errorf("%s: got %q", way, got)
				}
			}
			unknown := secureOptions(b)
			unknown.CA = nil
			_, err := newSource(t, unknown).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, "certificate signed by unknown authority")
			nameless := secureOptions(b)
			nameless.Endpoint = "https://" + b.MutualEndpoint
			_, err = newSource(t, nameless).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, "certificate required")
		})
	}
}

func TestMinIOBudgetAndRevision(t *testing.T) {
	b := testbed.MinIO(t)
	files := make(map[string][]byte)
	for i := range 1005 {
		files[fmt.Sprintf("f/%04d", i)] = fmt.Appendf(nil, "%d", i)
	}
	must(t, put(t.Context(), b, files))
	recorder := &testbed.Recorder{}
	opts := options(b)
	opts.Transport = recorder
	s := newSource(t, opts)
	first := fetch(t, s, source.Revision{})
	expectRequests(t, recorder, b, 2, 1005)
	if _, err := s.Fetch(t.Context(), first.Revision); !errors.Is(err, source.ErrNotModified) {
		t.Fatal(err)
	}
	expectRequests(t, recorder, b, 2, 0)
	must(t, b.Put(t.Context(), "f/0007", []byte("new")))
	second := fetch(t, s, first.Revision)
	expectRequests(t, recorder, b, 2, 1)
	if got := read(t, second, "f/0007"); got != "new" {
		t.Errorf("got %q", got)
	}
	if want := listedRevision(t, b); second.Revision.Digest.String() != want {
		t.Errorf("the revision is %s, want %s", second.Revision, want)
	}
}

func expectRequests(t *testing.T, recorder *testbed.Recorder, b *testbed.Bucket, lists, gets int) {
	t.Helper()
	lines := recorder.Take()
	l, g := testbed.Count(lines, "GET /"+b.Name+"/?"), testbed.Count(lines, "GET /"+b.Name+"/f/")
	if l != lists || g != gets || len(lines) != lists+gets {
		t.Errorf("got %d LISTs, %d GETs, %d requests, want %d and %d", l, g, len(lines), lists, gets)
	}
}

// listedRevision is computed from another listing than the Source's: of the first version of the protocol.
func listedRevision(t *testing.T, b *testbed.Bucket) string {
	t.Helper()
	var lines []string
	for o := range b.Client.ListObjects(t.Context(), b.Name, minio.ListObjectsOptions{Recursive: true, UseV1: true}) {
		must(t, o.Err)
		lines = append(lines, o.Key+" "+strings.Trim(o.ETag, `"`)+"\n")
	}
	slices.Sort(lines)
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(strings.Join(lines, ""))))
}

func TestRevisionSortsKeysByTheirBytes(t *testing.T) {
	b := testbed.MinIO(t)
	files := map[string][]byte{"a b": nil, "a+b": nil, "a-b": nil, "a/b": nil, "a.b": nil, "B": nil, "ä": nil, "日": nil, "a0": nil}
	for key := range files {
		files[key] = []byte(key)
	}
	must(t, put(t.Context(), b, files))
	snapshot := fetch(t, newSource(t, options(b)), source.Revision{})
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(files)) {
		info, err := b.Client.StatObject(t.Context(), b.Name, key, minio.StatObjectOptions{})
		must(t, err)
		lines = append(lines, key+" "+info.ETag+"\n")
		if got := read(t, snapshot, key); got != key {
			t.Errorf("%q has %q", key, got)
		}
	}
	want := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(strings.Join(lines, ""))))
	if got := snapshot.Revision.Digest.String(); got != want {
		t.Errorf("the revision is %s, want %s", got, want)
	}
}

func TestPublicBucketIsReadWithoutCredentials(t *testing.T) {
	b := testbed.MinIO(t)
	must(t, b.Put(t.Context(), "a", []byte("1")))
	opts := options(b)
	opts.AccessKey, opts.SecretKey = "", ""
	opts.Transport = &testbed.Recorder{Before: func(r *http.Request) error {
		if r.Header.Get("Authorization") != "" {
			return errors.New("the request is signed")
		}
		return nil
	}}
	s := newSource(t, opts)
	_, err := s.Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrUnauthorized, "listing the objects")
	must(t, b.MakePublic(t.Context()))
	if names, err := fs.Glob(fetch(t, s, source.Revision{}), "*"); err != nil || !slices.Equal(names, []string{"a"}) {
		t.Errorf("got %q, %v", names, err)
	}
}
