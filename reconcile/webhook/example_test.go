package webhook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gitopskit/gitopskit/reconcile/webhook"
)

// One handler a provider, at a path of its own, in the program's own mux.
func Example() {
	const secret = "a long secret that only the host and this program know"
	hook, err := webhook.New(webhook.Options{
		Provider: webhook.Gitea,
		Secrets:  []string{secret},
		OnPush: func(p webhook.Push) {
			if p.Concerns("https://git.example.com/ops/fleet", "refs/heads/main") {
				fmt.Println("a round at once:", p.Branch(), p.Commit) // loop.Trigger()
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/hooks/gitea", hook)

	// What Gitea sends.
	body := `{"ref": "refs/heads/main", "after": "bffeb742", "repository": {"ssh_url": "git@git.example.com:ops/fleet.git"}}`
	request := httptest.NewRequest(http.MethodPost, "/hooks/gitea", strings.NewReader(body))
	request.Header.Set("X-Gitea-Event", "push")
	request.Header.Set("X-Gitea-Signature", signature(secret, body))
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, request)
	fmt.Println(answer.Code)
	// Output:
	// a round at once: main bffeb742
	// 202
}
