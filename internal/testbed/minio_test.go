package testbed

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

func readObject(t *testing.T, c *minio.Client, bucket, key string, options minio.GetObjectOptions) (string, error) {
	t.Helper()
	o, err := c.GetObject(t.Context(), bucket, key, options)
	if err != nil {
		return "", err
	}
	defer o.Close()
	body, err := io.ReadAll(o)
	return string(body), err
}

func TestS3IsReachedInThreeWays(t *testing.T) {
	for name, bucket := range map[string]func(testing.TB) *Bucket{"S3": S3, "MinIO": MinIO} {
		t.Run(name, func(t *testing.T) {
			b := bucket(t)
			if err := b.Put(t.Context(), "a", []byte("hello")); err != nil {
				t.Fatal(err)
			}
			trusting := b.Transport()
			without := b.Transport()
			without.TLSClientConfig.Certificates = nil
			for _, tt := range []struct {
				endpoint  string
				secure    bool
				transport http.RoundTripper
				fails     string
			}{
				{b.Endpoint, false, nil, ""}, {b.SecureEndpoint, true, trusting, ""}, {b.SecureEndpoint, true, without, ""},
				{b.MutualEndpoint, true, trusting, ""}, {b.MutualEndpoint, true, without, "certificate required"},
				{b.SecureEndpoint, true, nil, "unknown authority"},
			} {
				c, err := minio.New(tt.endpoint, &minio.Options{
					Creds:  credentials.NewStaticV4(b.AccessKey, b.SecretKey, ""),
					Region: "us-east-1", Secure: tt.secure, Transport: tt.transport, MaxRetries: 1,
				})
				if err != nil {
					t.Fatal(err)
				}
				body, err := readObject(t, c, b.Name, "a", minio.GetObjectOptions{})
				if (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) || err == nil && body != "hello" {
					t.Errorf("%s, secure %v: got %q, %v, want %q", tt.endpoint, tt.secure, body, err, tt.fails)
				}
			}
		})
	}
}

func TestBucketsKeepVersions(t *testing.T) {
	for name, bucket := range map[string]func(testing.TB) *Bucket{"S3": S3, "MinIO": MinIO} {
		t.Run(name, func(t *testing.T) {
			b := bucket(t)
			if err := b.EnableVersions(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, body := range []string{"one", "two"} {
				if err := b.Put(t.Context(), "a/b", []byte(body)); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Remove(t.Context(), "a/b"); err != nil {
				t.Fatal(err)
			}
			var got []string
			for o := range b.Client.ListObjects(t.Context(), b.Name, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
				if o.Err != nil {
					t.Fatal(o.Err)
				}
				if o.IsDeleteMarker {
					got = append(got, "deleted")
					continue
				}
				body, err := readObject(t, b.Client, b.Name, "a/b", minio.GetObjectOptions{VersionID: o.VersionID})
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, body)
			}
			if strings.Join(got, " ") != "deleted two one" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestMinIOKnowsUsersAndTokens(t *testing.T) {
	b := MinIO(t)
	for _, key := range []string{"a", "b"} {
		if err := b.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	only := b.Allow("s3:GetObject", "a")
	user, err := b.AddUser(t.Context(), only)
	if err != nil {
		t.Fatal(err)
	}
	temporary, err := b.Temporary(only)
	if err != nil {
		t.Fatal(err)
	}
	token, err := b.Token(t.Context(), only)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := credentials.NewSTSWebIdentity("http://"+b.Endpoint, func() (*credentials.WebIdentityToken, error) {
		return &credentials.WebIdentityToken{Token: token, Expiry: 3600}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, creds := range map[string]*credentials.Credentials{
		"user":  credentials.NewStaticV4(user.AccessKey, user.SecretKey, ""),
		"role":  credentials.NewStaticV4(temporary.AccessKey, temporary.SecretKey, temporary.SessionToken),
		"token": identity,
	} {
		c, err := minio.New(b.Endpoint, &minio.Options{Creds: creds, Region: "us-east-1"})
		if err != nil {
			t.Fatal(err)
		}
		if body, err := readObject(t, c, b.Name, "a", minio.GetObjectOptions{}); err != nil || body != "a" {
			t.Errorf("%s: a is %q, %v", name, body, err)
		}
		if _, err := readObject(t, c, b.Name, "b", minio.GetObjectOptions{}); minio.ToErrorResponse(err).Code != "AccessDenied" {
			t.Errorf("%s: b is %v", name, err)
		}
	}
}

func TestMinIOEncryptsWithTheClientsKey(t *testing.T) {
	b := MinIO(t)
	if err := b.PutEncrypted(t.Context(), "a", []byte("hello"), bytes.Repeat([]byte{7}, 32)); err != nil {
		t.Fatal(err)
	}
	if _, err := readObject(t, b.SecureClient, b.Name, "a", minio.GetObjectOptions{}); err == nil {
		t.Error("it was read without the key")
	}
}

func TestMinIOLeavesNoFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s, err := StartMinIO(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(dir + "/*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if answers(s.SecureEndpoint) || answers(s.Endpoint) {
		t.Error("it answers still")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
