package apply

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A Plan tells what Apply would do, object by object. It holds no value of a Secret, and may be shown: to people by
// [Plan.WriteDiff] and [Plan.WriteMarkdown], to programs by its fields or by its JSON, of which [Plan.MarshalJSON] has the
// names. As [Set.Plan] it may be applied, also after it has been to JSON and back.
type Plan struct {
	ID ID
	// Changes has each object of the set in the set's order, then those that would be pruned in the order of deletion.
	Changes []PlannedChange

	failure string // why it could not be made at all; empty: it was made
	parent  string // which state the set's parent was in; empty: there was none
	secrets string // a slow sum of the set's Secrets; see secretsSum
}

// A PlannedChange is what would become of one object. Where its action is Failed, the server refused the manifest, and
// would refuse it from Apply.
type PlannedChange struct {
	Change
	// Differences lead from the object as it is to the object as the server says it would be; at most 1,000.
	Differences []Difference
	// Omitted is how many differences more there are.
	Omitted int
	// Adopted: the object is there and would become one of the set, by its label, which is not among the differences.
	Adopted bool
	// Note is what else is to be known, such as why the server could not be asked.
	Note string

	intent string // of the manifest; empty for Secrets, and for what is to be pruned
	state  string // in which the object was; empty: there was none
}

// Plan tells what Apply would do now and writes nothing. For each object that Apply would send it costs one GET and one
// PATCH that is a dry run, so that defaults, webhooks and conversions are in its answer; for the others it costs what
// Apply costs. The plan is never nil. The errors are those of Apply; where objects are refused, the plan is in full. An
// error of the set as a whole comes with a plan without changes, which is written as one that could not be made.
//
// Each object is judged by itself. Where one is Failed, an Apply would end before later waves and would not prune; the plan
// tells of these all the same, with a note at what would be pruned. What is taken over from other managers is told in a note, and not as differences.
//
// An object whose namespace or definition the set would create cannot be asked for yet: it is told as Created, with the
// fields of its manifest. A server of an aggregated API that does not know dry runs would write; Kubernetes' own do.
func (a *Applier) Plan(ctx context.Context, set Set) (*Plan, error) {
	r := newRun(a, set)
	plan := &Plan{ID: set.ID}
	if err := r.prepare(ctx); err != nil {
		plan.failure = err.Error()
		return plan, err
	}
	p := &planner{run: r, planned: make([]PlannedChange, len(r.members)),
		namespaces: make(map[string]Action), definitions: make(map[schema.GroupVersionKind]Action)}
	p.planMembers(ctx)
	plan.Changes, plan.parent = append(p.planned, p.planPruned(ctx)...), r.parent.state()
	plan.notePrunes()
	var err error
	if plan.secrets, err = secretsSum(r.members, nil); err != nil {
		return plan, fmt.Errorf("planning %s: %w", set.ID, err)
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("planning %s: %w", set.ID, context.Cause(ctx))
	} else if !r.parent.exists && p.namespaces[set.ID.Namespace] == Created {
		err = fmt.Errorf("planning %s: %w: create the namespace %s first, for the inventory is written before it",
			set.ID, ErrInvalid, set.ID.Namespace)
	}
	return plan, errors.Join(err, plan.result().err())
}

// notePrunes says of what would be pruned that it is not as long as others fail.
func (p *Plan) notePrunes() {
	if p.Count(Failed) == 0 {
		return
	}
	for i := range p.Changes {
		if p.Changes[i].Action == Pruned {
			p.Changes[i].Note = noteUnpruned
		}
	}
}

// Count returns how many objects the actions would become.
func (p *Plan) Count(actions ...Action) int { return p.result().Count(actions...) }

// Counts says how many objects would become what, as "4 created, 1 pruned"; it is empty where there are no changes.
func (p *Plan) Counts() string { return p.result().Counts() }

func (p *Plan) result() *Result {
	r := &Result{ID: p.ID}
	for _, c := range p.Changes {
		r.Changes = append(r.Changes, c.Change)
	}
	return r
}

// A planner makes a plan of a run that has compared, and sent nothing.
type planner struct {
	*run
	planned []PlannedChange // one for each member

	// What became of the namespaces and the kinds' definitions of the set.
	namespaces  map[string]Action
	definitions map[schema.GroupVersionKind]Action
}

// planMembers plans namespaces and definitions before what needs them.
func (p *planner) planMembers(ctx context.Context) {
	var first, rest []int
	for i, m := range p.members {
		p.start(m, &p.planned[i], p.changes[i])
		switch {
		case p.planned[i].Action != "":
		case waveOf(m.ref) == definitionWave:
			first = append(first, i)
		default:
			rest = append(rest, i)
		}
	}
	plan := func(i int) { p.planMember(ctx, p.members[i], &p.planned[i]) }
	each(p.opts.Concurrency, first, plan)
	for i, m := range p.members {
		switch m.ref.groupKind() {
		case schema.GroupKind{Kind: "Namespace"}:
			p.namespaces[m.ref.Name] = p.planned[i].Action
		case definitionKind:
			for gvk := range definedKinds(p.set.Objects[i : i+1]) {
				p.definitions[gvk] = p.planned[i].Action
			}
		}
	}
	each(p.opts.Concurrency, rest, plan)
}

// start notes of a member what is known without asking.
func (p *planner) start(m *member, change *PlannedChange, compared Change) {
	change.Change = compared
	if m.err != nil {
		change.fail(m.err)
		return
	}
	if !isSecret(m.ref) {
		change.intent = fmt.Sprintf("%x", m.intent)
	}
	if seen := p.live.objects[m.ref.identity()]; seen != nil {
		change.state = stateOf(m, seen, p.opts.FieldManager)
	}
}

// planPruned tells what would be deleted, in that order.
func (p *planner) planPruned(ctx context.Context) []PlannedChange {
	var pruned []PlannedChange
	if p.home != nil {
		home := PlannedChange{Change: *p.home}
		home.end(Skipped, "planning", errHome)
		pruned = append(pruned, home)
	}
	d := &deletion{Applier: p.Applier, op: "planning", done: Pruned, id: p.set.ID, live: p.live, inventory: p.now, stay: p.members, dry: true}
	first := len(pruned)
	for _, group := range d.groups(p.prune) {
		for _, ref := range group {
			pruned = append(pruned, PlannedChange{Change: Change{Ref: ref}, state: p.stateOfPruned(ref)})
		}
	}
	places := make([]int, len(pruned)-first)
	for i := range places {
		places[i] = first + i
	}
	each(p.opts.Concurrency, places, func(i int) {
		d.delete(ctx, &pruned[i].Change)
		if pruned[i].Action == Pruned && p.live.objects[pruned[i].Ref.identity()] == nil {
			pruned[i].Note = noteGone
		}
	})
	return pruned
}

// fail says why the object could not be planned.
func (c *PlannedChange) fail(err error) {
	var told *Error
	if errors.As(err, &told) {
		err = told.Err
	}
	c.end(Failed, "planning", err)
}
