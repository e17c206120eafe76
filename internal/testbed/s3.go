package testbed

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// An S3Server is a running S3 server over plain HTTP, with one account.
type S3Server struct {
	Endpoint             string // host:port
	AccessKey, SecretKey string
	Client               *minio.Client
	child                *child
}

// Close ends the server and removes its files. The end of this process does the same.
func (s *S3Server) Close() error { return s.child.close() }

// StartS3 starts an S3 server with random keys.
func StartS3(ctx context.Context) (*S3Server, error) {
	p := program{folder: "s3server", title: "an S3 server", expect: "about a minute on two cores", ldflags: "-s -w"}
	s := &S3Server{AccessKey: rand.Text(), SecretKey: rand.Text()}
	var ready struct{ Address string }
	var err error
	if s.child, err = startChild(ctx, p, &ready, []string{"SECRET_KEY=" + s.SecretKey}, "-access-key", s.AccessKey); err != nil {
		return nil, err
	}
	s.Endpoint = ready.Address
	s.Client, err = minio.New(s.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Region: "us-east-1"})
	return s, err
}

// A Bucket is a bucket of an [S3Server], and how to change it.
type Bucket struct {
	*S3Server
	Name string
}

// NewBucket makes an empty bucket.
func (s *S3Server) NewBucket(ctx context.Context, name string) (*Bucket, error) {
	return &Bucket{S3Server: s, Name: name}, s.Client.MakeBucket(ctx, name, minio.MakeBucketOptions{})
}

// Put writes the object under a key.
func (b *Bucket) Put(ctx context.Context, key string, body []byte) error {
	// Without the checksum the body goes as it is. With it, it goes in signed chunks, which the server leaves unread where it
	// wants no body, under a key that ends in a slash, and takes for the connection's next request.
	_, err := b.Client.PutObject(ctx, b.Name, key, bytes.NewReader(body), int64(len(body)),
		minio.PutObjectOptions{DisableContentSha256: true})
	return err
}

// Remove deletes the object under a key.
func (b *Bucket) Remove(ctx context.Context, key string) error {
	return b.Client.RemoveObject(ctx, b.Name, key, minio.RemoveObjectOptions{})
}

var sharedS3 struct {
	sync.Mutex
	server *S3Server
}

// S3 returns a fresh, empty bucket of a server that the tests of this process share.
func S3(t testing.TB) *Bucket {
	t.Helper()
	sharedS3.Lock()
	defer sharedS3.Unlock()
	if sharedS3.server == nil {
		s, err := StartS3(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		sharedS3.server = s
	}
	b, err := sharedS3.server.NewBucket(t.Context(), UniqueName("bucket"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
