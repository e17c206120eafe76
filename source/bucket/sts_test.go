package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A tokenService is a security token service. It answers what it is told to, and remembers what it was asked.
type tokenService struct {
	status int
	body   string
	last   *http.Request
	form   url.Values
}

func (s *tokenService) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.last = r
	s.form, err = url.ParseQuery(string(body))
	answer := httptest.NewRecorder()
	answer.WriteHeader(s.status)
	_, _ = answer.WriteString(s.body)
	return answer.Result(), err
}

func stsAnswer(action string) string {
	return fmt.Sprintf(`<?xml version="1.0"?><%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult>
		<AssumedRoleUser><Arn>x</Arn></AssumedRoleUser><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
		<SessionToken>t</SessionToken><Expiration>2030-01-01T06:00:00Z</Expiration></Credentials></%[1]sResult></%[1]sResponse>`, action)
}

func stsFailure(code string) string {
	return fmt.Sprintf(`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code>
		<Message>not with planted%%2Fsession</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code)
}

func base() bucket.CredentialFunc {
	return bucket.Static(bucket.Credential{AccessKey: "AKIABASE", SecretKey: "planted-secret", SessionToken: "planted/session"})
}

const arn = "arn:aws:iam::123456789012:role/reader"

func TestFromRoleAsksWithASignature(t *testing.T) {
	for name, tt := range map[string]struct {
		role          bucket.RoleOptions
		store         string
		url           string
		region        string
		form, without string
	}{
		"Amazon": {bucket.RoleOptions{ARN: arn}, "https://s3.eu-west-1.amazonaws.com", "https://sts.eu-west-1.amazonaws.com/", "eu-west-1",
			"RoleArn=" + url.QueryEscape(arn) + "&RoleSessionName=gitopskit", "DurationSeconds"},
		"China": {bucket.RoleOptions{ARN: arn, Region: "cn-north-1"}, "https://s3.cn-north-1.amazonaws.com.cn",
			"https://sts.cn-north-1.amazonaws.com.cn/", "cn-north-1", "", ""},
		"all of it": {bucket.RoleOptions{ARN: arn, SessionName: "fleet", ExternalID: "e/x", Policy: "{}", Duration: 15 * time.Minute,
			Region: "us-east-2"}, "https://s3.eu-west-1.amazonaws.com", "https://sts.us-east-2.amazonaws.com/", "us-east-2",
			"DurationSeconds=900&ExternalId=e%2Fx&Policy=%7B%7D&RoleArn=" + url.QueryEscape(arn) + "&RoleSessionName=fleet", ""},
		"MinIO":    {bucket.RoleOptions{}, "https://minio.example.com:9000", "https://minio.example.com:9000/", "eu-west-1", "", "RoleArn"},
		"loopback": {bucket.RoleOptions{}, "http://127.0.0.1:9000", "http://127.0.0.1:9000/", "eu-west-1", "", "RoleSessionName"},
		"another": {bucket.RoleOptions{Endpoint: "https://sts.example.com/v1"}, "https://s3.eu-west-1.amazonaws.com",
			"https://sts.example.com/v1", "eu-west-1", "", ""},
		"plain": {bucket.RoleOptions{AllowPlainHTTP: true}, "http://minio:9000", "http://minio:9000/", "eu-west-1", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			service := &tokenService{status: 200, body: stsAnswer("AssumeRole")}
			request := bucket.CredentialRequest{Endpoint: tt.store, Region: "eu-west-1", Refused: true,
				Client: &http.Client{Transport: service}}
			var refused bool
			got, err := bucket.FromRole(func(ctx context.Context, r bucket.CredentialRequest) (bucket.Credential, error) {
				refused = r.Refused
				return base()(ctx, r)
			}, tt.role)(t.Context(), request)
			if err != nil || got != wantRole() || refused {
				t.Fatalf("got %v, %v", got, err)
			}
			if got := service.last.URL.String(); got != tt.url || service.last.Method != http.MethodPost {
				t.Errorf("got %s, want %s", got, tt.url)
			}
			scope := regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=AKIABASE/\d{8}/` + tt.region +
				`/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$`)
			if h := service.last.Header; !scope.MatchString(h.Get("Authorization")) || h.Get("X-Amz-Security-Token") != "planted/session" {
				t.Errorf("got %v", h)
			}
			if got := service.form.Encode(); !strings.HasPrefix(got, "Action=AssumeRole&") || !strings.Contains(got, "Version=2011-06-15") {
				t.Errorf("got %s", got)
			}
			for _, pair := range strings.Split(tt.form, "&") {
				if !strings.Contains(service.form.Encode(), pair) {
					t.Errorf("got %s without %s", service.form.Encode(), pair)
				}
			}
			if tt.without != "" && service.form.Has(tt.without) {
				t.Errorf("got %s", service.form.Encode())
			}
		})
	}
}

func TestFromWebIdentityReadsTheTokenEachTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	service := &tokenService{status: 200, body: stsAnswer("AssumeRoleWithWebIdentity")}
	request := bucket.CredentialRequest{Endpoint: "https://s3.eu-west-1.amazonaws.com", Region: "eu-west-1",
		Client: &http.Client{Transport: service}}
	ask := func(f bucket.CredentialFunc, token, role, session string) {
		t.Helper()
		must(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
		if got, err := f(t.Context(), request); err != nil || got != wantRole() {
			t.Errorf("got %v, %v", got, err)
		}
		f1 := service.form
		if f1.Get("WebIdentityToken") != token || f1.Get("RoleArn") != role || f1.Get("RoleSessionName") != session ||
			f1.Get("Action") != "AssumeRoleWithWebIdentity" || service.last.Header.Get("Authorization") != "" {
			t.Errorf("got %v %v", service.form, service.last.Header)
		}
	}
	withEnvironment(t, map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": arn, "AWS_ROLE_SESSION_NAME": "pod"})
	f := bucket.FromWebIdentity(nil, bucket.RoleOptions{})
	ask(f, "one", arn, "pod")
	ask(f, "two", arn, "pod")
	ask(bucket.FromWebIdentity(nil, bucket.RoleOptions{ARN: arn + "2", SessionName: "fleet"}), "three", arn+"2", "fleet")
	ask(bucket.FromWebIdentity(bucket.TokenFile(file), bucket.RoleOptions{}), "four", "", "") // nothing of the environment
	ask(bucket.FromWebIdentity(bucket.TokenFile(file), bucket.RoleOptions{ARN: arn}), "five", arn, "gitopskit")
}

func TestErrorsOfRoles(t *testing.T) {
	withEnvironment(t, nil)
	mine := errors.New("mine")
	failing := func(context.Context, bucket.CredentialRequest) (bucket.Credential, error) {
		return bucket.Credential{}, mine
	}
	token := func(word string, err error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return word, err }
	}
	role := bucket.RoleOptions{Endpoint: "https://sts.example.com"}
	for name, tt := range map[string]struct {
		f         bucket.CredentialFunc
		status    int
		body      string
		want      error
		temporary bool
		text      string
	}{
		"refused": {bucket.FromRole(base(), role), 403, stsFailure("AccessDenied"), source.ErrUnauthorized, false,
			"AssumeRole of https://sts.example.com"},
		"expired": {bucket.FromRole(base(), role), 400, stsFailure("ExpiredToken"), source.ErrUnauthorized, false,
			`"ExpiredToken": "not with`},
		"bad token": {bucket.FromWebIdentity(token("planted-token", nil), role), 400, strings.ReplaceAll(stsFailure("InvalidIdentityToken"),
			"planted%2Fsession", "planted-token"), source.ErrUnauthorized, false, "(redacted)"},
		"as S3 says": {bucket.FromRole(base(), role), 400, "<Error><Code>InvalidToken</Code></Error>", source.ErrUnauthorized, false,
			"InvalidToken"},
		"invalid":      {bucket.FromRole(base(), role), 400, stsFailure("ValidationError"), nil, false, `400 "ValidationError"`},
		"busy":         {bucket.FromRole(base(), role), 503, "no XML", nil, true, "503"},
		"many":         {bucket.FromRole(base(), role), 429, stsFailure("Throttling"), nil, true, "Throttling"},
		"redirect":     {bucket.FromRole(base(), role), 307, "", nil, false, "307"},
		"no XML":       {bucket.FromRole(base(), role), 200, "planted-token", nil, false, "no credentials"},
		"another kind": {bucket.FromRole(base(), role), 200, "<x/>", nil, false, "no credentials"},
		"long":         {bucket.FromRole(base(), role), 200, strings.Repeat(" ", 2<<20), nil, false, "more than"},
		"base fails":   {bucket.FromRole(failing, role), 200, "", mine, false, "mine"},
		"no base":      {bucket.FromRole(nil, role), 200, "", nil, false, "FromRole has no function"},
		"anyone":       {bucket.FromRole(bucket.Static(bucket.Credential{}), role), 200, "", nil, false, "FromRole needs an access key"},
		"no token":     {bucket.FromWebIdentity(token("", nil), role), 200, "", nil, false, "is empty"},
		"token fails":  {bucket.FromWebIdentity(token("", mine), role), 200, "", mine, false, "mine"},
		"no token file": {bucket.FromWebIdentity(bucket.TokenFile("/nonexistent/token"), role), 200, "", os.ErrNotExist, false,
			"/nonexistent/token"},
		"no environment": {bucket.FromWebIdentity(nil, role), 200, "", nil, false, "AWS_WEB_IDENTITY_TOKEN_FILE is not set"},
		"plain HTTP": {bucket.FromRole(base(), bucket.RoleOptions{Endpoint: "http://sts.example.com"}), 200, stsAnswer("AssumeRole"), nil, false,
			"RoleOptions.AllowPlainHTTP"},
		"no URL": {bucket.FromRole(base(), bucket.RoleOptions{Endpoint: "https://u:planted@example.com"}), 200, "", nil, false,
			"RoleOptions.Endpoint"},
		"negative": {bucket.FromRole(base(), bucket.RoleOptions{Duration: -time.Hour}), 200, "", nil, false, "RoleOptions.Duration -1h0m0s"},
		"fraction": {bucket.FromRole(base(), bucket.RoleOptions{Duration: time.Millisecond}), 200, "", nil, false, "RoleOptions.Duration 1ms"},
	} {
		t.Run(name, func(t *testing.T) {
			client := &http.Client{Transport: &tokenService{status: tt.status, body: tt.body}}
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			got, err := tt.f(t.Context(), bucket.CredentialRequest{Endpoint: "https://example.com", Client: client})
			if err == nil || got != (bucket.Credential{}) || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("got %v, %v, want %q", got, err, tt.text)
			}
			if strings.Contains(err.Error(), "planted") {
				t.Errorf("a secret is in %v", err)
			}
			temporary := new(source.TemporaryError)
			if errors.As(err, &temporary) != tt.temporary || tt.want != nil && !errors.Is(err, tt.want) ||
				tt.want == nil && errors.Is(err, source.ErrUnauthorized) {
				t.Errorf("got %v, want %v, temporary: %v", err, tt.want, tt.temporary)
			}
		})
	}
}

// The service is asked by the way to the store, and what it says is cleaned of the store's secrets too.
func TestRolesAreAskedForByTheTransportOfTheStore(t *testing.T) {
	b := testbed.S3(t)
	must(t, b.Put(t.Context(), "a", []byte("1")))
	var asked []string
	keys := strings.NewReplacer(">a<", ">"+b.AccessKey+"<", ">s<", ">"+b.SecretKey+"<", "<SessionToken>t</SessionToken>", "")
	service := &tokenService{status: 200, body: keys.Replace(stsAnswer("AssumeRole"))}
	opts := asking(b, bucket.FromRole(base(), bucket.RoleOptions{}))
	opts.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			asked = append(asked, r.URL.String())
			return service.RoundTrip(r)
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	got := fetch(t, newSource(t, opts), source.Revision{})
	if read(t, got, "a") != "1" || !slices.Equal(asked, []string{"http://" + b.Endpoint + "/"}) {
		t.Errorf("asked %q", asked)
	}
	service.status, service.body = 500, stsFailure("InternalFailure")
	_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, "asking for credentials: AssumeRole of http://")
	if temporary := new(source.TemporaryError); !errors.As(err, &temporary) || strings.Contains(err.Error(), "planted/session") {
		t.Errorf("got %v", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
