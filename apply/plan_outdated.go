package apply

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// verify tells whether the desired state and the cluster are as they were when the plan was made, of a run that has
// compared and sent nothing. Anything else is [ErrPlanOutdated], about the first object that is not the same. A nil plan
// is no plan, and holds nothing up. It costs one GET for each object to be sent that is not in the set yet.
func (p *Plan) verify(ctx context.Context, r *run) error {
	if p == nil {
		return nil
	}
	if p.ID != r.set.ID {
		return fmt.Errorf("applying %s: %w: the plan is of %s", r.set.ID, ErrInvalid, p.ID)
	}
	if p.failure != "" {
		return fmt.Errorf("applying the plan of %s: %w: it could not be made: %s", p.ID, ErrInvalid, p.failure)
	}
	if n := p.Count(Failed); n > 0 {
		return fmt.Errorf("applying the plan of %s: %w: %d of its objects failed; plan again once they do not", p.ID, ErrInvalid, n)
	}
	planned := make(map[Ref]*PlannedChange, len(p.Changes))
	for i := range p.Changes {
		planned[p.Changes[i].Ref.identity()] = &p.Changes[i]
	}
	if err := p.verifyDesired(r, planned); err != nil {
		return err
	}
	if p.parent != r.parent.state() {
		return fmt.Errorf("applying the plan of %s: %w: the set's inventory has been written since", p.ID, ErrPlanOutdated)
	}
	return verifyLive(ctx, r, planned)
}

// verifyDesired compares the manifests, in any order.
func (p *Plan) verifyDesired(r *run, planned map[Ref]*PlannedChange) error {
	wanted := make(map[Ref]bool, len(r.members))
	for _, m := range r.members {
		wanted[m.ref.identity()] = true
		c := planned[m.ref.identity()]
		switch {
		case c == nil || c.Action == Pruned:
			return outdated(m.ref, "it was not in the set")
		case c.intent != fmt.Sprintf("%x", m.intent) && !isSecret(m.ref):
			return outdated(m.ref, "its manifest was another")
		}
	}
	for _, c := range p.Changes {
		if !wanted[c.Ref.identity()] && (c.intent != "" || slices.Contains([]Action{Created, Configured, Replaced, Unchanged}, c.Action)) {
			return outdated(c.Ref, "it was in the set")
		}
	}
	salt, _ := base64.RawStdEncoding.DecodeString(p.secrets)
	if sum, err := secretsSum(r.members, salt); err != nil || sum != p.secrets {
		return errors.Join(fmt.Errorf("applying the plan of %s: %w: a Secret's manifest was another", p.ID, ErrPlanOutdated), err)
	}
	return nil
}

// verifyLive compares the states of what would be sent or deleted.
func verifyLive(ctx context.Context, r *run, planned map[Ref]*PlannedChange) error {
	states := make([]string, len(r.members))
	var unseen []int
	for i, m := range r.members {
		if seen := r.live.objects[m.ref.identity()]; seen != nil {
			states[i] = stateOf(m, seen, r.opts.FieldManager)
		} else if r.changes[i].Action == "" {
			unseen = append(unseen, i)
		}
	}
	if err := r.readStates(ctx, unseen, states); err != nil {
		return err
	}
	for i, m := range r.members {
		if r.changes[i].Action == "" && planned[m.ref.identity()].state != states[i] {
			return outdated(m.ref, "it has been changed since")
		}
	}
	for _, ref := range r.prune {
		if c := planned[ref.identity()]; c == nil {
			return outdated(ref, "it was not to be pruned")
		} else if c.state != r.stateOfPruned(ref) {
			return outdated(ref, "it has been changed since")
		}
	}
	return nil
}

// readStates asks for the members that the set's label did not find, as JSON, in which managed fields are written as they
// are in the whole object that Plan reads.
func (r *run) readStates(ctx context.Context, places []int, states []string) error {
	var mu sync.Mutex
	var errs []error
	each(r.opts.Concurrency, places, func(i int) {
		m := r.members[i]
		var seen metav1.PartialObjectMetadata
		err := r.client.getJSON(ctx, m.path(), "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json", &seen)
		switch {
		case err == nil:
			states[i] = stateOf(m, &seen, r.opts.FieldManager)
		case !apierrors.IsNotFound(err):
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, &Error{Op: "comparing the plan with", Ref: m.ref, Err: err})
		}
	})
	return errors.Join(errs...)
}

func outdated(ref Ref, why string) error {
	return &Error{Op: "comparing the plan with", Ref: ref, Err: fmt.Errorf("%w: %s; plan again", ErrPlanOutdated, why)}
}

// state of the parent; empty where there is none.
func (p *parent) state() string {
	if !p.exists {
		return ""
	}
	return string(p.metadata.UID) + "/" + p.metadata.ResourceVersion
}

// The sum of Secrets is salted and slow, for a plan may be public, and who knows the rest of a Secret would otherwise try
// all short values against a fast one.
const (
	saltBytes = 16
	sumRounds = 100_000
)

// secretsSum returns the salt and the sum of the set's Secrets; empty where there are none. The salt is fresh, or that at
// the head of an earlier sum.
func secretsSum(members []*member, salt []byte) (string, error) {
	var secrets []*member
	for _, m := range members {
		if isSecret(m.ref) {
			secrets = append(secrets, m)
		}
	}
	if len(secrets) == 0 {
		return "", nil
	}
	slices.SortFunc(secrets, func(a, b *member) int { return a.ref.Compare(b.ref) })
	var intents []byte
	for _, m := range secrets {
		intents = append(intents, m.intent[:]...)
	}
	if len(salt) < saltBytes {
		salt = make([]byte, saltBytes)
		_, _ = rand.Read(salt) // never fails
	}
	key, err := pbkdf2.Key(sha256.New, string(intents), salt[:saltBytes], sumRounds, 16)
	return base64.RawStdEncoding.EncodeToString(append(slices.Clone(salt[:saltBytes]), key...)), err
}
