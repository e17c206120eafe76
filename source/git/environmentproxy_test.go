package git_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// Go reads the environment once, so this is for a process of its own.
func TestErrorsHideThePasswordOfTheEnvironmentsProxy(t *testing.T) {
	const child = "GIT_TEST_ENVIRONMENT_PROXY"
	if os.Getenv(child) != "" {
		_, err := newSource(t, "http://git.example.com/fleet.git", git.Options{}).Fetch(t.Context(), source.Revision{})
		fmt.Println("the error is", err)
		return
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := strings.TrimPrefix(r.Header.Get("Proxy-Authorization"), "Basic ")
		plain, _ := base64.StdEncoding.DecodeString(sent)
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "got %s, %s", sent, plain)
	}))
	defer proxy.Close()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), child+"=1", "NO_PROXY=", "no_proxy=",
		"HTTP_PROXY=http://planted-user:planted-pass@"+proxy.Listener.Addr().String())
	out, err := command.CombinedOutput()
	must(t, err)
	encoded := base64.StdEncoding.EncodeToString([]byte("planted-user:planted-pass"))
	if text := string(out); !strings.Contains(text, "got (redacted)") || strings.Contains(text, "planted") || strings.Contains(text, encoded) {
		t.Errorf("got %s", out)
	}
}
