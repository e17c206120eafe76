package bucket_test

import (
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

func TestPoliciesOfTheStore(t *testing.T) {
	b := testbed.MinIO(t)
	must(t, put(t.Context(), b, map[string][]byte{"a": []byte("1"), "apps/secret.yaml": []byte("2"), "apps/z": []byte("3")}))
	list, get := b.Allow("s3:ListBucket"), b.Allow("s3:GetObject", "*")
	for name, tt := range map[string]struct {
		statements []testbed.Statement
		prefix     string
		texts      []string // of the error; none: the objects are read
	}{
		"list and get": {statements: []testbed.Statement{list, get}},
		"list only":    {[]testbed.Statement{list}, "apps", []string{`key "apps/`, "AccessDenied", "403"}},
		"get only":     {[]testbed.Statement{get}, "", []string{"listing the objects", "AccessDenied"}},
		"nothing of this bucket": {
			[]testbed.Statement{{Effect: "Allow", Action: []string{"s3:*"}, Resource: []string{"arn:aws:s3:::elsewhere/*"}}}, "",
			[]string{"listing the objects", "AccessDenied"},
		},
		"one key denied": {
			[]testbed.Statement{list, get, b.Deny("s3:GetObject", "apps/secret.yaml")}, "",
			[]string{`key "apps/secret.yaml"`, "AccessDenied"},
		},
		"one key denied elsewhere": {[]testbed.Statement{list, get, b.Deny("s3:GetObject", "a")}, "apps", nil},
	} {
		t.Run(name, func(t *testing.T) {
			account, err := b.Temporary(tt.statements...)
			must(t, err)
			opts := options(b)
			opts.AccessKey, opts.SecretKey, opts.SessionToken = account.AccessKey, account.SecretKey, account.SessionToken
			opts.Prefix = tt.prefix
			snapshot, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			if len(tt.texts) == 0 {
				must(t, err)
				return
			}
			if snapshot != nil {
				t.Error("a part is returned")
			}
			for _, text := range tt.texts {
				checkError(t, err, source.ErrUnauthorized, text)
			}
		})
	}
}

func TestMinIORefusals(t *testing.T) {
	b := testbed.MinIO(t)
	must(t, b.Put(t.Context(), "a", []byte("1")))
	for name, tt := range map[string]struct {
		change func(*bucket.Options)
		want   error
		text   string
	}{
		"no bucket":    {func(o *bucket.Options) { o.Bucket = "no-such-bucket" }, source.ErrNotFound, `bucket "no-such-bucket"`},
		"wrong key":    {func(o *bucket.Options) { o.AccessKey = "AKIAWRONG" }, source.ErrUnauthorized, "InvalidAccessKeyId"},
		"wrong secret": {func(o *bucket.Options) { o.SecretKey = "planted-hunter2" }, source.ErrUnauthorized, "SignatureDoesNotMatch"},
		"wrong token":  {func(o *bucket.Options) { o.SessionToken = "planted-hunter2" }, source.ErrUnauthorized, "listing the objects"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(b)
			tt.change(&opts)
			recorder := &testbed.Recorder{}
			opts.Transport = recorder
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
			if n := len(recorder.Take()); n != 1 {
				t.Errorf("%d requests, want one: nothing is gained by another", n)
			}
		})
	}
}
