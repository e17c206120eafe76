package main

import (
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// TestOperatorEnforcesAfterRestartWithoutSource also deletes a Kustomization while no operator runs.
func TestOperatorEnforcesAfterRestartWithoutSource(t *testing.T) {
	b := newBed(t)
	storage := t.TempDir()
	first := b.start("first", "-storage", storage)
	repository := testbed.Git(t)
	hash := commit(t, repository, map[string][]byte{"a.yaml": configMapFile("enforced", "1"),
		"other/b.yaml": configMapFile("goes", "1"), "kustomization.yaml": []byte("resources: [a.yaml]\n")})
	b.create(gitRepositoryOf("gone", repository.URL(), everySecond) +
		kustomizationOf("enforced", "GitRepository, name: gone", "./", prune) +
		kustomizationOf("deleted", "GitRepository, name: gone", "./other", prune))
	b.becomes(kustomization, "enforced", "True", hash)
	b.becomes(kustomization, "deleted", "True", hash)
	first.stop(syscall.SIGTERM)
	if holders := b.holders(); len(holders) != 0 {
		t.Errorf("after its end it still has %v", holders)
	}
	if err := repository.Close(); err != nil {
		t.Fatal(err)
	}
	enforced := &unstructured.Unstructured{}
	enforced.SetAPIVersion("v1")
	enforced.SetKind("ConfigMap")
	enforced.SetNamespace(b.namespace)
	enforced.SetName("enforced")
	if err := b.Delete(t.Context(), enforced); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), b.get(kustomization, "deleted")); err != nil {
		t.Fatal(err)
	}
	b.start("second", "-storage", storage)
	b.holds("enforced", "1")
	b.becomes(kustomization, "enforced", "True", hash)
	b.eventually("the deleted Kustomization is gone", func() bool { return b.get(kustomization, "deleted") == nil })
	if _, ok := b.configMap("goes"); ok {
		t.Error("what the deleted Kustomization had applied is still there")
	}
	source := b.becomes(gitRepository, "gone", "False", "")
	if c := condition(source, "ArtifactInStorage"); c.Status != "True" {
		t.Errorf("ArtifactInStorage is %q", c.Status)
	}
}
