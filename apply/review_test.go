package apply

import (
	"fmt"
	"net/http"
	"testing"
)

func TestWhatChangesAtEachDeletionStaysInTheInventory(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "busy", "1"))
	n := 0
	b.Before = func(r *http.Request) error {
		if r.Method == "DELETE" {
			n++
			return b.do("PATCH", b.path("configmaps", "busy"), fmt.Sprintf(`{"metadata":{"annotations":{"n":"%d"}}}`, n))
		}
		return nil
	}
	result, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1")))
	b.Before = nil
	if err == nil {
		t.Error("no error")
	}
	wantActions(t, result, "unchanged ConfigMap a", "failed ConfigMap busy")
	b.wantAllNamed(t, 0)
	wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a", "pruned ConfigMap busy")
}
