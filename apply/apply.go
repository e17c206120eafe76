package apply

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Apply makes the cluster as the set says, and prunes what the set had before and has no longer. The result is never nil.
// Once anything may have been sent, it has every object, and the error, if there is one, joins an [*Error] for each object
// that failed. Where any failed, nothing is pruned, and the waves after the object's are not sent. An error before that,
// of the set as a whole or of the inventory, comes with a result without changes.
//
// Where nothing is to be done, it costs one GET of the inventory and, for each kind in it, a metadata-only LIST in each of up
// to four namespaces, or one in all; a kind with one or two objects costs a GET of each.
func (a *Applier) Apply(ctx context.Context, set Set) (*Result, error) {
	r := newRun(a, set)
	err := r.apply(ctx)
	return r.result, err
}

// A run is one Apply.
type run struct {
	*Applier
	set    Set
	label  string // of the members
	result *Result

	watch   *Watch // what it knows is not asked for; nil: nothing is known
	parent  *parent
	was     *inventory // as read
	now     *inventory // as it is to be written; the same where nothing is to be done
	stored  *inventory // what the parent has; nil: that is not known for sure
	live    live
	members []*member
	changes []Change // one for each member, in the set's order; those with an empty Action are yet to be sent
	prune   []Ref    // in the inventory's order
	home    *Change  // of the parent's own namespace, where it is no longer in the set

	redefined map[schema.GroupVersionKind]bool // kinds of the set whose definition is about to be changed

	digester   digester // of compare
	revalidate bool     // send also what looks unchanged
	ahead      bool     // the inventory is to be written before anything is sent

	noting   sync.Mutex                // held while now, sent and answered are touched
	sent     bool                      // something was, or may have been
	answered func(Ref, *partialObject) // is told of each answer; of nil where nobody knows what became of the object
}

func newRun(a *Applier, set Set) *run {
	return &run{Applier: a, set: set, label: set.ID.label(), result: &Result{ID: set.ID}}
}

func (r *run) apply(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.set.Plan.verify(ctx, r); err != nil {
		return err
	}
	r.result.Changes = r.changes
	r.redefined = r.redefinitions()
	if r.opts.Validate && !r.validate(ctx) {
		return r.ended(ctx)
	}
	if err := r.writeAhead(ctx); err != nil {
		r.result.Changes = nil
		return err
	}
	for _, c := range r.changes {
		if c.Action != "" {
			r.tell(r.set.ID, c)
		}
	}
	r.sendAll(ctx)
	if !r.result.unfinished() {
		r.pruneAll(ctx)
	}
	return r.finish(ctx)
}

// prepare finds out what is to be done, and changes nothing on the cluster.
func (r *run) prepare(ctx context.Context) error {
	if err := r.set.check(); err != nil {
		return err
	}
	var err error
	if r.parent, r.was, err = r.readInventory(ctx); err != nil {
		return err
	}
	r.stored = r.was
	if r.parent.deleting {
		return fmt.Errorf("applying %s: %w; wait until it is gone", r.set.ID, ErrTerminating)
	}
	if r.members, err = r.Applier.members(ctx, r.set, r.was); err != nil {
		return err
	}
	if err := r.planPrune(); err != nil {
		return err
	}
	var summing sync.WaitGroup
	summing.Go(r.sumIntents) // while the server answers
	err = r.observe(ctx)
	summing.Wait()
	if err != nil {
		return err
	}
	r.compare()
	return r.nameOwners(ctx)
}

// readInventory asks the server, unless the set is watched and nobody has written it since.
func (r *run) readInventory(ctx context.Context) (*parent, *inventory, error) {
	if p, inv := r.watch.inventory(r.set); p != nil {
		return p, inv, nil
	}
	return r.readParent(ctx, r.set.ID)
}

// sumIntents sums the members' manifests.
func (r *run) sumIntents() {
	var d digester
	for _, m := range r.members {
		if m.err == nil {
			m.intent = d.intent(m.manifest(), r.opts.FieldManager, m.ignored)
		}
	}
}

// planPrune lists what the inventory has and the set has not, and refuses what is more likely a mistake.
func (r *run) planPrune() error {
	if n := len(r.was.entries); len(r.members) == 0 && n > 0 && !r.set.AllowEmpty {
		return fmt.Errorf("applying %s: %w: it would prune all %d object(s); set AllowEmpty where that is meant", r.set.ID, ErrEmptySet, n)
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
// all that may come. Of what is about to be changed the sums stay, since after a crash they no longer fit what is there;
// but not where fields are ignored, for then only who owns the fields is in the sum.
func (r *run) compare() {
	r.now = r.was
	age := time.Since(r.was.revalidated)
	r.revalidate = age < 0 || age > r.opts.RevalidateAfter
	r.ahead = len(r.prune) > 0
	r.changes = make([]Change, len(r.members))
	var todo bool
	var added []int // the places of those to be written ahead
	for i, m := range r.members {
		r.changes[i].Ref = m.ref
		if m.err != nil {
			r.changes[i].Action, r.changes[i].Err = Failed, m.err
			continue
		}
		id := m.ref.identity()
		e, known := r.was.entries[id]
		seen := r.live.objects[id]
		if r.claim(&r.changes[i], m, seen, known) {
			continue
		}
		if known && !r.revalidate && r.unchanged(m, e, seen) {
			r.changes[i].Action = Unchanged
			continue
		}
		todo = true
		if !known || e.intent != m.intent {
			r.ahead = true
		}
		if !known || e.intent != m.intent && len(m.ignored) > 0 {
			added = append(added, i)
		}
	}
	if todo || r.ahead || r.revalidate {
		r.now = r.was.clone()
	}
	for _, i := range added {
		r.now.add(r.members[i].ref, r.members[i].resource, entry{})
	}
}

// unchanged tells whether the server would answer to the manifest with what it already has.
func (r *run) unchanged(m *member, e entry, seen *partialObject) bool {
	return e.applied && e.intent == m.intent && seen != nil && seen.DeletionTimestamp == nil && !r.takesFrom(m, seen) &&
		e.fingerprint == m.fingerprintBy(&r.digester, seen, r.opts.FieldManager)
}

// takesFrom tells whether the object has fields of managers that are to be taken over: they were not yet when it was sent.
func (r *run) takesFrom(m *member, seen *partialObject) bool {
	return m.policy.noTakeover == "" && len(r.opts.TakeOver) > 0 &&
		slices.ContainsFunc(seen.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool {
			return entry.Subresource == "" && slices.Contains(r.opts.TakeOver, entry.Manager) && !isApply(entry, r.opts.FieldManager)
		})
}

// writeAhead writes the inventory before anything is sent that another applier of the set would not send as well: another
// manifest, a new object, a deletion. Each such write is unlike any other, so that of two appliers that have read the same
// inventory one has a conflict here. To send again what was drifted from is the same from both.
func (r *run) writeAhead(ctx context.Context) error {
	if !r.ahead {
		return nil
	}
	r.now.writer, r.stored = rand.Text(), nil
	defer func() { r.now.writer = "" }()
	return r.parent.write(ctx, r.now)
}

// finish writes the inventory as it has become. It does not where the context has ended: what was written ahead names
// all that may be there, and the next Apply finds out the rest.
func (r *run) finish(ctx context.Context) error {
	if ctx.Err() != nil || !r.ahead && !r.sent && !r.revalidate {
		return r.ended(ctx)
	}
	if r.revalidate {
		r.now.revalidated = time.Now()
		r.forgetUnsent()
	}
	r.stored = nil
	err := r.parent.write(ctx, r.now)
	if err == nil {
		r.stored = r.now
	}
	if errors.Is(err, ErrConflict) {
		err = errors.Join(err, r.rescue(ctx))
	}
	return errors.Join(r.result.err(), err)
}

// ended returns the errors of the objects, after that of the context where it has ended.
func (r *run) ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return errors.Join(fmt.Errorf("applying %s: %w", r.set.ID, context.Cause(ctx)), r.result.err())
	}
	return r.result.err()
}

// rescue adds what this run applied, or may have, to the inventory that another applier has written meanwhile, so that
// nothing is on the cluster that no inventory names. What the other one has written stays.
func (r *run) rescue(ctx context.Context) (err error) {
	for range 5 {
		var inv *inventory
		var p *parent
		if p, inv, err = r.readParent(ctx, r.set.ID); err != nil {
			return err
		}
		for _, m := range r.members {
			_, ours := r.now.entries[m.ref.identity()]
			if _, named := inv.entries[m.ref.identity()]; ours && !named {
				inv.add(m.ref, r.now.kinds[m.ref.groupKind()], entry{})
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
