package testbed

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// An S3Server is a running S3 server, reached in three ways, with one account.
type S3Server struct {
	Endpoint             string // host:port, plain HTTP
	SecureEndpoint       string // host:port, HTTPS
	MutualEndpoint       string // host:port, HTTPS that insists on a certificate that ClientCertificate is one of
	AccessKey, SecretKey string
	Client               *minio.Client   // over plain HTTP
	SecureClient         *minio.Client   // over HTTPS
	CA                   []byte          // PEM, of the certificates of HTTPS
	ClientCertificate    tls.Certificate // one that MutualEndpoint takes

	authority *authority
	issuer    *issuer // MinIO's
	users     string  // where to make users of MinIO
	child     *child
	closers   []func() error // of what is beside the child
}

// Close ends the server and removes its files. The end of this process does the same.
func (s *S3Server) Close() error {
	var errs []error
	for _, c := range slices.Backward(s.closers) {
		errs = append(errs, c())
	}
	if s.child != nil {
		errs = append(errs, s.child.close())
	}
	return errors.Join(errs...)
}

// newS3Server returns a server that has keys and certificates, and does not run.
func newS3Server() (*S3Server, error) {
	authority, err := newAuthority()
	if err != nil {
		return nil, err
	}
	return &S3Server{
		AccessKey: rand.Text(), SecretKey: rand.Text(), authority: authority, CA: authority.pem, ClientCertificate: authority.client,
	}, nil
}

// StartS3 starts an S3 server with random keys.
func StartS3(ctx context.Context) (*S3Server, error) {
	p := program{folder: "s3server", title: "an S3 server", expect: "about a minute on two cores", ldflags: "-s -w"}
	s, err := newS3Server()
	if err != nil {
		return nil, err
	}
	var ready struct{ Address string }
	if s.child, err = startChild(ctx, p, &ready, []string{"SECRET_KEY=" + s.SecretKey}, "-access-key", s.AccessKey); err != nil {
		return nil, err
	}
	s.Endpoint = ready.Address
	dial := func() (net.Conn, error) { return net.Dial("tcp", ready.Address) }
	err = errors.Join(s.relay(&s.SecureEndpoint, s.authority.serverConfig(false), dial), s.connect(dial))
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// connect makes what both kinds of server have.
func (s *S3Server) connect(dial func() (net.Conn, error)) (err error) {
	if err := s.relay(&s.MutualEndpoint, s.authority.serverConfig(true), dial); err != nil {
		return err
	}
	creds := credentials.NewStaticV4(s.AccessKey, s.SecretKey, "")
	if s.Client, err = minio.New(s.Endpoint, &minio.Options{Creds: creds, Region: "us-east-1"}); err != nil {
		return err
	}
	s.SecureClient, err = minio.New(s.SecureEndpoint, &minio.Options{
		Creds: creds, Region: "us-east-1", Secure: true, Transport: s.Transport(), TrailingHeaders: true, // for checksums
	})
	return err
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
	// A signed body comes in chunks, the last of which is empty. Of an object without content versitygw 1.8.0 does not read
	// even that one, takes it for the next request, and answers it with 400 on a connection that is idle to the client.
	unsigned := minio.PutObjectOptions{DisableContentSha256: true}
	_, err := b.Client.PutObject(ctx, b.Name, key, bytes.NewReader(body), int64(len(body)), unsigned)
	return err
}

// Remove deletes the object under a key.
func (b *Bucket) Remove(ctx context.Context, key string) error {
	return b.Client.RemoveObject(ctx, b.Name, key, minio.RemoveObjectOptions{})
}

// EnableVersions has the bucket keep what is overwritten and deleted from now on.
func (b *Bucket) EnableVersions(ctx context.Context) error {
	return b.Client.EnableVersioning(ctx, b.Name)
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
