package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// sendAll sends what compare left, wave by wave, and none after one in which something failed. Those that depend on
// others are sent beside the waves, each as soon as what it needs is healthy; the waves do not wait for them.
func (r *run) sendAll(ctx context.Context) {
	d := newDependents(r)
	d.start(ctx)
	failed := false
	for wave := range waves {
		d.reach(wave, failed)
		var todo []int
		for i, m := range r.members {
			if len(m.needs) == 0 && waveOf(m.ref) == wave && r.changes[i].Action == "" {
				todo = append(todo, i)
			}
		}
		if failed {
			for _, i := range todo {
				r.end(i, Skipped, ErrNotReached)
				d.done(i)
			}
			continue
		}
		each(r.opts.Concurrency, todo, func(i int) {
			r.send(ctx, i)
			if r.members[i].ref.groupKind() != definitionKind {
				d.done(i)
			}
		})
		if wave == definitionWave {
			r.awaitDefinitions(ctx, todo)
		}
		for _, i := range todo {
			if r.members[i].ref.groupKind() == definitionKind {
				r.tell(r.set.ID, r.changes[i])
				d.done(i)
			}
		}
		failed = r.failedIn(wave, d)
	}
	d.wait()
}

// failedIn tells whether a member of the wave failed. Those that are sent beside the waves are not of it.
func (r *run) failedIn(wave int, d *dependents) bool {
	for i, m := range r.members {
		if waveOf(m.ref) == wave && !d.beside[i] && r.changes[i].Action == Failed {
			return true
		}
	}
	return false
}

// end notes what became of a member, and tells it.
func (r *run) end(i int, action Action, err error) {
	r.changes[i].end(action, "applying", err)
	r.tell(r.set.ID, r.changes[i])
}

// send sends one member, says in its change what became of it, and notes the answer in the inventory.
func (r *run) send(ctx context.Context, i int) {
	m, change := r.members[i], &r.changes[i]
	sent := &sending{run: r, member: m, seen: r.live.objects[m.ref.identity()]}
	answer, err := sent.send(ctx)
	if err != nil {
		r.remember(m, nil)
		change.end(Failed, "applying", withoutSecrets(err, m.manifest()))
		r.tellSent(m, change)
		return
	}
	change.Action = Configured
	switch {
	case sent.replaced:
		change.Action = Replaced
	case sent.created:
		change.Action = Created
	case sent.seen != nil && sent.seen.UID == answer.UID && sent.seen.ResourceVersion == answer.ResourceVersion:
		change.Action = Unchanged
	}
	r.remember(m, answer)
	r.tellSent(m, change)
}

// tellSent does not tell yet of a definition in its wave: it is to be served before it is done with.
func (r *run) tellSent(m *member, change *Change) {
	if m.ref.groupKind() != definitionKind || len(m.needs) > 0 {
		r.tell(r.set.ID, *change)
	}
}

// remember notes the server's answer in the inventory.
func (r *run) remember(m *member, answer *partialObject) {
	r.noting.Lock()
	defer r.noting.Unlock()
	r.sent = true
	if r.answered != nil {
		r.answered(m.ref.identity(), answer)
	}
	if answer == nil {
		return
	}
	e := entry{applied: answer.DeletionTimestamp == nil, intent: m.intent}
	if e.applied {
		e.fingerprint = m.fingerprint(answer, r.opts.FieldManager)
	}
	r.now.add(m.ref, m.resource, e)
}

// A sending is one member on its way: the requests until the server has it as it should be.
type sending struct {
	*run
	member *member
	seen   *partialObject // before, where that is known

	dry bool // nothing is to change

	created, replaced  bool
	remapped, migrated bool // so that each is tried once
	proven             bool // that a field is immutable, unless a new definition made the proof
}

// send sends the manifest, and tries again where the answer says nothing of the object: the server lost a race with
// another writer, does not go yet by a definition that this set has just brought, or can no longer read who manages what.
func (s *sending) send(ctx context.Context) (*partialObject, error) {
	wait := 10 * time.Millisecond
	for {
		answer, created, err := s.patch(ctx)
		if err == nil {
			s.created = created
			return s.takeOver(ctx, answer)
		}
		if err = s.mend(ctx, err); err == nil {
			continue
		}
		if !s.worthAnother(err) || wait > 2*time.Second {
			return nil, err
		}
		if sleep(ctx, wait) != nil {
			return nil, err
		}
		wait *= 2
	}
}

func (s *sending) worthAnother(err error) bool {
	if apierrors.IsConflict(err) {
		var fields *ConflictError
		return !errors.As(err, &fields)
	}
	young := s.member.defined && apierrors.IsNotFound(err) || s.byOldDefinition(s.member, err)
	return young && !s.dry || apierrors.IsTooManyRequests(err)
}

func (s *sending) patch(ctx context.Context) (*partialObject, bool, error) {
	body, err := s.member.body(s.seen, s.opts.FieldManager)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	how := s.patching()
	how.dry = s.dry
	return s.client.apply(ctx, s.member.path(), body, how)
}

func (a *Applier) patching() patching {
	return patching{manager: a.opts.FieldManager, force: a.opts.Conflicts != FailFields}
}

// mend removes what stood in the way, or returns why it could not: the error itself where it knows of nothing to remove.
func (s *sending) mend(ctx context.Context, err error) error {
	m := s.member
	switch {
	case kindGone(err) && !m.defined && !s.remapped: // it may have come back in another way
		s.remapped = true
		now, err := s.mapper.find(ctx, m.resource.GroupVersionKind, true)
		if err == nil {
			m.resource = now
		}
		return err
	case isVersionGone(err) && !s.migrated:
		s.migrated = true
		return s.migrate(ctx, func(live *partialObject) ([]byte, error) {
			return migrateVersionPatch(live, m.resource.GroupVersion().String())
		})
	case apierrors.IsInvalid(err) && !s.replaced && s.mayReplace():
		if err := s.proveImmutable(ctx, err); err != nil {
			return err
		}
		if s.byOldDefinition(m, err) && !s.proven { // the proof may be by the new one: the change has to be refused once more
			s.proven = true
			return nil
		}
		if err := s.remove(ctx); err != nil {
			return err
		}
		s.replaced, s.seen = true, nil
		return nil
	}
	if fields := asConflict(err); fields != nil {
		return fields
	}
	if apierrors.IsInvalid(err) && !s.mayReplace() && strings.Contains(err.Error(), "immutable") {
		return fmt.Errorf("%w; set Replace to have it deleted and created anew", err)
	}
	return err
}

// takeOver moves to the set's manager what those own that it takes over, and sends the manifest once more: the server
// then removes of their fields those that the manifest does not name.
func (s *sending) takeOver(ctx context.Context, answer *partialObject) (*partialObject, error) {
	if s.created || s.dry || s.member.policy.noTakeover != "" {
		return answer, nil
	}
	patch, err := takeoverPatch(answer, s.opts.TakeOver, s.opts.FieldManager)
	if err != nil || patch == nil {
		return answer, err
	}
	if err := s.migrate(ctx, func(live *partialObject) ([]byte, error) {
		return takeoverPatch(live, s.opts.TakeOver, s.opts.FieldManager)
	}); err != nil {
		return nil, err
	}
	answer, _, err = s.patch(ctx)
	return answer, err
}

// migrate changes who manages what, by a patch that holds for the object just as it was read, and so again where somebody
// else changed it meanwhile.
func (s *sending) migrate(ctx context.Context, patch func(*partialObject) ([]byte, error)) error {
	if s.dry {
		return errDry
	}
	for range 5 {
		live, err := s.client.getMetadata(ctx, s.member.path())
		if err != nil {
			return err
		}
		body, err := patch(live)
		if err != nil || body == nil {
			return err
		}
		err = s.client.patchJSON(ctx, s.member.path(), body, s.opts.FieldManager)
		if !apierrors.IsConflict(err) && !apierrors.IsInvalid(err) {
			return err
		}
	}
	return fmt.Errorf("%w: others change it all the time", ErrConflict)
}

// sleep waits, unless the context ends before.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
