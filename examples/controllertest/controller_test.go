package controllertest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/examples/controllertest"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

// newCluster is where the test's cluster comes from. With envtest it is what Environment.Start returns.
func newCluster(t *testing.T) *rest.Config {
	config := testbed.KubernetesWith(t, testbed.KubernetesOptions{Controllers: true})
	applyDefinitions(t, config, "testdata/definition")
	return config
}

func TestControllerWritesCards(t *testing.T) {
	config := newCluster(t)
	namespace := testbed.UniqueName("cards")
	shop := applyFixtures(t, config, "testdata/shop", namespace)
	controller := start(t, config, namespace)

	shop.healthy(t) // each Greeting is Ready, in its newest generation
	for name, want := range map[string]string{"ann": "Hello, Ann!", "bob": "Hello, Bob!"} {
		card, err := controller.Card(t.Context(), namespace, name)
		if err != nil || card != want {
			t.Errorf("the card for %s is %q, %v", name, card, err)
		}
	}
}

func TestControllerFollowsChanges(t *testing.T) {
	config := newCluster(t)
	namespace := testbed.UniqueName("cards")
	shop := applyFixtures(t, config, "testdata/shop", namespace)
	controller := start(t, config, namespace)
	shop.healthy(t)

	shop.apply(t, changed(t), namespace) // Ann has married, and Bob is gone
	shop.healthy(t)
	card, err := controller.Card(t.Context(), namespace, "ann")
	if err != nil || card != "Hello, Ann Lee!" {
		t.Errorf("the card for ann is %q, %v", card, err)
	}
	greetings, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = greetings.Resource(controllertest.Greetings).Namespace(namespace).Get(t.Context(), "bob", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("Bob is still there: %v", err)
	}
}

// start runs the controller until the test ends.
func start(t *testing.T, config *rest.Config, namespace string) *controllertest.Controller {
	controller, err := controllertest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- controller.Run(ctx, namespace) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the controller ended: %v", err)
		}
	})
	return controller
}

// changed returns a copy of the shop in which Ann has another name, and Bob is not there.
func changed(t *testing.T) string {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/shop")); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "greetings.yaml")
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	ann, _, _ := strings.Cut(string(body), "---\n")
	if err := os.WriteFile(name, []byte(strings.Replace(ann, "to: Ann", "to: Ann Lee", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
