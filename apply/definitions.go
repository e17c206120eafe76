package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// errNotServed is why a definition failed that was accepted.
var errNotServed = errors.New("it was accepted, and is not served yet; raise EstablishTimeout")

// awaitDefinitions waits until the kinds are served that this run has defined anew and that an object of the set has. It
// asks for the discovery document of their group and version, a small one, which the server writes once the kind is
// established. It marks those that it waited for in vain as failed.
func (r *run) awaitDefinitions(ctx context.Context, sent []int) {
	changed := make(map[schema.GroupVersionKind]int) // a kind to its definition's place in the set
	for _, i := range sent {
		if r.members[i].ref.groupKind() != definitionKind || r.changes[i].Action == Unchanged {
			continue
		}
		for gvk := range definedKinds(r.set.Objects[i : i+1]) {
			changed[gvk] = i
		}
	}
	awaited := make(map[schema.GroupVersion][]resource)
	for _, m := range r.members {
		gvk := m.resource.GroupVersionKind
		if _, ok := changed[gvk]; ok && m.defined {
			awaited[gvk.GroupVersion()] = append(awaited[gvk.GroupVersion()], m.resource)
			delete(changed, gvk)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.EstablishTimeout)
	defer cancel()
	for gv, resources := range awaited {
		if err := r.awaitServed(ctx, gv, resources); err != nil {
			r.failDefinitions(sent, gv.Group, err)
		}
	}
}

func (r *run) awaitServed(ctx context.Context, gv schema.GroupVersion, resources []resource) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		var list metav1.APIResourceList
		err := r.client.getJSON(ctx, []string{"apis", gv.Group, gv.Version}, "application/json", &list)
		if err == nil && serves(list, resources) {
			return nil
		}
		if err != nil && !gone(err) && ctx.Err() == nil {
			return err
		}
		if sleep(ctx, wait) != nil {
			return fmt.Errorf("waiting for %s: %w", gv, errNotServed)
		}
	}
}

func serves(list metav1.APIResourceList, resources []resource) bool {
	served := make(map[string]bool)
	for _, r := range list.APIResources {
		served[r.Name] = true
	}
	for _, r := range resources {
		if !served[r.Plural] {
			return false
		}
	}
	return true
}

// failDefinitions marks the definitions of a group.
func (r *run) failDefinitions(sent []int, group string, err error) {
	for _, i := range sent {
		for gvk := range definedKinds(r.set.Objects[i : i+1]) {
			if gvk.Group == group {
				r.changes[i].Action, r.changes[i].Err = Failed, &Error{Op: "applying", Ref: r.changes[i].Ref, Err: err}
			}
		}
	}
}

func isUnknownKind(err error) bool { return errors.Is(err, ErrUnknownKind) }
