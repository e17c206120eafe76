package artifacthttp_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/artifact/artifacthttp"
)

// Between two steps of an answer a name may come to stand for another artifact. What is served is its artifact even so, and
// never that of the name without the suffix.
func TestHandlerServesNoOtherNamesArtifact(t *testing.T) {
	s := shelve(t, 100, artifact.Gzip)
	another, err := artifact.PackTo(t.Context(), s, treeOf(200), artifact.PackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	gone := digest.FromString("gone")
	for name, test := range map[string]struct {
		means  []digest.Digest // one after the other
		status int
	}{
		"tagged anew":    {[]digest.Digest{gone, another.Digest}, http.StatusOK},
		"gone for good":  {[]digest.Digest{gone}, http.StatusNotFound},
		"untagged since": {[]digest.Digest{gone, ""}, http.StatusOK}, // now the other name is meant
	} {
		t.Run(name, func(t *testing.T) {
			h := artifacthttp.Handler(s, artifacthttp.HandlerOptions{Names: resolver(func(_ context.Context, name string) (digest.Digest, error) {
				if name != "podinfo.tar.gz" {
					return s.Digest, nil
				}
				d := test.means[0]
				test.means = test.means[min(1, len(test.means)-1):]
				if d == "" {
					return "", artifact.ErrNotFound
				}
				return d, nil
			})})
			answer := ask(t, h, http.MethodGet, "/podinfo.tar.gz")
			if answer.StatusCode != test.status {
				t.Errorf("%s, want %d", answer.Status, test.status)
			}
			want := another.Digest
			if name == "untagged since" {
				want = s.Digest
			}
			if answer.StatusCode == http.StatusOK && answer.Header.Get("Docker-Content-Digest") != string(want) {
				t.Errorf("served %v, which another name stands for", answer.Header)
			}
		})
	}
}
