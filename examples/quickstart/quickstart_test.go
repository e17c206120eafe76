package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

func TestQuickstartGoesTheWholeWayAndLeavesNothing(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, flags{namespace: "default", set: "quickstart"}); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	rest := out.String()
	for range 2 { // from Git, and from a bucket
		for _, want := range []string{
			"first apply", "4 created", "created    Deployment.apps default/hello",
			"nothing has changed", "4 unchanged",
			"changes one object and drops another", "1 configured, 2 unchanged, 1 pruned",
			"configured Deployment.apps default/hello", "pruned     HorizontalPodAutoscaler.autoscaling default/hello",
			"the Service, deleted by hand, is restored", "1 created, 2 unchanged", "created    Service default/hello",
			"tear-down", "3 deleted",
		} {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Fatalf("it does not say %q from here on:\n%s", want, rest)
			}
			rest = after
		}
	}
	if !strings.HasSuffix(rest, "\nNothing is left.\n") {
		t.Errorf("it ends with:\n%s", rest)
	}
	if strings.Contains(out.String(), "\x1b[") {
		t.Error("it is coloured, though this is no terminal")
	}
}

func TestQuickstartTakesTheUsersOwn(t *testing.T) {
	tree, err := files(false)
	if err != nil {
		t.Fatal(err)
	}
	repository := testbed.GitWith(t, testbed.GitOptions{User: "ann", Password: "planted-secret"})
	if _, err := repository.Commit(t.Context(), tree); err != nil {
		t.Fatal(err)
	}
	b := testbed.S3(t)
	for name, body := range tree {
		if err := b.Put(t.Context(), name, body); err != nil {
			t.Fatal(err)
		}
	}
	config := writeKubeconfig(t)
	t.Setenv("GIT_USERNAME", "ann")
	t.Setenv("GIT_PASSWORD", "planted-secret")
	t.Setenv("AWS_ACCESS_KEY_ID", b.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", b.SecretKey)
	for _, test := range []struct {
		name, says string
		flags
	}{
		{"git", "Deployment.apps default/hello", flags{git: repository.URL(), branch: "main", plain: true}},
		// The same set from the other origin, which has the same.
		{"bucket", "4 unchanged", flags{endpoint: "http://" + b.Endpoint, bucket: b.Name, region: "us-east-1"}},
	} {
		name, f := test.name, test.flags
		f.path, f.kubeconfig, f.namespace, f.set, f.once = "overlays/production", config, "default", "own", true
		var out bytes.Buffer
		if err := run(t.Context(), &out, f); err != nil || !strings.Contains(out.String(), test.says) {
			t.Errorf("%s: %v\n%s", name, err, &out)
		}
		if text := out.String(); strings.Contains(text, "planted-secret") || strings.Contains(text, b.SecretKey) {
			t.Errorf("%s: a secret is told:\n%s", name, text)
		}
	}
	deleteSet(t, apply.ID{Namespace: "default", Name: "own"})
}

// deleteSet leaves the cluster, which other tests share, as it was.
func deleteSet(t *testing.T, id apply.ID) {
	t.Helper()
	applier, err := apply.New(testbed.Kubernetes(t), apply.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := applier.Delete(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func writeKubeconfig(t *testing.T) string {
	t.Helper()
	c := testbed.Kubernetes(t)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	body, err := clientcmd.Write(api.Config{
		Clusters:       map[string]*api.Cluster{"it": {Server: c.Host, CertificateAuthorityData: c.CAData}},
		AuthInfos:      map[string]*api.AuthInfo{"it": {Token: c.BearerToken}},
		Contexts:       map[string]*api.Context{"it": {Cluster: "it", AuthInfo: "it"}},
		CurrentContext: "it",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestQuickstartRefusesHalfAnOrigin(t *testing.T) {
	for _, f := range []flags{{endpoint: "localhost:1"}, {bucket: "b"}, {git: "http://localhost:1/r", bucket: "b"}} {
		f.kubeconfig, f.once = writeKubeconfig(t), true
		if err := run(t.Context(), &bytes.Buffer{}, f); err == nil || !strings.Contains(err.Error(), "-bucket") {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
