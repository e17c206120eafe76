package apply

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

func TestInventoryTooLargeToBeReadIsNotWritten(t *testing.T) {
	opts := smallShards
	opts.MaxInventoryBytes = 60 * 40
	b := newBench(t, opts)
	p, _ := b.read()
	b.Take()
	err := p.write(t.Context(), sharded(60, 1))
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "raise MaxInventoryBytes") || len(b.Take()) > 0 {
		t.Errorf("the error is %v, want ErrTooLarge that says how to raise it", err)
	}
	b.opts = smallShards
	b.other().write(sharded(60, 1))
	for limit, gets := range map[int64]int{1000: 1, 2500: 5} { // before the shards are read, and where they are
		b.opts.MaxInventoryBytes = limit
		_, _, err := b.again().readParent(t.Context(), b.set().ID)
		if n := len(b.Take()); !errors.Is(err, ErrTooLarge) || !errors.Is(err, ErrInventory) || n != gets {
			t.Errorf("%d bytes are allowed: the error is %v after %d requests, want ErrTooLarge after %d", limit, err, n, gets)
		}
	}
}

func TestAnnotationsThatDoNotFitAreLeftOut(t *testing.T) {
	b := newBench(t, Options{})
	v := newInventory()
	for i := range 20000 {
		v.add(Ref{Kind: "ConfigMap", Namespace: fmt.Sprintf("namespace-%05d", i), Name: "a"}, configMaps, entry{})
	}
	b.write(v)
	b.wantStored(v)
	p, _ := b.read()
	if list, ok := p.metadata.Annotations[namespacesAnnotation]; ok || p.metadata.Annotations[groupKindsAnnotation] != "ConfigMap" {
		t.Errorf("%d bytes of namespaces, kinds %q", len(list), p.metadata.Annotations[groupKindsAnnotation])
	}
	b.write(sharded(3, 1))
	if p, _ := b.read(); p.metadata.Annotations[namespacesAnnotation] != "n" {
		t.Errorf("the namespaces are %q, want n", p.metadata.Annotations[namespacesAnnotation])
	}
}

func TestParentOfAnotherTypeIsNotRead(t *testing.T) {
	b := newBench(t, Options{})
	secret := fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","type":"example.com/other","metadata":{"name":"the-set",
		"labels":{%q:%q},"annotations":{%q:%q}},"stringData":{"inventory":"x"}}`, idLabel, b.set().ID.label(), toolingAnnotation, tooling)
	if err := b.do("POST", b.path("secrets", ""), secret); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.readParent(t.Context(), b.set().ID); !errors.Is(err, ErrNotParent) {
		t.Errorf("the error is %v, want ErrNotParent", err)
	}
}

// An answer is padded to more than a Secret can be.
type padded struct{ http.RoundTripper }

func (p padded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := p.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(strings.NewReader(strings.Repeat(" ", maxSecretBytes)), answer.Body), answer.Body}
	}
	return answer, err
}

func TestEndlessAnswersAreRefused(t *testing.T) {
	b := newBench(t, Options{})
	b.write(sharded(3, 1))
	config := rest.CopyConfig(b.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return padded{next} })
	_, _, err := newApplier(t, config, Options{}).readParent(t.Context(), b.set().ID)
	if !errors.Is(err, ErrTooLarge) || !errors.Is(err, ErrInventory) {
		t.Errorf("the error is %v, want ErrTooLarge", err)
	}
}

func TestOlderInventoryIsReadAndWrittenAnew(t *testing.T) {
	b := newBench(t, Options{})
	b.write(sharded(3, 1))
	patch := fmt.Sprintf(`{"data":{"inventory":%q}}`, base64.StdEncoding.EncodeToString(goldenInventory(t, "inventory-v1")))
	if err := b.do("PATCH", b.path("secrets", "the-set"), patch); err != nil {
		t.Fatal(err)
	}
	b.wantStored(sampleInventory(60))
	b.write(changed(sampleInventory(60)))
	b.wantStored(changed(sampleInventory(60)))
	if p, _ := b.read(); !strings.HasPrefix(string(p.data[inventoryKey]), title+version) {
		t.Errorf("it is written as %.30q", p.data[inventoryKey])
	}
}
