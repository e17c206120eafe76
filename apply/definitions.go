package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// redefinitions returns the kinds whose definition this run is about to create or to change.
func (r *run) redefinitions() map[schema.GroupVersionKind]bool {
	kinds := make(map[schema.GroupVersionKind]bool)
	for i, m := range r.members {
		id := m.ref.identity()
		if m.ref.groupKind() != definitionKind || r.changes[i].Action != "" || r.unchanged(m, r.was.entries[id], r.live.objects[id]) {
			continue
		}
		for gvk := range definedKinds(r.set.Objects[i : i+1]) {
			kinds[gvk] = true
		}
	}
	return kinds
}

// byOldDefinition tells whether the server may have refused the member since it does not go by the definition yet that this
// run brings: of one that is changed nothing tells when it does.
func (r *run) byOldDefinition(m *member, err error) bool {
	return r.redefined[m.resource.GroupVersionKind] && (apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) || apierrors.IsInvalid(err) || isUntyped(err))
}

// isUntyped tells whether an apply was refused since the manifest has what the kind's schema has not. The error has no code
// of its own; the words are those of apimachinery's field manager.
func isUntyped(err error) bool {
	return err != nil && strings.Contains(err.Error(), "failed to create typed patch object")
}

// errNotServed is why a definition failed that was accepted.
var errNotServed = errors.New("it was accepted, and is not served yet; raise EstablishTimeout")

// awaitDefinitions waits until the kinds are served that this run has defined anew and that an object of the set has. It
// asks for the discovery document of their group and version, a small one, which the server writes once the kind is
// established. It marks those that it waited for in vain as failed.
func (r *run) awaitDefinitions(ctx context.Context, sent []int) {
	definer := make(map[schema.GroupVersionKind]int) // a kind to its definition's place in the set
	for _, i := range sent {
		if a := r.changes[i].Action; r.members[i].ref.groupKind() != definitionKind || a == Unchanged || a == Failed {
			continue
		}
		for gvk := range definedKinds(r.set.Objects[i : i+1]) {
			definer[gvk] = i
		}
	}
	awaited := make(map[schema.GroupVersion]map[schema.GroupVersionKind]resource)
	for _, m := range r.members {
		gvk := m.resource.GroupVersionKind
		if _, ok := definer[gvk]; !ok || !m.defined {
			continue
		}
		if awaited[gvk.GroupVersion()] == nil {
			awaited[gvk.GroupVersion()] = make(map[schema.GroupVersionKind]resource)
		}
		awaited[gvk.GroupVersion()][gvk] = m.resource
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.EstablishTimeout)
	defer cancel()
	for gv, resources := range awaited {
		if err := r.awaitServed(ctx, gv, resources); err != nil {
			for gvk := range resources {
				r.changes[definer[gvk]].end(Failed, "applying", err)
			}
		}
	}
}

func (r *run) awaitServed(ctx context.Context, gv schema.GroupVersion, resources map[schema.GroupVersionKind]resource) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		var list metav1.APIResourceList
		err := r.client.getJSON(ctx, []string{"apis", gv.Group, gv.Version}, "application/json", &list)
		if err == nil && serves(list, resources) {
			return nil
		}
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return err
		}
		if sleep(ctx, wait) != nil {
			return fmt.Errorf("waiting for %s: %w", gv, errNotServed)
		}
	}
}

func serves(list metav1.APIResourceList, resources map[schema.GroupVersionKind]resource) bool {
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

func isUnknownKind(err error) bool { return errors.Is(err, ErrUnknownKind) }
