package webhook_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/reconcile/webhook"
)

func TestSecretSentInPlaceOfASignatureIsNotRepeated(t *testing.T) {
	const padded = "cGxhbnRlZC1zZWNyZXQ=" // what is before the "=" looks like an algorithm
	for provider, header := range map[webhook.Provider]string{
		webhook.GitHub: "X-Hub-Signature-256", webhook.Gitea: "X-Gitea-Signature", webhook.Generic: "X-Signature",
		webhook.GitLab: "webhook-signature", webhook.Bucket: "Authorization",
	} {
		r := receive(t, webhook.Options{Provider: provider, Secrets: []string{padded + "other"}})
		answer := r.post("{}", header, padded)
		if answer.StatusCode != http.StatusUnauthorized || len(r.refused) != 1 {
			t.Fatalf("%s: %s, refused %v", provider, answer.Status, r.refused)
		}
		body, _ := io.ReadAll(answer.Body)
		if told := string(body) + r.refused[0].Error(); strings.Contains(told, padded[:10]) {
			t.Errorf("%s: what was sent is told: %s", provider, told)
		}
	}
}

func TestPushThatSaysNoCommitDeletesNothing(t *testing.T) {
	body := `{"ref": "refs/heads/main", "repository": {"clone_url": "https://github.com/Example/Fleet.git"}}`
	r := receive(t, webhook.Options{Provider: webhook.GitHub})
	r.post(body, "X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+sha256Of(body))
	if len(r.pushes) != 1 || r.pushes[0].Deleted || r.pushes[0].Commit != "" {
		t.Errorf("pushes: %+v", r.pushes)
	}
}
