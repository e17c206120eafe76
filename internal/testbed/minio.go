package testbed

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
)

// StartMinIO starts a MinIO server with random keys, as a process of its own: see its folder. Besides what the other S3
// server does, it has users with policies, gives temporary credentials (STS, at the same endpoints) to users and to the
// holders of tokens, and encrypts with clients' keys, over HTTPS.
func StartMinIO(ctx context.Context) (*S3Server, error) {
	s, err := newS3Server()
	if err != nil {
		return nil, err
	}
	if s.issuer, err = startIssuer(); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.issuer.close)
	if err := s.startMinIO(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *S3Server) startMinIO(ctx context.Context) error {
	certificate, key, err := pairPEM(s.authority.server)
	if err != nil {
		return err
	}
	p := program{folder: "minio", title: "a MinIO server", expect: "about two minutes on two cores", ldflags: "-s -w"}
	secrets := []string{"SECRET_KEY=" + s.SecretKey, "CERTIFICATE=" + string(certificate), "PRIVATE_KEY=" + string(key)}
	var ready struct{ Address, Users string }
	s.child, err = startChild(ctx, p, &ready, secrets, "-access-key", s.AccessKey, "-issuer", s.issuer.configuration())
	if err != nil {
		return err
	}
	s.SecureEndpoint, s.users = ready.Address, ready.Users
	// Whether to take keys of clients MinIO decides by whether it has a certificate itself. So it has one, and plain HTTP is
	// what the relay makes of it.
	dial := func() (net.Conn, error) {
		return tls.Dial("tcp", ready.Address, &tls.Config{RootCAs: s.authority.pool, NextProtos: []string{"http/1.1"}})
	}
	return errors.Join(s.relay(&s.Endpoint, nil, dial), s.connect(dial))
}

// An Account is a pair of keys, with a token where they are temporary.
type Account struct{ AccessKey, SecretKey, SessionToken string }

// A Statement of a policy, in Amazon's words.
type Statement struct {
	Effect   string   // "Allow" or "Deny", which counts more
	Action   []string // such as "s3:GetObject"
	Resource []string // such as "arn:aws:s3:::bucket/key"
}

// Allow is a statement on the bucket, where no keys are named, or else on these keys of it, which may have * and ? in them.
func (b *Bucket) Allow(action string, keys ...string) Statement {
	return b.statement("Allow", action, keys)
}

// Deny is the opposite of [Bucket.Allow].
func (b *Bucket) Deny(action string, keys ...string) Statement {
	return b.statement("Deny", action, keys)
}

func (b *Bucket) statement(effect, action string, keys []string) Statement {
	place := "arn:aws:s3:::" + b.Name
	s := Statement{Effect: effect, Action: []string{action}}
	for _, key := range keys {
		s.Resource = append(s.Resource, place+"/"+key)
	}
	if len(keys) == 0 {
		s.Resource = []string{place}
	}
	return s
}

// Policy is the text of the statements.
func Policy(statements ...Statement) ([]byte, error) {
	return json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
}

// AddUser makes a user of MinIO who may do what the statements allow, and nothing else.
func (s *S3Server) AddUser(ctx context.Context, statements ...Statement) (Account, error) {
	account := Account{AccessKey: rand.Text(), SecretKey: rand.Text()}
	return account, s.postUser(ctx, account, statements)
}

// Temporary returns credentials of the root account's that may do what the statements allow, and nothing else. They are good
// for an hour, and cost little: to make a user costs a second of computing, for MinIO protects the keys on their way.
func (s *S3Server) Temporary(statements ...Statement) (Account, error) {
	policy, err := Policy(statements...)
	if err != nil {
		return Account{}, err
	}
	role, err := credentials.NewSTSAssumeRole("http://"+s.Endpoint, credentials.STSAssumeRoleOptions{
		AccessKey: s.AccessKey, SecretKey: s.SecretKey, Policy: string(policy), Location: "us-east-1",
	})
	if err != nil {
		return Account{}, err
	}
	value, err := role.GetWithContext(&credentials.CredContext{Client: http.DefaultClient})
	return Account{value.AccessKeyID, value.SecretAccessKey, value.SessionToken}, err
}

// Token makes a token of a web identity, which MinIO knows, that may do what the statements allow, and nothing else. It is good for an hour.
func (s *S3Server) Token(ctx context.Context, statements ...Statement) (string, error) {
	policy := rand.Text()
	if err := s.postUser(ctx, Account{AccessKey: policy}, statements); err != nil {
		return "", err
	}
	return s.issuer.token(policy)
}

func (s *S3Server) postUser(ctx context.Context, account Account, statements []Statement) error {
	policy, err := Policy(statements...)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"AccessKey": account.AccessKey, "SecretKey": account.SecretKey, "Policy": json.RawMessage(policy),
	})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.users, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.SetBasicAuth(s.AccessKey, s.SecretKey)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if said, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("adding the user: %s: %s, %v", answer.Status, said, err)
	}
	return nil
}

// PutEncrypted writes the object under a key, encrypted with 32 bytes that only the client keeps (SSE-C).
func (b *Bucket) PutEncrypted(ctx context.Context, key string, body, secret []byte) error {
	encryption, err := encrypt.NewSSEC(secret)
	if err != nil {
		return err
	}
	_, err = b.SecureClient.PutObject(ctx, b.Name, key, bytes.NewReader(body), int64(len(body)),
		minio.PutObjectOptions{ServerSideEncryption: encryption})
	return err
}

// MakePublic has everybody list and read the bucket.
func (b *Bucket) MakePublic(ctx context.Context) error {
	type public struct {
		Statement
		Principal map[string][]string
	}
	everybody := map[string][]string{"AWS": {"*"}}
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []public{
		{b.Allow("s3:ListBucket"), everybody}, {b.Allow("s3:GetObject", "*"), everybody},
	}})
	if err != nil {
		return err
	}
	return b.Client.SetBucketPolicy(ctx, b.Name, string(policy))
}

var sharedMinIO struct {
	sync.Mutex
	server *S3Server
}

// MinIO returns a fresh, empty bucket of a MinIO server that the tests of this process share.
func MinIO(t testing.TB) *Bucket {
	t.Helper()
	sharedMinIO.Lock()
	defer sharedMinIO.Unlock()
	if sharedMinIO.server == nil {
		s, err := StartMinIO(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		sharedMinIO.server = s
	}
	b, err := sharedMinIO.server.NewBucket(t.Context(), UniqueName("bucket"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
