package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/reconcile/webhook"
)

const secret = "planted-secret"

// A receiver is a handler and what it told.
type receiver struct {
	*webhook.Handler
	pushes  []webhook.Push
	objects []webhook.Objects
	refused []error
}

func receive(t testing.TB, opts webhook.Options) *receiver {
	t.Helper()
	r := new(receiver)
	if opts.Secrets == nil {
		opts.Secrets = []string{secret}
	}
	opts.OnPush = func(p webhook.Push) { r.pushes = append(r.pushes, p) }
	opts.OnObjects = func(o webhook.Objects) { r.objects = append(r.objects, o) }
	opts.OnRefused = func(_ *http.Request, err error) { r.refused = append(r.refused, err) }
	h, err := webhook.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	r.Handler = h
	return r
}

// post sends a message with headers, given as name and value in turn.
func (r *receiver) post(body string, headers ...string) *http.Response {
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	r.ServeHTTP(answer, request)
	return answer.Result()
}

func mac(newHash func() hash.Hash, key, body string) string {
	m := hmac.New(newHash, []byte(key))
	io.WriteString(m, body)
	return hex.EncodeToString(m.Sum(nil))
}

func sha256Of(body string) string { return mac(sha256.New, secret, body) }

const gitHubPush = `{
  "ref": "refs/heads/main", "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246", "after": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
  "created": false, "deleted": false, "forced": false,
  "repository": {"id": 186853002, "full_name": "Example/Fleet", "html_url": "https://github.com/Example/Fleet",
    "git_url": "git://github.com/Example/Fleet.git", "ssh_url": "git@github.com:Example/Fleet.git",
    "clone_url": "https://github.com/Example/Fleet.git", "pushed_at": 1557933657},
  "commits": [{"id": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c", "message": "web: 1.3", "added": ["web.yaml"]}]}`

const gitLabPush = `{
  "object_kind": "push", "event_name": "push", "ref": "refs/heads/main",
  "after": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7", "checkout_sha": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
  "project": {"id": 15, "web_url": "https://gitlab.example.com/mike/fleet", "git_ssh_url": "git@gitlab.example.com:mike/fleet.git",
    "git_http_url": "https://gitlab.example.com/mike/fleet.git", "default_branch": "main"},
  "repository": {"name": "fleet", "url": "git@gitlab.example.com:mike/fleet.git",
    "git_http_url": "https://gitlab.example.com/mike/fleet.git", "git_ssh_url": "git@gitlab.example.com:mike/fleet.git"}}`

const giteaPush = `{
  "ref": "refs/tags/v1.2", "before": "0000000000000000000000000000000000000000", "after": "bffeb74224043ba2feb48d137756c8a9331c449a",
  "repository": {"id": 140, "full_name": "ops/fleet", "html_url": "http://localhost:3000/ops/fleet",
    "ssh_url": "ssh://git@localhost:2222/ops/fleet.git", "clone_url": "http://localhost:3000/ops/fleet.git"}}`

func TestHandlerTakesPushesOfEachProvider(t *testing.T) {
	form := "payload=" + url.QueryEscape(gitHubPush)
	atLab := []string{"https://gitlab.example.com/mike/fleet.git", "git@gitlab.example.com:mike/fleet.git", "https://gitlab.example.com/mike/fleet"}
	atHub := webhook.Push{Provider: webhook.GitHub, Ref: "refs/heads/main", Commit: "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
		Repositories: []string{"https://github.com/Example/Fleet.git", "git@github.com:Example/Fleet.git",
			"git://github.com/Example/Fleet.git", "https://github.com/Example/Fleet"}}
	for name, c := range map[string]struct {
		provider webhook.Provider
		body     string
		headers  []string
		want     webhook.Push
	}{
		"GitHub": {webhook.GitHub, gitHubPush, []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256=" + sha256Of(gitHubPush)}, atHub},
		"GitHub, as a form": {webhook.GitHub, form, []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256=" + sha256Of(form),
			"Content-Type", "application/x-www-form-urlencoded"}, atHub},
		"GitLab, by its token": {webhook.GitLab, gitLabPush, []string{"X-Gitlab-Event", "Push Hook", "X-Gitlab-Token", secret},
			webhook.Push{Provider: webhook.GitLab, Ref: "refs/heads/main", Commit: "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
				Repositories: atLab}},
		"Gitea": {webhook.Gitea, giteaPush, []string{"X-Gitea-Event", "push", "X-Gitea-Signature", sha256Of(giteaPush)},
			webhook.Push{Provider: webhook.Gitea, Ref: "refs/tags/v1.2", Commit: "bffeb74224043ba2feb48d137756c8a9331c449a",
				Repositories: []string{"http://localhost:3000/ops/fleet.git", "ssh://git@localhost:2222/ops/fleet.git", "http://localhost:3000/ops/fleet"}}},
		"Forgejo": {webhook.Gitea, giteaPush, []string{"X-Forgejo-Event", "push", "X-Forgejo-Signature", sha256Of(giteaPush)},
			webhook.Push{Provider: webhook.Gitea, Ref: "refs/tags/v1.2", Commit: "bffeb74224043ba2feb48d137756c8a9331c449a",
				Repositories: []string{"http://localhost:3000/ops/fleet.git", "ssh://git@localhost:2222/ops/fleet.git", "http://localhost:3000/ops/fleet"}}},
		"generic, empty":   {webhook.Generic, "", []string{"X-Signature", "sha256=" + sha256Of("")}, webhook.Push{Provider: webhook.Generic}},
		"generic, sha512":  {webhook.Generic, "{}", []string{"X-Signature", "sha512=" + mac(sha512.New, secret, "{}")}, webhook.Push{Provider: webhook.Generic}},
		"generic, no JSON": {webhook.Generic, "<a/>", []string{"X-Signature", "sha256=" + sha256Of("<a/>")}, webhook.Push{Provider: webhook.Generic}},
		"generic, in full": {webhook.Generic, generic, []string{"X-Signature", "sha256=" + sha256Of(generic)}, genericWant},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, webhook.Options{Provider: c.provider})
			if answer := r.post(c.body, c.headers...); answer.StatusCode != http.StatusAccepted {
				t.Fatalf("answered %s, refused %v", answer.Status, r.refused)
			}
			if len(r.pushes) != 1 || !reflect.DeepEqual(r.pushes[0], c.want) {
				t.Errorf("told %+v, want %+v", r.pushes, c.want)
			}
		})
	}
}

const generic = `{"repository": "https://git.example.com/fleet", "ref": "refs/heads/main", "commit": "abc1"}`

var genericWant = webhook.Push{Provider: webhook.Generic, Repositories: []string{"https://git.example.com/fleet"}, Ref: "refs/heads/main", Commit: "abc1"}

func TestHandlerTakesNothingWithoutTheSecret(t *testing.T) {
	wrong := mac(sha256.New, "another", gitHubPush)
	for _, provider := range []webhook.Provider{webhook.GitHub, webhook.GitLab, webhook.Gitea, webhook.Generic, webhook.Bucket} {
		r := receive(t, webhook.Options{Provider: provider})
		for _, headers := range [][]string{
			{}, {"X-Hub-Signature-256", "sha256=" + wrong}, {"X-Hub-Signature-256", ""}, {"X-Hub-Signature-256", "sha256="},
			{"X-Hub-Signature-256", "sha256=" + sha256Of(gitHubPush)[:62]}, {"X-Hub-Signature", "sha1=" + sha256Of(gitHubPush)},
			{"X-Hub-Signature-256", "md5=" + sha256Of(gitHubPush)}, {"X-Gitea-Signature", wrong}, {"X-Forgejo-Signature", wrong},
			{"X-Forgejo-Signature", wrong, "X-Gitea-Signature", sha256Of(gitHubPush)}, {"X-Gitlab-Token", "another"}, {"X-Gitlab-Token", ""},
			{"X-Signature", "sha1=" + sha256Of(gitHubPush)}, {"X-Signature", "sha256=zz"}, {"Authorization", "Bearer another"},
			{"Authorization", "Bearer "}, {"Authorization", secret + "x"}, {"X-Api-Key", "another"},
			{"webhook-id", "1", "webhook-timestamp", "1", "webhook-signature", "v1,"},
			{"webhook-id", "1", "webhook-timestamp", "x", "webhook-signature", "v1,AAAA"},
			{"webhook-id", "1", "webhook-timestamp", fmt.Sprint(time.Now().Unix()), "webhook-signature", "v2,AAAA v1,AAAA v1a,AAAA"},
		} {
			headers = append(headers, "X-GitHub-Event", "push", "X-Gitea-Event", "push", "X-Gitlab-Event", "Push Hook")
			if answer := r.post(gitHubPush, headers...); answer.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %q: answered %s", provider, headers, answer.Status)
			}
		}
		if len(r.pushes)+len(r.objects) > 0 {
			t.Errorf("%s: told %v %v", provider, r.pushes, r.objects)
		}
		for _, err := range r.refused {
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), wrong) {
				t.Errorf("%s: the error tells too much: %v", provider, err)
			}
		}
	}
}

// A signature of one place must not be good for a body that it was not made of.
func TestSignatureIsOfTheBody(t *testing.T) {
	r := receive(t, webhook.Options{Provider: webhook.GitHub})
	changed := strings.Replace(gitHubPush, "main", "evil", 1)
	if answer := r.post(changed, "X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+sha256Of(gitHubPush)); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("answered %s", answer.Status)
	}
}

func TestHandlerTakesEachOfItsSecrets(t *testing.T) {
	r := receive(t, webhook.Options{Provider: webhook.GitHub, Secrets: []string{"new", secret}})
	for key, want := range map[string]int{"new": http.StatusAccepted, secret: http.StatusAccepted, "other": http.StatusUnauthorized} {
		answer := r.post(gitHubPush, "X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+mac(sha256.New, key, gitHubPush))
		if answer.StatusCode != want {
			t.Errorf("with %q: answered %s, want %d", key, answer.Status, want)
		}
	}
}

func TestMessageSentAgainDoesNothing(t *testing.T) {
	r := receive(t, webhook.Options{Provider: webhook.GitHub})
	headers := []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256=" + sha256Of(gitHubPush)}
	for _, want := range []int{http.StatusAccepted, http.StatusOK, http.StatusOK} {
		if answer := r.post(gitHubPush, append(headers, "X-GitHub-Delivery", fmt.Sprint(want))...); answer.StatusCode != want {
			t.Errorf("answered %s, want %d", answer.Status, want)
		}
	}
	if len(r.pushes) != 1 {
		t.Errorf("told %d pushes", len(r.pushes))
	}
	// Who signs what he likes may sign the same twice and mean it.
	r = receive(t, webhook.Options{Provider: webhook.Generic})
	for range 2 {
		r.post("", "X-Signature", "sha256="+sha256Of(""))
	}
	if len(r.pushes) != 2 {
		t.Errorf("told %d generic pushes, want 2", len(r.pushes))
	}
}

func TestMessagesAreForgottenAfterManyOthers(t *testing.T) {
	r := receive(t, webhook.Options{Provider: webhook.Gitea})
	send := func(n int) int {
		body := fmt.Sprintf(`{"ref": "refs/heads/b%d", "repository": {"clone_url": "https://example.com/a/b"}}`, n)
		return r.post(body, "X-Gitea-Event", "push", "X-Gitea-Signature", sha256Of(body)).StatusCode
	}
	for n := range 1500 {
		if status := send(n); status != http.StatusAccepted {
			t.Fatalf("message %d: %d", n, status)
		}
	}
	if old, young := send(1), send(1499); old != http.StatusAccepted || young != http.StatusOK {
		t.Errorf("an old message again: %d, a young one: %d", old, young)
	}
}

func TestSignedTimeIsWithinFiveMinutes(t *testing.T) {
	raw := []byte("0123456789abcdef0123456789abcdef")
	for _, provider := range []webhook.Provider{webhook.GitLab, webhook.Generic} {
		synctest.Test(t, func(t *testing.T) {
			r := receive(t, webhook.Options{Provider: provider, Secrets: []string{"whsec_" + base64.StdEncoding.EncodeToString(raw)}})
			at := fmt.Sprint(time.Now().Unix())
			m := hmac.New(sha256.New, raw)
			fmt.Fprintf(m, "id-1.%s.%s", at, gitLabPush)
			headers := []string{"X-Gitlab-Event", "Push Hook", "webhook-id", "id-1", "webhook-timestamp", at,
				"webhook-signature", "v1,AAAA v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))}
			send := func() int { return r.post(gitLabPush, headers...).StatusCode }
			if first, again := send(), send(); first != http.StatusAccepted || again != http.StatusOK {
				t.Errorf("%s: answered %d, then %d", provider, first, again)
			}
			time.Sleep(6 * time.Minute)
			if late := send(); late != http.StatusUnauthorized {
				t.Errorf("%s: six minutes later: %d", provider, late)
			}
			headers[3] = "id-2"
			if other := send(); other != http.StatusUnauthorized {
				t.Errorf("%s: under another id: %d", provider, other)
			}
		})
	}
}

func TestHandlerIgnoresOtherEvents(t *testing.T) {
	for provider, headers := range map[webhook.Provider][]string{
		webhook.GitHub: {"X-GitHub-Event", "ping", "X-Hub-Signature-256", "sha256=" + sha256Of("{}")},
		webhook.GitLab: {"X-Gitlab-Event", "Issue Hook", "X-Gitlab-Token", secret},
		webhook.Gitea:  {"X-Gitea-Event", "issues", "X-Gitea-Signature", sha256Of("{}")},
	} {
		r := receive(t, webhook.Options{Provider: provider})
		if answer := r.post("{}", headers...); answer.StatusCode != http.StatusOK || len(r.pushes) > 0 {
			t.Errorf("%s: answered %s, told %v", provider, answer.Status, r.pushes)
		}
	}
}

func TestDeletedReferencesAreToldSo(t *testing.T) {
	zeros := strings.Repeat("0", 40)
	body := `{"ref": "refs/heads/old", "after": "` + zeros + `", "project": {"git_http_url": "https://example.com/a/b.git"}}`
	r := receive(t, webhook.Options{Provider: webhook.GitLab})
	r.post(body, "X-Gitlab-Event", "Push Hook", "X-Gitlab-Token", secret)
	if len(r.pushes) != 1 || !r.pushes[0].Deleted || r.pushes[0].Commit != "" || r.pushes[0].Branch() != "old" {
		t.Errorf("told %+v", r.pushes)
	}
}

func TestHandlerRefusesBadMessages(t *testing.T) {
	sign := func(body string) []string {
		return []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256=" + sha256Of(body)}
	}
	large := `{"x": "` + strings.Repeat("x", 2000) + `"}`
	for name, c := range map[string]struct {
		body string
		more []string
		want int
	}{
		"no JSON":             {"hello", nil, http.StatusBadRequest},
		"of another sender":   {`{"hello": "world"}`, nil, http.StatusBadRequest},
		"a form without one":  {"a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, http.StatusBadRequest},
		"too large":           {large, nil, http.StatusRequestEntityTooLarge},
		"of a type unknown":   {"<a/>", []string{"Content-Type", "application/xml"}, http.StatusUnsupportedMediaType},
		"a type of its own":   {"<a/>", []string{"Content-Type", "\x00;;"}, http.StatusBadRequest},
		"an object too short": {`{"ref": 1}`, nil, http.StatusBadRequest},
	} {
		r := receive(t, webhook.Options{Provider: webhook.GitHub, MaxBytes: 1000})
		answer := r.post(c.body, append(sign(c.body), c.more...)...)
		if answer.StatusCode != c.want || len(r.refused) != 1 || len(r.pushes) > 0 {
			t.Errorf("%s: answered %s, refused %v, told %v", name, answer.Status, r.refused, r.pushes)
		}
	}
	r := receive(t, webhook.Options{Provider: webhook.GitHub})
	answer := httptest.NewRecorder()
	r.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	if answer.Code != http.StatusMethodNotAllowed || answer.Header().Get("Allow") != http.MethodPost {
		t.Errorf("a GET: %d, Allow %q", answer.Code, answer.Header().Get("Allow"))
	}
}

func TestNewRefusesOptions(t *testing.T) {
	push, objects := func(webhook.Push) {}, func(webhook.Objects) {}
	one := []string{secret}
	for want, opts := range map[string]webhook.Options{
		"Provider":   {Secrets: one, OnPush: push},
		"OnObjects":  {Provider: webhook.Bucket, Secrets: one, OnPush: push},
		"OnPush":     {Provider: webhook.GitHub, Secrets: one, OnObjects: objects},
		"Secrets is": {Provider: webhook.GitHub, OnPush: push},
		"Secrets[1]": {Provider: webhook.GitHub, OnPush: push, Secrets: []string{secret, ""}},
		"no base64":  {Provider: webhook.GitLab, OnPush: push, Secrets: []string{"whsec_" + secret + "!"}},
	} {
		if _, err := webhook.New(opts); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("want an error about %s, got %v", want, err)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	opts := webhook.Options{Provider: webhook.GitHub, Secrets: []string{secret}, OnPush: func(webhook.Push) {}}
	h, err := webhook.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "opts", opts)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q", opts, opts, opts, opts, opts), fmt.Sprintf("%v %+v %#v", h, h, h), log.String()} {
		if strings.Contains(text, secret) || !strings.Contains(text, "github") {
			t.Errorf("printed as %s", text)
		}
	}
}

func FuzzHandler(f *testing.F) {
	for _, body := range []string{gitHubPush, gitLabPush, giteaPush, generic, record, eventBridge, ""} {
		f.Add(body, uint8(0), "application/json")
		f.Add("payload="+url.QueryEscape(body), uint8(0), "application/x-www-form-urlencoded")
	}
	providers := []webhook.Provider{webhook.GitHub, webhook.GitLab, webhook.Gitea, webhook.Generic, webhook.Bucket}
	f.Fuzz(func(t *testing.T, body string, which uint8, kind string) {
		provider := providers[int(which)%len(providers)]
		r := receive(t, webhook.Options{Provider: provider})
		answer := r.post(body, "Content-Type", kind, "X-GitHub-Event", "push", "X-Gitea-Event", "push", "X-Gitlab-Event", "Push Hook",
			"X-Hub-Signature-256", "sha256="+sha256Of(body), "X-Gitea-Signature", sha256Of(body), "X-Gitlab-Token", secret,
			"X-Signature", "sha256="+sha256Of(body), "Authorization", "Bearer "+secret)
		switch told := len(r.pushes) + len(r.objects); answer.StatusCode {
		case http.StatusAccepted:
			if told == 0 {
				t.Error("accepted, and nothing was told")
			}
		case http.StatusOK, http.StatusBadRequest, http.StatusUnsupportedMediaType:
			if told > 0 {
				t.Errorf("%s, and told %v %v", answer.Status, r.pushes, r.objects)
			}
		default:
			t.Errorf("signed well, and answered %s", answer.Status)
		}
	})
}

func signature(key, body string) string { return mac(sha256.New, key, body) }
