package apply

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// mayReplace tells whether the object may be deleted for the sake of an immutable field: where the options or its own
// annotation ask for it. A namespace or a definition is never replaced, for the sake of what is in it.
func (s *sending) mayReplace() bool {
	gk := s.member.ref.groupKind()
	return (s.opts.Replace || s.member.policy.replace != "") && gk != namespaceKind && gk != definitionKind
}

// kept returns the annotation for which the object is not to be deleted, of the manifest or of the object as it is.
func (s *sending) kept() string {
	keep := s.member.policy.keep
	if s.seen != nil {
		keep = cmp.Or(keep, policyOf(s.seen.Annotations, s.seen.Labels).keep)
	}
	return keep
}

// proveImmutable returns nil where the server refuses the change and not the manifest: it takes the same manifest as a new
// object under another name, in a dry run. An invalid manifest so never deletes anything.
func (s *sending) proveImmutable(ctx context.Context, refused error) error {
	if keep := s.kept(); keep != "" {
		return fmt.Errorf("%w; it is not replaced: %w: %s", refused, ErrProtected, keep)
	}
	if byAdmission(refused) {
		return fmt.Errorf("%w; it is not replaced, as it was refused by admission, which may refuse the new object by its name", refused)
	}
	m := *s.member
	m.ref.Name = otherName(m.ref.Name)
	body, err := m.body(nil, s.opts.FieldManager)
	if err != nil {
		return refused
	}
	how := s.patching()
	how.dry = true
	_, created, err := s.client.apply(ctx, m.path(), body, how)
	switch {
	case err != nil:
		return fmt.Errorf("%w; it is not replaced, as a new object like it would be refused too: %w", refused, err)
	case !created:
		return refused
	}
	return nil
}

// byAdmission tells whether a webhook or a policy refused, by the words that the server puts before theirs. What they
// refuse for a name they may allow the object of the proof.
func byAdmission(refused error) bool {
	text := refused.Error()
	return strings.Contains(text, `admission webhook "`) || strings.Contains(text, "ValidatingAdmissionPolicy '")
}

// otherName is a name that no object has.
func otherName(name string) string {
	const most = 52 // of the shortest limit, a DNS label's 63, less what is added
	return strings.TrimRight(name[:min(len(name), most)], "-.") + "-" + strings.ToLower(rand.Text()[:10])
}

// remove deletes the object as it was last seen to be the set's, and waits until it is gone.
func (s *sending) remove(ctx context.Context) error {
	if s.dry {
		return errDry
	}
	m := s.member
	live, err := s.client.getMetadata(ctx, m.path())
	if objectGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if label := live.Labels[partOfLabel]; label != "" && label != s.set.ID.label() && s.opts.Adopt != AdoptAlways {
		return &ownedError{label: label}
	}
	if keep := policyOf(live.Annotations, live.Labels).keep; keep != "" {
		return fmt.Errorf("it is not replaced: %w on the cluster: %s", ErrProtected, keep)
	}
	err = s.client.delete(ctx, m.path(), deleteOptions(string(live.UID), live.ResourceVersion, s.opts.Propagation))
	if err != nil && !objectGone(err) {
		return fmt.Errorf("deleting it to create it anew: %w", err)
	}
	wait, cancel := context.WithTimeout(ctx, s.opts.ReplaceTimeout)
	defer cancel()
	if err := s.awaitGone(wait, []target{{ref: m.ref, resource: m.resource, uid: live.UID}}, ""); err != nil {
		return fmt.Errorf("it was deleted to be created anew, which the next Apply does once it is gone: %w", err)
	}
	return nil
}

// errDry ends a validation at the point from which the real thing would go on by changing something.
var errDry = errors.New("not to be told by a dry run")
