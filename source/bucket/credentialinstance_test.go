package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

const roleCredential = `{"Code": "Success", "LastUpdated": "2030-01-01T00:00:00Z", "Type": "AWS-HMAC", "AccessKeyId": "a",
	"SecretAccessKey": "s", "Token": "t", "Expiration": "2030-01-01T06:00:00Z"}`

func wantRole() bucket.Credential {
	return bucket.Credential{AccessKey: "a", SecretKey: "s", SessionToken: "t", Expires: time.Date(2030, 1, 1, 6, 0, 0, 0, time.UTC)}
}

// instance is the metadata service of an instance, as EC2's documentation has it, with another answer for some paths.
func instance(t *testing.T, other map[string]http.HandlerFunc) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]string{
			"PUT /latest/api/token": "planted-session", "GET /latest/meta-data/iam/security-credentials/": "my role\n",
			"GET /latest/meta-data/iam/security-credentials/my role": roleCredential,
		}[r.Method+" "+r.URL.Path]
		if r.Method == http.MethodGet && r.Header.Get("X-aws-ec2-metadata-token") != "planted-session" ||
			r.Method == http.MethodPut && r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") == "" {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		if f := other[r.Method+" "+r.URL.Path]; f != nil {
			f(w, r)
			return
		}
		if answer == "" {
			http.NotFound(w, r)
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+r.Host+"/latest/api/token") // for what redirects
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

func TestCredentialsFromAnInstance(t *testing.T) {
	const roles = "GET /latest/meta-data/iam/security-credentials/"
	role := func(f http.HandlerFunc) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{roles + "my role": f}
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprint(w, strings.Repeat(" ", 1<<16))
		}
	}
	for name, tt := range map[string]struct {
		other     map[string]http.HandlerFunc
		text      string
		want      error
		temporary bool
	}{
		"good":            {},
		"no version 2":    {map[string]http.HandlerFunc{"PUT /latest/api/token": status(405, "")}, "405 Method Not Allowed", nil, false},
		"no role":         {map[string]http.HandlerFunc{roles: status(404, "")}, "the instance has no role", nil, false},
		"no name":         {map[string]http.HandlerFunc{roles: status(200, "\n")}, "the instance has no role", nil, false},
		"busy":            {map[string]http.HandlerFunc{roles: status(503, "planted")}, "503", nil, true},
		"refused":         {role(status(403, "planted")), `role "my role"`, source.ErrUnauthorized, false},
		"role gone":       {role(status(404, "planted")), "404", nil, false},
		"redirect":        {role(status(307, "")), "307", nil, false},
		"endless":         {role(endless), "more than 1048576 bytes", nil, false},
		"no JSON":         {role(status(200, "<planted>")), "not the JSON", nil, false},
		"no keys":         {role(status(200, `{"Token": "planted"}`)), "no keys", nil, false},
		"says no":         {role(status(200, `{"Code": "AssumeRoleUnauthorizedAccess"}`)), "AssumeRoleUnauth", nil, false},
		"session as role": {map[string]http.HandlerFunc{roles: status(200, "planted-session")}, `role "(redacted)"`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			withEnvironment(t, map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": instance(t, tt.other) + "/"})
			checkCredential(t, bucket.FromInstance, wantRole(), tt.text)
			_, err := bucket.FromInstance(t.Context(), bucket.CredentialRequest{})
			temporary := new(source.TemporaryError)
			if errors.Is(err, source.ErrUnauthorized) != (tt.want != nil) || errors.As(err, &temporary) != tt.temporary {
				t.Errorf("got %v, want %v, temporary: %v", err, tt.want, tt.temporary)
			}
			if errors.Is(err, source.ErrNotFound) {
				t.Errorf("no bucket is missing: %v", err)
			}
		})
	}
	withEnvironment(t, map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://" + closedPort(t)})
	checkCredential(t, bucket.FromInstance, bucket.Credential{}, "refused")
}

func TestAskingAnInstanceEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	withEnvironment(t, map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": instance(t, map[string]http.HandlerFunc{
		"PUT /latest/api/token": func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done(); close(ended) },
	})})
	if _, err := bucket.FromInstance(ctx, bucket.CredentialRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-ended
}

func TestCredentialsFromAContainer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Authorization") {
		case "planted-token":
			fmt.Fprint(w, roleCredential)
		case "":
			status(http.StatusTooManyRequests, "")(w, r)
		default:
			status(http.StatusForbidden, r.Header.Get("Authorization"))(w, r)
		}
	}))
	defer server.Close()
	const uri, token = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte("planted-token\n"), 0o600))
	for name, tt := range map[string]struct {
		set  map[string]string
		text string
	}{
		"token":       {map[string]string{uri: server.URL + "/creds", token: "planted-token"}, ""},
		"token file":  {map[string]string{uri: server.URL, token + "_FILE": file, token: "planted-old"}, ""},
		"wrong token": {map[string]string{uri: server.URL, token: "planted-old"}, "403 Forbidden"},
		"no token":    {map[string]string{uri: server.URL}, "429 Too Many Requests"},
		"two lines":   {map[string]string{uri: server.URL, token: "planted\nX: y"}, "more than one line"},
		"no file":     {map[string]string{uri: server.URL, token + "_FILE": file + "x"}, "no such file"},
		"no service":  {nil, "the environment has neither AWS_CONTAINER"},
	} {
		t.Run(name, func(t *testing.T) {
			withEnvironment(t, tt.set)
			checkCredential(t, bucket.FromContainer, wantRole(), tt.text)
		})
	}
	// The file is read each time.
	withEnvironment(t, map[string]string{uri: server.URL, token + "_FILE": file})
	must(t, os.WriteFile(file, []byte("planted-old"), 0o600))
	checkCredential(t, bucket.FromContainer, wantRole(), "403 Forbidden")
	must(t, os.WriteFile(file, []byte("planted-token"), 0o600))
	checkCredential(t, bucket.FromContainer, wantRole(), "")
}

// A bucket that is read as the instance that one is on.
func TestFetchAsAnInstance(t *testing.T) {
	b := testbed.S3(t)
	must(t, b.Put(t.Context(), "a", []byte("1")))
	keys := status(200, fmt.Sprintf(`{"AccessKeyId": %q, "SecretAccessKey": %q}`, b.AccessKey, b.SecretKey))
	withEnvironment(t, map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": instance(t, map[string]http.HandlerFunc{
		"GET /latest/meta-data/iam/security-credentials/my role": keys,
	})})
	if got := fetch(t, newSource(t, asking(b, bucket.FromInstance)), source.Revision{}); read(t, got, "a") != "1" {
		t.Error("the content is another one")
	}
}
