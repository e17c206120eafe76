package main

import (
	"fmt"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

func configMapFile(name, value string) []byte {
	return fmt.Appendf(nil, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {key: %q}\n", name, value)
}

func commit(t *testing.T, r *testbed.Repository, files map[string][]byte) string {
	t.Helper()
	hash, err := r.Commit(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func gitRepositoryOf(name, url string) string {
	return fmt.Sprintf("apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: %s}\n"+
		"spec: {url: %q, interval: 1s, ref: {branch: main}}\n", name, url)
}

func kustomizationOf(name, from, dir, more string) string {
	return fmt.Sprintf("---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: %s}\n"+
		"spec:\n  interval: 10m\n  prune: true\n  path: %s\n  sourceRef: {kind: %s}\n%s\n", name, dir, from, more)
}

func TestOperatorAppliesWhatGitHas(t *testing.T) {
	b := newBed(t)
	repository := testbed.Git(t)
	first := commit(t, repository, map[string][]byte{"app/one.yaml": configMapFile("one", "1"), "app/two.yaml": configMapFile("two", "2")})
	b.start("one")
	b.create(gitRepositoryOf("apps", repository.URL()) + kustomizationOf("app", "GitRepository, name: apps", "./app", ""))

	source := b.becomes(gitRepository, "apps", "True", "stored artifact for revision 'main@sha1:"+first+"'")
	k := b.becomes(kustomization, "app", "True", "Applied revision: main@sha1:"+first)
	t.Log(source.Object["status"])
	t.Log(k.Object["status"])
	if value, _ := b.configMap("one"); value != "1" {
		t.Errorf("the ConfigMap has %q", value)
	}
	second := commit(t, repository, map[string][]byte{"app/one.yaml": configMapFile("one", "new"), "app/two.yaml": nil})
	b.becomes(kustomization, "app", "True", "Applied revision: main@sha1:"+second)
	if value, _ := b.configMap("one"); value != "new" {
		t.Errorf("after the second commit, the ConfigMap has %q", value)
	}
	if _, ok := b.configMap("two"); ok {
		t.Error("what the second commit does not have is still there")
	}
}
