package bucket_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// reading is what a source needs to be allowed.
func reading(b *testbed.Bucket) []testbed.Statement {
	return []testbed.Statement{b.Allow("s3:ListBucket"), b.Allow("s3:GetObject", "*")}
}

// secretly is the options of a bucket over HTTPS with a function instead of keys.
func secretly(b *testbed.Bucket, f bucket.CredentialFunc) bucket.Options {
	opts := asking(b, f)
	opts.Endpoint, opts.CA = b.SecureEndpoint, b.CA
	return opts
}

func TestFetchFromMinIOInARole(t *testing.T) {
	b := testbed.MinIO(t)
	must(t, put(t.Context(), b, map[string][]byte{"a": []byte("1"), "b/ä =+&c": []byte("2")}))
	user, err := b.AddUser(t.Context(), reading(b)...)
	must(t, err)
	who := bucket.Static(bucket.Credential{AccessKey: user.AccessKey, SecretKey: user.SecretKey})
	stranger := bucket.Static(bucket.Credential{AccessKey: user.AccessKey, SecretKey: "planted-secret"})
	listing, err := testbed.Policy(b.Allow("s3:ListBucket"))
	must(t, err)
	certificate, key, err := b.ClientPEM()
	must(t, err)
	for name, tt := range map[string]struct {
		f      bucket.CredentialFunc
		change func(*bucket.Options)
		want   error
		text   string
	}{
		"TLS": {bucket.FromRole(who, bucket.RoleOptions{}), nil, nil, ""},
		"plain": {bucket.FromRole(who, bucket.RoleOptions{}),
			func(o *bucket.Options) { o.Endpoint, o.CA = "http://"+b.Endpoint, nil }, nil, ""},
		"elsewhere": {bucket.FromRole(who, bucket.RoleOptions{Endpoint: "https://" + b.SecureEndpoint}),
			func(o *bucket.Options) { o.Endpoint = "http://" + b.Endpoint }, nil, ""},
		"mutual": {bucket.FromRole(who, bucket.RoleOptions{}), func(o *bucket.Options) {
			o.Endpoint, o.ClientCertificate, o.ClientKey = b.MutualEndpoint, certificate, key
		}, nil, ""},
		"all options": {bucket.FromRole(who, bucket.RoleOptions{ARN: "arn:aws:iam::123456789012:role/x", SessionName: "fleet", Duration: time.Hour,
			ExternalID: "a b&c=d"}), nil, nil, ""},
		"less": {bucket.FromRole(who, bucket.RoleOptions{Policy: string(listing)}), nil, source.ErrUnauthorized, "AccessDenied"},
		"stranger": {bucket.FromRole(stranger, bucket.RoleOptions{}), nil, source.ErrUnauthorized,
			"asking for credentials: AssumeRole of https://127.0.0.1"},
		"too long": {bucket.FromRole(who, bucket.RoleOptions{Duration: 10000 * time.Hour}), nil, nil, "asking for credentials: AssumeRole"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := secretly(b, tt.f)
			if tt.change != nil {
				tt.change(&opts)
			}
			got, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			if tt.text == "" {
				must(t, err)
				if read(t, got, "a") != "1" || read(t, got, "b/ä =+&c") != "2" {
					t.Error("the content is another one")
				}
				return
			}
			checkError(t, err, tt.want, tt.text)
			if strings.Contains(err.Error(), "planted") || (tt.want == nil) == errors.Is(err, source.ErrUnauthorized) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFetchFromMinIOAsAWebIdentity(t *testing.T) {
	b := testbed.MinIO(t)
	must(t, b.Put(t.Context(), "a", []byte("1")))
	token, err := b.Token(t.Context(), reading(b)...)
	must(t, err)
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
	withEnvironment(t, map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": file})
	for _, f := range []bucket.CredentialFunc{
		bucket.FromWebIdentity(nil, bucket.RoleOptions{}),
		bucket.FromWebIdentity(bucket.TokenFile(file), bucket.RoleOptions{Duration: 20 * time.Minute}),
	} {
		if got := fetch(t, newSource(t, secretly(b, f)), source.Revision{}); read(t, got, "a") != "1" {
			t.Error("the content is another one")
		}
	}
	head, signature := token[:strings.LastIndex(token, ".")], []byte(token[strings.LastIndex(token, "."):])
	slices.Reverse(signature[1:])
	must(t, os.WriteFile(file, []byte(head+string(signature)), 0o600))
	_, err = newSource(t, secretly(b, bucket.FromWebIdentity(nil, bucket.RoleOptions{}))).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, "AssumeRoleWithWebIdentity of https://")
	if strings.Contains(err.Error(), head) || strings.Contains(err.Error(), string(signature)) {
		t.Errorf("the token is in %v", err)
	}
}

// Credentials of a role end when the service says, and what the store does not know is asked for once more.
func TestCredentialsOfMinIOsRoles(t *testing.T) {
	b := testbed.MinIO(t)
	must(t, b.Put(t.Context(), "a", []byte("1")))
	f := bucket.FromRole(bucket.Static(credentialOf(b)), bucket.RoleOptions{Duration: 15 * time.Minute})
	request := bucket.CredentialRequest{Endpoint: "https://" + b.SecureEndpoint, Region: "us-east-1",
		Client: &http.Client{Transport: b.Transport()}}
	good, err := f(t.Context(), request)
	must(t, err)
	if left := time.Until(good.Expires); left > 15*time.Minute || left < 10*time.Minute || good.SessionToken == "" {
		t.Errorf("got one that is good for %s, token: %v", left, good.SessionToken != "")
	}
	cut, forgotten := good, good
	cut.SessionToken = good.SessionToken[:len(good.SessionToken)/2]
	forgotten.AccessKey = "FORGOTTEN" + good.AccessKey[:8]
	for name, bad := range map[string]bucket.Credential{
		"cut token": cut, "forgotten key": forgotten, "no token": {AccessKey: good.AccessKey, SecretKey: good.SecretKey},
	} {
		t.Run(name, func(t *testing.T) {
			g := &giver{all: []bucket.Credential{bad, good}}
			if got := fetch(t, newSource(t, secretly(b, g.give)), source.Revision{}); read(t, got, "a") != "1" || len(g.asked) != 2 {
				t.Errorf("asked %d times", len(g.asked))
			}
			_, err := newSource(t, secretly(b, bucket.Static(bad))).Fetch(context.Background(), source.Revision{})
			checkError(t, err, source.ErrUnauthorized, "the server answers")
			if strings.Contains(err.Error(), bad.SecretKey) || bad.SessionToken != "" && strings.Contains(err.Error(), bad.SessionToken) {
				t.Errorf("a secret is in %v", err)
			}
		})
	}
}
