package bucket_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source/bucket"
)

// withEnvironment leaves only these of the variables that functions for credentials read.
func withEnvironment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "MINIO_") {
			t.Setenv(name, "")
		}
	}
	for name, value := range set {
		t.Setenv(name, value)
	}
}

func checkCredential(t *testing.T, f bucket.CredentialFunc, want bucket.Credential, text string) {
	t.Helper()
	got, err := f(t.Context(), bucket.CredentialRequest{})
	if (err != nil) != (text != "") {
		t.Errorf("got the error %v, want %q", err, text)
	}
	if err != nil {
		want = bucket.Credential{}
		if !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "planted") {
			t.Errorf("got the error %v, want %q", err, text)
		}
	}
	if got != want {
		t.Errorf("got %s %s %s %s", got.AccessKey, got.SecretKey, got.SessionToken, got.Expires)
	}
}

func TestCredentialsFromTheEnvironment(t *testing.T) {
	for name, tt := range map[string]struct {
		set  map[string]string
		want bucket.Credential
		text string
	}{
		"Amazon": {map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
			"MINIO_ACCESS_KEY": "x"}, bucket.Credential{AccessKey: "a", SecretKey: "s", SessionToken: "t"}, ""},
		"MinIO": {map[string]string{"MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "s", "AWS_SESSION_TOKEN": "t"},
			bucket.Credential{AccessKey: "a", SecretKey: "s"}, ""},
		"MinIO's root": {map[string]string{"MINIO_ROOT_USER": "a", "MINIO_ROOT_PASSWORD": "s"},
			bucket.Credential{AccessKey: "a", SecretKey: "s"}, ""},
		"half": {map[string]string{"AWS_SECRET_ACCESS_KEY": "planted", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "s"},
			bucket.Credential{}, "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		"none": {nil, bucket.Credential{}, "no AWS_ACCESS_KEY_ID"},
	} {
		t.Run(name, func(t *testing.T) {
			withEnvironment(t, tt.set)
			checkCredential(t, bucket.FromEnvironment, tt.want, tt.text)
		})
	}
}

const profiles = "\ufeff# keys\r\n[default]\r\naws_access_key_id = a\r\naws_secret_access_key=s/=+\r\n\r\n" + `
[ profile tabbed ]
	aws_access_key_id = nested
AWS_Access_Key_ID	=	b
aws_secret_access_key = first
aws_secret_access_key = s2
aws_session_token = t2==
s3 =
  aws_access_key_id = not this one
; aws_secret_access_key = nor this one
[half]
aws_secret_access_key = planted
[process]
credential_process = /usr/bin/touch /planted
[role]
role_arn = arn:aws:iam::123456789012:role/planted
source_profile = default
[sso]
sso_session = planted
[empty]
[both]
credential_process = false
aws_access_key_id = c
aws_secret_access_key = s3
[aws_access_key_id = x`

func TestCredentialsFromAFile(t *testing.T) {
	withEnvironment(t, nil)
	path := filepath.Join(t.TempDir(), "credentials")
	must(t, os.WriteFile(path, []byte(profiles), 0o600))
	for profile, tt := range map[string]struct {
		want bucket.Credential
		text string
	}{
		"":        {bucket.Credential{AccessKey: "a", SecretKey: "s/=+"}, ""},
		"default": {bucket.Credential{AccessKey: "a", SecretKey: "s/=+"}, ""},
		"tabbed":  {bucket.Credential{AccessKey: "b", SecretKey: "s2", SessionToken: "t2=="}, ""},
		"both":    {bucket.Credential{AccessKey: "c", SecretKey: "s3"}, ""},
		"half":    {bucket.Credential{}, `profile "half" has not both`},
		"empty":   {bucket.Credential{}, `profile "empty" has not both`},
		"process": {bucket.Credential{}, "no process is started"},
		"role":    {bucket.Credential{}, "use FromRole"},
		"sso":     {bucket.Credential{}, "single sign-on is not asked"},
		"another": {bucket.Credential{}, `no profile "another"`},
	} {
		t.Run("profile="+profile, func(t *testing.T) {
			checkCredential(t, bucket.FromFile(path, profile), tt.want, tt.text)
		})
	}
	checkCredential(t, bucket.FromFile(path+"x", ""), bucket.Credential{}, "no such file")
	must(t, os.WriteFile(path+"x", make([]byte, 2<<20), 0o600))
	checkCredential(t, bucket.FromFile(path+"x", ""), bucket.Credential{}, "more than")
}

func TestCredentialsFromTheUsualFile(t *testing.T) {
	home := t.TempDir()
	must(t, os.Mkdir(filepath.Join(home, ".aws"), 0o700))
	path := filepath.Join(home, ".aws", "credentials")
	must(t, os.WriteFile(path, []byte("[work]\naws_access_key_id=a\naws_secret_access_key=s\n"), 0o600))
	want := bucket.Credential{AccessKey: "a", SecretKey: "s"}
	f := bucket.FromFile("", "")
	withEnvironment(t, map[string]string{"HOME": home, "USERPROFILE": home, "AWS_PROFILE": "work"})
	checkCredential(t, f, want, "")
	// The file is read each time, wherever it is by then.
	must(t, os.Rename(path, path+"2"))
	checkCredential(t, f, want, "no such file")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", path+"2")
	checkCredential(t, f, want, "")
	t.Setenv("AWS_PROFILE", "")
	checkCredential(t, f, want, `no profile "default"`)
}
