package bucket_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// What a file or a Secret made with echo has at its end is refused by the option's name.
func TestWhiteSpaceIsRefused(t *testing.T) {
	for name, field := range map[string]func(*bucket.Options) *string{
		"Endpoint":     func(o *bucket.Options) *string { return &o.Endpoint },
		"Bucket":       func(o *bucket.Options) *string { return &o.Bucket },
		"Prefix":       func(o *bucket.Options) *string { return &o.Prefix },
		"AccessKey":    func(o *bucket.Options) *string { return &o.AccessKey },
		"SecretKey":    func(o *bucket.Options) *string { return &o.SecretKey },
		"SessionToken": func(o *bucket.Options) *string { return &o.SessionToken },
		"Region":       func(o *bucket.Options) *string { return &o.Region },
	} {
		for odd, text := range map[string]string{"%\n": "white space", " %": "white space", "%\r\n": "white space",
			"%\x00%": "control characters", "%\n%": "control characters"} {
			opts := bucket.Options{Endpoint: "example.com", Bucket: "fleet", Prefix: "prod", AccessKey: "planted1", SecretKey: "planted2",
				SessionToken: "planted3", Region: "planted4"}
			value := field(&opts)
			*value = strings.ReplaceAll(odd, "%", *value)
			_, err := bucket.New(opts)
			checkError(t, err, nil, "Options."+name+" has "+text)
			if strings.Contains(err.Error(), "planted") {
				t.Errorf("a value is in %v", err)
			}
		}
	}
}

func TestWhiteSpaceInCredentialsIsRefused(t *testing.T) {
	b := sampleBucket(t)
	for name, c := range map[string]bucket.Credential{
		"AccessKey":    {AccessKey: "planted1\n", SecretKey: "planted2"},
		"SecretKey":    {AccessKey: "planted1", SecretKey: "planted2\n"},
		"SessionToken": {AccessKey: "planted1", SecretKey: "planted2", SessionToken: "planted3\x00planted"},
	} {
		give := func(context.Context, bucket.CredentialRequest) (bucket.Credential, error) { return c, nil }
		for _, ask := range []bucket.CredentialFunc{give, bucket.FromRole(give, bucket.RoleOptions{})} {
			_, err := newSource(t, asking(b, ask)).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, "asking for credentials: the credential's "+name+" has ")
			if strings.Contains(err.Error(), "planted") || errors.As(err, new(*source.TemporaryError)) {
				t.Errorf("got %v", err)
			}
		}
	}
}
