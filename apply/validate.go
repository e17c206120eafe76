package apply

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// validate sends what is to be sent as dry runs, all at once. Where the server refuses any, those are failed and the others
// skipped. What it cannot judge yet, since the set itself brings the namespace, or the kind or a change of it, it is not asked again about.
func (r *run) validate(ctx context.Context) bool {
	var todo []int
	for i := range r.members {
		if r.changes[i].Action == "" {
			todo = append(todo, i)
		}
	}
	brought := r.namespaces()
	each(r.opts.Concurrency, todo, func(i int) {
		m := r.members[i]
		s := &sending{run: r, member: m, seen: r.live.objects[m.ref.identity()], dry: true}
		_, err := s.send(ctx)
		brings := m.defined || brought[m.ref.Namespace]
		if err == nil || errors.Is(err, errDry) || brings && apierrors.IsNotFound(err) || r.byOldDefinition(m, err) {
			return
		}
		r.changes[i].end(Failed, "validating", withoutSecrets(err, m.manifest()))
	})
	if r.result.Count(Failed) == 0 {
		return true
	}
	for i := range r.changes {
		if r.changes[i].Action == "" {
			r.changes[i].end(Skipped, "applying", ErrNotReached)
		}
		r.tell(r.set.ID, r.changes[i])
	}
	return false
}

// namespaces returns the names of those that the set has.
func (r *run) namespaces() map[string]bool {
	names := make(map[string]bool)
	for _, m := range r.members {
		if m.ref.groupKind() == namespaceKind {
			names[m.ref.Name] = true
		}
	}
	return names
}
