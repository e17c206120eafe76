package testbed

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/go-git/go-git/v5/storage/memory"
	"github.com/minio/minio-go/v7"
	cryptossh "golang.org/x/crypto/ssh"
	"k8s.io/client-go/rest"
)

func get(t *testing.T, c *rest.Config, path string) string {
	t.Helper()
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Get(c.Host + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestKubernetesIsReadyAndShared(t *testing.T) {
	if os.Getenv(KubeconfigVariable) != "" {
		t.Skip(KubeconfigVariable + " names another cluster")
	}
	first, second := Kubernetes(t), Kubernetes(t)
	if first.Host != second.Host {
		t.Errorf("two clusters, %s and %s, want one", first.Host, second.Host)
	}
	if got := get(t, first, "/version"); !strings.Contains(got, `"v1.36.3"`) {
		t.Errorf("/version is %s", got)
	}
}

func TestKubernetesLeavesNoFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s, err := StartKubernetes(t.Context(), KubernetesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(dir + "/*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestS3StoresObjects(t *testing.T) {
	b := S3(t)
	if err := b.Put(t.Context(), "a/b", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	o, err := b.Client.GetObject(t.Context(), b.Name, "a/b", minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(o); err != nil || string(body) != "hello" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestGitServesHTTPAndSSH(t *testing.T) {
	r := GitWith(t, GitOptions{User: "ann", Password: "secret"})
	want, err := r.Commit(t.Context(), map[string][]byte{"a.txt": []byte("one")})
	if err != nil {
		t.Fatal(err)
	}
	url := strings.Replace(r.URL(), "://", "://ann:secret@", 1)
	if got, err := runGit(t.Context(), nil, "ls-remote", url, "refs/heads/main"); err != nil || !strings.HasPrefix(got, want) {
		t.Errorf("over HTTP main is %q, %v, want %s", got, err, want)
	}
	auth := &ssh.Password{User: "ann", Password: "secret"}
	auth.HostKeyCallback = cryptossh.FixedHostKey(r.HostKey)
	remote := gogit.NewRemote(memory.NewStorage(), &config.RemoteConfig{Name: "origin", URLs: []string{r.SSHURL()}})
	refs, err := remote.ListContext(t.Context(), &gogit.ListOptions{Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range refs {
		if ref.Name() == "refs/heads/main" && ref.Hash().String() == want {
			return
		}
	}
	t.Errorf("over SSH the references are %v, want %s", refs, want)
}

func TestGitRefusesWrongPassword(t *testing.T) {
	r := GitWith(t, GitOptions{User: "ann", Password: "secret"})
	answer, err := http.Get(r.URL() + "/info/refs?service=git-upload-pack")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %s, want 401", answer.Status)
	}
}

func TestCommitKeepsWhatItDoesNotName(t *testing.T) {
	r := Git(t)
	for _, files := range []map[string][]byte{{"a": []byte("1"), "b": []byte("2")}, {"b": nil, "c": []byte("3")}} {
		if _, err := r.Commit(t.Context(), files); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := r.Git(context.Background(), "ls-tree", "--name-only", "main"); err != nil || got != "a\nc" {
		t.Errorf("the tree is %q, %v, want a and c", got, err)
	}
}
