package lfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

// A plainClient is as [Client] says, with a user and password for one origin where they are set.
type plainClient struct {
	http.Client
	origin, user, password string
}

func newPlainClient(t *testing.T, ca []byte) *plainClient {
	transport := &http.Transport{}
	if ca != nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	t.Cleanup(transport.CloseIdleConnections)
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &plainClient{Client: http.Client{Transport: transport, CheckRedirect: stay}}
}

func (c *plainClient) Do(r *http.Request) (*http.Response, error) {
	if c.user != "" && r.URL.Scheme+"://"+r.URL.Host == c.origin && r.Header.Get("Authorization") == "" {
		r = r.Clone(r.Context())
		r.SetBasicAuth(c.user, c.password)
	}
	return c.Client.Do(r)
}

func parseURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func pointerTo(content string) Pointer {
	return Pointer{OID: fmt.Sprintf("%x", sha256.Sum256([]byte(content))), Size: int64(len(content))}
}

// stored puts contents on the test bed's server and returns pointers to them, by paths in their order.
func stored(t *testing.T, r *testbed.Repository, contents ...string) map[string]Pointer {
	t.Helper()
	files := make(map[string]Pointer)
	for i, content := range contents {
		p, ok := Parse(r.PutLFS([]byte(content)))
		if !ok || p != pointerTo(content) {
			t.Fatalf("the pointer to %.20q is %+v, %v", content, p, ok)
		}
		files[fmt.Sprintf("dir/%04d.bin", i)] = p
	}
	return files
}

func TestFetchReturnsAllContent(t *testing.T) {
	r := testbed.Git(t)
	var contents []string
	for i := range 250 {
		contents = append(contents, strings.Repeat(fmt.Sprintf("%d\x00", i), i*i+1))
	}
	contents = append(contents, contents[7], contents[7], "") // duplicates and an empty file
	files := stored(t, r, contents...)
	got, err := Fetch(t.Context(), newPlainClient(t, nil), parseURL(t, r.URL()), files, source.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 251 {
		t.Errorf("got %d contents, want 251", len(got))
	}
	for _, content := range contents {
		if body, ok := got[pointerTo(content).OID]; !ok || string(body) != content {
			t.Errorf("content %.20q is %.20q", content, body)
		}
	}
	requests := r.TakeRequests()
	if batches, gets := testbed.Count(requests, "POST "), testbed.Count(requests, "GET "); batches != 3 || gets != 250 {
		t.Errorf("%d batch requests and %d downloads, want 3 and 250", batches, gets)
	}
}

func TestFetchAsksNothingForNothing(t *testing.T) {
	client := doer(func(r *http.Request) (*http.Response, error) { return nil, errors.New("asked " + r.URL.String()) })
	for _, files := range []map[string]Pointer{nil, {"empty": pointerTo("")}} {
		got, err := Fetch(t.Context(), client, parseURL(t, "https://example.com/r"), files, source.Limits{})
		if err != nil || len(got) != len(files) {
			t.Errorf("%v: got %v, %v", files, got, err)
		}
	}
}

func TestFetchAuthenticates(t *testing.T) {
	r := testbed.GitWith(t, testbed.GitOptions{User: "ann", Password: "planted-secret"})
	files := stored(t, r, "one", "two")
	client := newPlainClient(t, r.CA)
	for _, password := range []string{"", "planted-wrong", "planted-secret"} {
		client.origin, client.user, client.password = r.HTTPS, "ann", password
		got, err := Fetch(t.Context(), client, parseURL(t, r.HTTPSURL()), files, source.Limits{})
		if password == "planted-secret" {
			if err != nil || string(got[pointerTo("two").OID]) != "two" {
				t.Errorf("got %v, %v", got, err)
			}
			continue
		}
		if !errors.Is(err, source.ErrUnauthorized) || got != nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("with %q: got %v, %v, want ErrUnauthorized", password, got, err)
		}
	}
}

// The repository is there, and Git's own server knows nothing of LFS.
func TestFetchTellsServersWithoutLFS(t *testing.T) {
	r := testbed.Git(t)
	files := map[string]Pointer{"a": pointerTo("one")}
	got, err := Fetch(t.Context(), newPlainClient(t, nil), parseURL(t, r.URL()), files, source.Limits{})
	if !errors.Is(err, ErrNoServer) || errors.Is(err, source.ErrNotFound) || got != nil {
		t.Errorf("got %v, %v, want ErrNoServer", got, err)
	}
}

func TestFetchNamesWhatIsMissing(t *testing.T) {
	r := testbed.Git(t)
	files := stored(t, r, "one", "two", "three")
	r.RemoveLFS(pointerTo("two").OID)
	got, err := Fetch(t.Context(), newPlainClient(t, nil), parseURL(t, r.URL()), files, source.Limits{})
	var missing *ObjectError
	if !errors.As(err, &missing) || missing.Path != "dir/0001.bin" || missing.OID != pointerTo("two").OID {
		t.Errorf("got %v, want an ObjectError about dir/0001.bin", err)
	}
	if !errors.Is(err, source.ErrNotFound) || got != nil {
		t.Errorf("got %v, %v, want ErrNotFound and no content", got, err)
	}
	if downloads := testbed.Count(r.TakeRequests(), "GET "); downloads != 0 {
		t.Errorf("%d downloads, want none", downloads)
	}
}

func TestFetchHoldsLimitsBeforeItAsks(t *testing.T) {
	client := doer(func(*http.Request) (*http.Response, error) { return nil, errors.New("asked") })
	big := Pointer{OID: someOID, Size: math.MaxInt64}
	for name, tt := range map[string]struct {
		files  map[string]Pointer
		limits source.Limits
		option string // of the LimitError, if it is one
		path   string
		text   string
	}{
		"a file":        {map[string]Pointer{"a": pointerTo("1234"), "b": pointerTo("12345")}, source.Limits{MaxFileBytes: 4}, "Limits.MaxFileBytes", "b", ""},
		"the default":   {map[string]Pointer{"a": big}, source.Limits{}, "Limits.MaxFileBytes", "a", ""},
		"all":           {map[string]Pointer{"a": pointerTo("1234"), "b": pointerTo("12345")}, source.Limits{MaxBytes: 8}, "Limits.MaxBytes", "", ""},
		"a file twice":  {map[string]Pointer{"a": pointerTo("1234"), "b": pointerTo("1234")}, source.Limits{MaxBytes: 7}, "Limits.MaxBytes", "", ""},
		"no overflow":   {map[string]Pointer{"a": big, "b": big}, source.Limits{MaxBytes: math.MaxInt64, MaxFileBytes: math.MaxInt64}, "Limits.MaxBytes", "", ""},
		"two sizes":     {map[string]Pointer{"a": pointerTo("1234"), "b": {pointerTo("1234").OID, 5, false}}, source.Limits{}, "", "b", "one pointer says"},
		"an extension":  {map[string]Pointer{"a": {pointerTo("1234").OID, 4, true}}, source.Limits{}, "", "a", "extensions"},
		"no hash":       {map[string]Pointer{"a": {"../../secret", 4, false}}, source.Limits{}, "", "a", "Parse"},
		"negative size": {map[string]Pointer{"a": {someOID, -4, false}}, source.Limits{}, "", "a", "Parse"},
	} {
		got, err := Fetch(t.Context(), client, parseURL(t, "https://example.com/r"), tt.files, tt.limits)
		limit := new(source.LimitError)
		if errors.As(err, &limit) != (tt.option != "") || limit.Option != tt.option || got != nil {
			t.Errorf("%s: got %v, %v, want the limit %q", name, got, err, tt.option)
		}
		if err == nil || !strings.Contains(err.Error(), tt.path) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got %v, want %q and %q", name, err, tt.path, tt.text)
		}
	}
}

func TestFetchFindsTheServerOfARepository(t *testing.T) {
	for raw, want := range map[string]string{
		"https://example.com/org/repo":             "https://example.com/org/repo.git/info/lfs/objects/batch",
		"https://example.com/org/repo.git":         "https://example.com/org/repo.git/info/lfs/objects/batch",
		"https://example.com/org/repo.git/":        "https://example.com/org/repo.git/info/lfs/objects/batch",
		"https://ann:pw@example.com:8443/r?a=b#c":  "https://example.com:8443/r.git/info/lfs/objects/batch",
		"http://example.com/org%2Fteam/a%20b":      "http://example.com/org%2Fteam/a%20b.git/info/lfs/objects/batch",
		"ssh://git@example.com/org/repo.git":       "",
		"file:///srv/repo.git":                     "",
		"https:///repo.git":                        "",
		"git://planted-secret@example.com/a?b=c#d": "",
	} {
		got, err := batchURL(parseURL(t, raw))
		if want == "" {
			if err == nil || strings.Contains(err.Error(), "planted") {
				t.Errorf("%s: got %v, %v, want an error", raw, got, err)
			}
		} else if err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v, want %s", raw, got, err, want)
		}
	}
}

// Git LFS itself stores files by the test bed's server and gets them back, and what it stored is fetched here.
func TestFetchAgreesWithGitLFS(t *testing.T) {
	program := gitLFS(t)
	r := testbed.GitWith(t, testbed.GitOptions{User: "ann", Password: "secret"})
	r.EnableLFS()
	if _, err := r.Git(t.Context(), "config", "http.receivepack", "true"); err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	address := strings.Replace(r.URL(), "://", "://ann:secret@", 1)
	run := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+work, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
			"PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	contents := map[string][]byte{"a.bin": bytes.Repeat([]byte("a\r\n\x00"), 50_000), "b.bin": []byte("b"), "empty.bin": {}}
	first, second := filepath.Join(work, "first"), filepath.Join(work, "second")
	run(work, "lfs", "install")
	run(work, "clone", "-q", address, first)
	for name, body := range contents {
		if err := os.WriteFile(filepath.Join(first, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(first, "lfs", "track", "*.bin")
	run(first, "add", ".")
	run(first, "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-q", "-m", "files")
	run(first, "push", "-q", "origin", "HEAD:main")
	run(work, "clone", "-q", address, second)
	files := make(map[string]Pointer)
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		if body, err := os.ReadFile(filepath.Join(second, name)); err != nil || !bytes.Equal(body, contents[name]) {
			t.Errorf("git-lfs gets %d bytes of %s, %v", len(body), name, err)
		}
		blob, err := exec.CommandContext(t.Context(), "git", "-C", first, "cat-file", "blob", "HEAD:"+name).Output()
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := Parse(blob); ok {
			files[name] = p
		}
	}
	client := newPlainClient(t, nil)
	client.origin, client.user, client.password = r.HTTP, "ann", "secret"
	got, err := Fetch(t.Context(), client, parseURL(t, r.URL()), files, source.Limits{})
	if err != nil || len(files) != 2 {
		t.Fatalf("%d pointers, %v, want 2: the pointer to nothing is nothing", len(files), err)
	}
	for name, p := range files {
		if !bytes.Equal(got[p.OID], contents[name]) {
			t.Errorf("%s has %d bytes, want %d", name, len(got[p.OID]), len(contents[name]))
		}
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := testbed.Git(t)
	files := stored(t, r, "one")
	got, err := Fetch(ctx, newPlainClient(t, nil), parseURL(t, r.URL()), files, source.Limits{})
	if !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("got %v, %v, want context.Canceled", got, err)
	}
}
