package bucket

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source/internal/secret"
)

func FuzzParseProfile(f *testing.F) {
	f.Add([]byte("[default]\naws_access_key_id=a\naws_secret_access_key = b\n"), "default")
	f.Add([]byte("\ufeff[profile x]\r\n\taws_access_key_id=a\r\naws_session_token==\r\n[x\n"), "x")
	f.Add([]byte("[a]\nrole_arn\n[b]\ncredential_process=c"), "a")
	f.Fuzz(func(t *testing.T, content []byte, profile string) {
		c, err := parseProfile(content, profile)
		if err != nil {
			if !c.anyone() {
				t.Errorf("there are keys, and %v", err)
			}
			return
		}
		for _, value := range []string{c.AccessKey, c.SecretKey} {
			if value == "" || !strings.Contains(string(content), value) || strings.Contains(value, "\n") ||
				strings.TrimSpace(value) != value {
				t.Errorf("got %q of %q", value, content)
			}
		}
	})
}

func FuzzAnswersWithCredentials(f *testing.F) {
	f.Add([]byte(`{"Code":"Success","AccessKeyId":"a","SecretAccessKey":"b","Token":"c","Expiration":"2030-01-01T00:00:00Z"}`), 200)
	f.Add([]byte(`<AssumeRoleResponse xmlns="x"><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b`+
		`</SecretAccessKey></Credentials></AssumeRoleResult></AssumeRoleResponse>`), 200)
	f.Add([]byte(`<ErrorResponse><Error><Code>ExpiredToken</Code><Message>planted-token</Message></Error></ErrorResponse>`), 400)
	f.Fuzz(func(t *testing.T, answer []byte, status int) {
		if status < 0 {
			status = http.StatusOK
		}
		role, roleErr := parseRoleCredential(answer, secret.New())
		sts, stsErr := parseSTS(status, answer, secret.New("planted-token"))
		for _, got := range []struct {
			c   Credential
			err error
		}{{role, roleErr}, {sts, stsErr}} {
			if (got.err == nil) != (got.c.AccessKey != "" && got.c.SecretKey != "") {
				t.Errorf("got %v, %v", got.c, got.err)
			}
			if got.err != nil && (strings.Contains(got.err.Error(), "planted-token") || len(got.err.Error()) > 5000) {
				t.Errorf("got %v", got.err)
			}
		}
	})
}
