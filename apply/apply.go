package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Apply makes the cluster as the set says, and prunes what the set had before and has no longer. The result is never nil.
// Once anything may have been sent, it has every object, and the error, if there is one, joins an [*Error] for each object
// that failed. Where any failed, nothing is pruned, and the waves after the object's are not sent. An error before that,
// of the set as a whole or of the inventory, comes with a result without changes.
//
// Where nothing is to be done, it costs one GET of the inventory and one metadata-only LIST for each kind in it.
func (a *Applier) Apply(ctx context.Context, set Set) (*Result, error) {
	r := &run{Applier: a, set: set, result: &Result{ID: set.ID}}
	err := r.apply(ctx)
	return r.result, err
}

// A run is one Apply.
type run struct {
	*Applier
	set    Set
	result *Result

	parent  *parent
	was     *inventory // as read
	now     *inventory // as it is to be written
	live    live
	members []*member
	changes []Change // one for each member, in the set's order; those with an empty Action are yet to be sent
	prune   []Ref    // in the inventory's order
	home    *Change  // of the parent's own namespace, where it is no longer in the set

	revalidate bool // send also what looks unchanged
	sent       int  // members
}

func (r *run) apply(ctx context.Context) error {
	if err := r.set.check(); err != nil {
		return err
	}
	var err error
	if r.parent, r.was, err = r.readParent(ctx, r.set.ID); err != nil {
		return err
	}
	if r.parent.deleting {
		return fmt.Errorf("applying %s: %w; wait until it is gone", r.set.ID, ErrTerminating)
	}
	if r.members, err = r.Applier.members(ctx, r.set, r.was); err != nil {
		return err
	}
	if err := r.planPrune(); err != nil {
		return err
	}
	if r.live, err = r.observe(ctx, r.set.ID, r.was); err != nil {
		return err
	}
	r.compare()
	if len(r.now.entries) > len(r.was.entries) {
		if err := r.parent.write(ctx, r.now); err != nil {
			return err
		}
	}
	r.sendWaves(ctx)
	r.result.Changes = r.changes
	if r.result.Count(Failed, Skipped) == 0 {
		r.pruneAll(ctx)
	}
	return r.finish(ctx)
}

// planPrune lists what the inventory has and the set has not, and refuses what is more likely a mistake.
func (r *run) planPrune() error {
	if n := len(r.was.entries); len(r.members) == 0 && n > 0 && !r.set.AllowEmpty {
		return fmt.Errorf("applying %s: %w: it would prune all %d objects; set AllowEmpty where that is meant", r.set.ID, ErrEmptySet, n)
	}
	wanted := make(map[Ref]bool, len(r.members))
	for _, m := range r.members {
		wanted[m.ref.identity()] = true
	}
	for _, ref := range r.was.refs(func(ref Ref) bool { return !wanted[ref] }) {
		switch {
		case r.set.ID.isHome(ref):
			r.home = &Change{Ref: ref}
			r.home.end(Skipped, "pruning", errHome)
		default:
			r.prune = append(r.prune, ref)
		}
	}
	allowed := r.opts.MaxPruneShare
	if len(r.members) == 0 { // allowed by name
		allowed = 1
	}
	if float64(len(r.prune)) > allowed*float64(len(r.was.entries)) {
		return fmt.Errorf("applying %s: %w: %d of %d objects, first %s; raise MaxPruneShare, which is %v, where that is meant",
			r.set.ID, ErrPruneShare, len(r.prune), len(r.was.entries), r.prune[0], allowed)
	}
	return nil
}

// compare finds the members that need no request, and readies the inventory to be written ahead: all that is there and
// all that may come.
func (r *run) compare() {
	r.now = r.was.clone()
	age := time.Since(r.was.revalidated)
	r.revalidate = age < 0 || age > r.opts.RevalidateAfter
	r.changes = make([]Change, len(r.members))
	for i, m := range r.members {
		r.changes[i].Ref = m.ref
		if m.err != nil {
			r.changes[i].Action, r.changes[i].Err = Failed, m.err
			continue
		}
		e, known := r.was.entries[m.ref.identity()]
		if !known {
			r.now.add(m.ref, m.resource, entry{})
			continue
		}
		r.now.kinds[m.ref.groupKind()] = m.resource
		seen := r.live.objects[m.ref.identity()]
		if !r.revalidate && e.applied && e.intent == m.intent && seen != nil && seen.DeletionTimestamp == nil &&
			e.fingerprint == m.fingerprint(seen) {
			r.changes[i].Action = Unchanged
		}
	}
}

// sendWaves sends what compare left, wave by wave, and none after one in which something failed.
func (r *run) sendWaves(ctx context.Context) {
	failed := false
	for wave := range waves {
		var todo []int
		for i, m := range r.members {
			if waveOf(m.ref) == wave && r.changes[i].Action == "" {
				todo = append(todo, i)
			}
		}
		if failed {
			for _, i := range todo {
				r.changes[i].end(Skipped, "applying", ErrNotReached)
			}
			continue
		}
		each(r.opts.Concurrency, todo, func(i int) { r.send(ctx, i) })
		r.remember(todo)
		r.sent += len(todo)
		if wave == definitionWave {
			r.awaitDefinitions(ctx, todo)
		}
		failed = r.failedIn(wave)
	}
}

func (r *run) failedIn(wave int) bool {
	for i, m := range r.members {
		if r.changes[i].Action == Failed && waveOf(m.ref) == wave {
			return true
		}
	}
	return false
}

// send sends one member and says in its change what became of it.
func (r *run) send(ctx context.Context, i int) {
	m, change := r.members[i], &r.changes[i]
	body, err := m.body()
	if err != nil {
		change.end(Failed, "applying", fmt.Errorf("%w: %w", ErrInvalid, err))
		return
	}
	answer, created, err := r.sendBody(ctx, m, body)
	before := r.live.objects[m.ref.identity()]
	switch {
	case err != nil:
		change.end(Failed, "applying", err)
		return
	case created:
		change.Action = Created
	case before != nil && before.UID == answer.UID && before.ResourceVersion == answer.ResourceVersion:
		change.Action = Unchanged
	default:
		change.Action = Configured
	}
	m.answer = answer
}

// sendBody tries again where the answer says nothing of the object: the server lost a race with another writer, or does
// not serve yet a kind that this set has just defined.
func (r *run) sendBody(ctx context.Context, m *member, body []byte) (*metav1.PartialObjectMetadata, bool, error) {
	wait, remapped := 10*time.Millisecond, false
	for {
		answer, created, err := r.client.apply(ctx, m.path(), body, r.opts.FieldManager)
		if kindGone(err) && !m.defined && !remapped { // it may have come back in another way
			remapped = true
			if m.resource, err = r.mapper.find(ctx, m.resource.GroupVersionKind, true); err == nil {
				continue
			}
			return nil, false, err
		}
		again := apierrors.IsConflict(err) || m.defined && apierrors.IsNotFound(err) || apierrors.IsTooManyRequests(err)
		if err == nil || !again || wait > 2*time.Second {
			return answer, created, err
		}
		if sleep(ctx, wait) != nil {
			return nil, false, err
		}
		wait *= 2
	}
}

// remember notes the server's answers in the inventory.
func (r *run) remember(sent []int) {
	for _, i := range sent {
		m := r.members[i]
		if m.answer == nil {
			continue
		}
		e := entry{applied: m.answer.DeletionTimestamp == nil, intent: m.intent}
		if e.applied {
			e.fingerprint = m.fingerprint(m.answer)
		}
		r.now.add(m.ref, m.resource, e)
		m.answer = nil
	}
}

// finish writes the inventory as it has become. It does not where the context has ended: what was written ahead names
// all that may be there, and the next Apply finds out the rest.
func (r *run) finish(ctx context.Context) error {
	if ctx.Err() != nil {
		return errors.Join(fmt.Errorf("applying %s: %w", r.set.ID, context.Cause(ctx)), r.result.err())
	}
	if r.sent == 0 && len(r.prune) == 0 && !r.revalidate {
		return r.result.err()
	}
	if r.revalidate {
		r.now.revalidated = time.Now()
		r.forgetUnsent()
	}
	err := r.parent.write(ctx, r.now)
	if errors.Is(err, ErrConflict) {
		err = errors.Join(err, r.rescue(ctx))
	}
	return errors.Join(r.result.err(), err)
}

// rescue adds what this run applied to the inventory that another applier has written meanwhile, so that nothing is on
// the cluster that no inventory names. What the other one has written stays.
func (r *run) rescue(ctx context.Context) (err error) {
	for range 5 {
		var inv *inventory
		var p *parent
		if p, inv, err = r.readParent(ctx, r.set.ID); err != nil {
			return err
		}
		for i, m := range r.members {
			_, named := inv.entries[m.ref.identity()]
			if a := r.changes[i].Action; !named && (a == Created || a == Configured || a == Unchanged) {
				inv.add(m.ref, m.resource, entry{})
			}
		}
		if err = p.write(ctx, inv); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}

// forgetUnsent has the objects sent next time that this run should have sent and could not.
func (r *run) forgetUnsent() {
	for i, m := range r.members {
		if _, named := r.now.entries[m.ref.identity()]; named && (r.changes[i].Action == Failed || r.changes[i].Action == Skipped) {
			r.now.entries[m.ref.identity()] = entry{}
		}
	}
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
