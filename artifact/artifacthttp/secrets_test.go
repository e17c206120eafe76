package artifacthttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/artifact"
)

// One secret may begin another. Neither may be told in part, in whatever order they are looked for.
func TestErrorsTellNoRestOfASecret(t *testing.T) {
	const short, rest = "t0ken-of-mine", "and-the-better-part-of-it"
	s := shelve(t, 100, artifact.Gzip)
	at := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintf(conn, "%s\r\n\r\n", r.Header.Get("Authorization")) // no answer: net/http quotes it
		conn.Close()
	}))
	client := hasty()
	client.Retries = -1
	client.Header = http.Header{"Authorization": {"Bearer " + short + rest}}
	for i := range 8 { // maps are without an order
		client.Header.Set(fmt.Sprint("X-", i), short)
		client.Header.Add(fmt.Sprint("X-", i), (short + rest)[:len(short)+i])
	}
	_, err := client.Fetch(t.Context(), at, only(s.Digest), &memory{})
	if err == nil {
		t.Fatal("no error")
	}
	if !strings.Contains(err.Error(), "(redacted)") {
		t.Errorf("%v: the server's text is not in it", err)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if text := err.Error(); strings.Contains(text, rest[12:]) || strings.Contains(text, short) {
			t.Errorf("%q tells of a secret", text)
		}
	}
}
