package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/rest"
)

// Notes of planned changes.
const (
	noteAdopted   = "it becomes one of the set"
	noteTaken     = "it becomes one of the set, and is one of another"
	noteOnly      = "; nothing else changes"
	noteUnpruned  = "not as long as another object fails"
	noteGone      = "it is gone already"
	noteOwnership = "nothing changes but who manages which fields"
	noteUnasked   = "the server could not be asked: its %s is created by the same set"
	noteChanging  = "the server refused it by the definition that its kind has now, and the set changes that: %v"
	noteReplaced  = "it would be deleted and created anew, for the server refused to change it: %v"
	noteTakeover  = "what was applied client-side, or by a manager that is taken over, and is not in the manifest would be removed too: it is not shown here"
	noteUnserved  = "the server could not be asked: its version is served once the set has changed its definition"
)

// planMember asks the server what would become of a member.
func (p *planner) planMember(ctx context.Context, m *member, change *PlannedChange) {
	switch ground, action := p.ground(m); action {
	case Created:
		p.tell(m, change, nil, nil)
		change.Action, change.Note = Created, fmt.Sprintf(noteUnasked, ground)
		return
	case Failed, Skipped:
		change.end(Skipped, "planning", ErrNotReached)
		return
	}
	body, err := m.body(p.live.objects[m.ref.identity()], p.opts.FieldManager)
	if err != nil {
		change.fail(fmt.Errorf("%w: %w", ErrInvalid, err))
		return
	}
	a, err := p.ask(ctx, m, body)
	if change.state == "" {
		change.state = a.state
	}
	if err != nil {
		told := explain(withoutSecrets(err, m.manifest(), a.was))
		s := &sending{run: p.run, member: m, seen: p.live.objects[m.ref.identity()], dry: true}
		if a.was != nil && apierrors.IsInvalid(err) && s.mayReplace() && s.proveImmutable(ctx, err) == nil {
			change.Action, change.Note = Replaced, fmt.Sprintf(noteReplaced, told)
			return
		}
		p.refused(m, change, a.was, told)
		return
	}
	p.tell(m, change, a.was, a.will)
	change.judge(a)
	if a.taken && a.was != nil {
		change.Action, change.Note = Configured, noteTakeover
	}
}

// judge says by what the server answered what Apply would say.
func (c *PlannedChange) judge(a answer) {
	switch {
	case a.was == nil:
		c.Action = Created
	case len(c.Differences) > 0:
		c.Action = Configured
	case c.Adopted:
		c.Action, c.Note = Configured, c.Note+noteOnly
	case !sameOwners(a.was, a.will):
		c.Action, c.Note = Configured, noteOwnership
	default:
		c.Action = Unchanged
	}
}

// ground returns what the member needs of the set to be asked for at all, and what becomes of that.
func (p *planner) ground(m *member) (string, Action) {
	if action := p.definitions[m.resource.GroupVersionKind]; m.defined && action != Configured && action != Unchanged {
		return "definition", action
	}
	return "namespace", p.namespaces[m.ref.Namespace]
}

// tell notes the differences between what is there, nil where there is nothing, and what would be: what the manifest
// says, where the server did not say it.
func (p *planner) tell(m *member, change *PlannedChange, was, will map[string]any) {
	if will == nil {
		will = m.manifest()
	}
	if label := labelOf(was, partOfLabel); was != nil && label != p.set.ID.label() {
		change.Adopted, change.Note = true, noteAdopted
		if label != "" {
			change.Note = noteTaken
		}
	}
	change.Differences, change.Omitted = differences(comparison{
		secret: isSecret(m.ref), was: was, will: will, manifest: m.manifest(), manager: p.opts.FieldManager,
	})
}

// refused tells a refusal as such, unless it means nothing: a definition that the set changes may allow afterwards what
// the present one does not.
func (p *planner) refused(m *member, change *PlannedChange, was map[string]any, err error) {
	if fields := asConflict(err); fields != nil {
		err = fields
	}
	if p.definitions[m.resource.GroupVersionKind] != Configured || !(apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || kindGone(err)) {
		change.fail(err)
		return
	}
	change.Action, change.Note = Created, fmt.Sprintf(noteChanging, err)
	if kindGone(err) {
		change.Note = noteUnserved
	}
	if was != nil || change.state != "" {
		change.Action = Configured
		return
	}
	p.tell(m, change, nil, nil)
}

// An answer is an object as it is, nil where it is not, and as it would be.
type answer struct {
	was, will map[string]any
	state     string
	taken     bool // Apply would take fields over from other managers
}

// ask asks again where the object came or went between the two requests.
func (p *planner) ask(ctx context.Context, m *member, body []byte) (a answer, err error) {
	remapped := false
	for range 5 {
		var created bool
		if a, err = p.read(ctx, m); err == nil {
			a.will, created, err = p.client.dryRun(ctx, m.path(), body, p.patching())
		}
		switch {
		case kindGone(err) && !m.defined && !remapped:
			remapped = true
			if m.resource, err = p.mapper.find(ctx, m.resource.GroupVersionKind, true); err != nil {
				return a, err
			}
		case err == nil && created == (a.was == nil):
			return a, nil
		case err != nil && !apierrors.IsConflict(err):
			return a, err
		}
	}
	if err == nil {
		err = fmt.Errorf("it came and went while it was read")
	}
	return a, err
}

// read returns the live object and its state.
func (p *planner) read(ctx context.Context, m *member) (a answer, err error) {
	var body json.RawMessage
	err = p.client.getJSON(ctx, m.path(), "application/json", &body)
	if objectGone(err) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	var metadata metav1.PartialObjectMetadata
	if err := json.Unmarshal(body, &metadata); err != nil {
		return a, err
	}
	a.state = stateOf(m, &metadata, p.opts.FieldManager)
	if m.policy.noTakeover == "" {
		patch, err := takeoverPatch(&metadata, p.opts.TakeOver, p.opts.FieldManager)
		if err != nil {
			return a, err
		}
		a.taken = patch != nil
	}
	return a, utiljson.Unmarshal(body, &a.was)
}

// dryRun sends a manifest as apply does, to be tried and not to be stored, and returns the whole answer and whether the
// object would be created.
func (c *client) dryRun(ctx context.Context, path []string, body []byte, how patching) (map[string]any, bool, error) {
	how.dry = true
	result := how.request(c.rest.Patch(types.ApplyPatchType)).AbsPath(path...).SetHeader("Accept", "application/json").Body(body).Do(ctx)
	var status int
	object, err := wholeObject(result.StatusCode(&status))
	return object, status == http.StatusCreated, err
}

func wholeObject(result rest.Result) (map[string]any, error) {
	if err := result.Error(); err != nil { // Raw does not decode what the server says of an error
		return nil, err
	}
	body, err := result.Raw()
	if err != nil {
		return nil, err
	}
	var object map[string]any
	return object, utiljson.Unmarshal(body, &object)
}

// explain adds what to do where a refusal is of the dry run and not of the manifest.
func explain(err error) error {
	if apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "does not support dry run") {
		return fmt.Errorf("%w: its sideEffects are not declared as None or NoneOnDryRun, so nobody can plan this object; Apply may well succeed", err)
	}
	return err
}

// stateOf tells in which state an object is, its status aside: a plan for it is good for that state alone.
func stateOf(m *member, seen *metav1.PartialObjectMetadata, manager string) string {
	return fmt.Sprintf("%x", m.fingerprint(seen, manager))
}

func (r *run) stateOfPruned(ref Ref) string {
	if seen := r.live.objects[ref.identity()]; seen != nil {
		return stateOf(&member{ref: ref}, seen, r.opts.FieldManager)
	}
	return ""
}

func labelOf(o map[string]any, name string) string {
	metadata, _ := o["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	value, _ := labels[name].(string)
	return value
}
