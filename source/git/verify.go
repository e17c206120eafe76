package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
	"github.com/gitopskit/gitopskit/source/git/internal/signature"
	"github.com/gitopskit/gitopskit/source/git/internal/wire"
)

// A Verification says which signatures have to be there, and by which keys; the zero value wants none. What was verified is
// in [source.Snapshot.Signatures]; what is not signed so is [source.ErrUnverified] and never returned.
type Verification struct {
	// Commit wants the commit to be signed. Tag wants the tag to be: it has to be an annotated one, chosen by Options.Tag,
	// SemVer or a Reference below refs/tags/, and the name in it has to be the one asked for.
	Commit, Tag bool
	// OpenPGP are public keys, as gpg --export writes them, with or without --armor.
	OpenPGP [][]byte
	// SSH is public keys as lines of an allowed_signers file, or of authorized_keys.
	SSH []byte
}

func (v Verification) validate() error {
	keys := len(v.OpenPGP)+len(v.SSH) > 0
	switch {
	case (v.Commit || v.Tag) && !keys:
		return errors.New("Options.Verify has no keys: set OpenPGP or SSH")
	case keys && !v.Commit && !v.Tag:
		return errors.New("Options.Verify has keys and says not what they have to have signed: set Commit or Tag")
	}
	return nil
}

// A verifier checks a tip before its content is fetched.
type verifier struct {
	commit, tag bool
	keys        *signature.Keyring
}

func newVerifier(v Verification) (*verifier, error) {
	made := &verifier{commit: v.Commit, tag: v.Tag}
	if !v.Commit && !v.Tag {
		return made, nil
	}
	var err error
	if made.keys, err = signature.NewKeyring(v.OpenPGP, v.SSH); err != nil {
		return nil, fmt.Errorf("Options.Verify: %w", err)
	}
	return made, nil
}

// hasVerified reports whether the source has found the tip signed, or is not to look.
func (s *Source) hasVerified(t tip) bool {
	if !s.verifier.commit && !s.verifier.tag || s.latest(t) != nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.verified.commit == t.commit && (!s.verifier.tag || s.verified.want == t.want)
}

// confirm verifies a tip that the caller knows, unless the source has done so: that it is known says not that whoever
// fetched it wanted the same signatures.
func (s *Source) confirm(ctx context.Context, remote *remote, tip tip) error {
	if s.hasVerified(tip) {
		return nil
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if s.hasVerified(tip) {
		return nil // by another goroutine meanwhile
	}
	g := s.gathering(remote, tip)
	unlock, err := g.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := g.confirm(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.verified = tip
	s.mu.Unlock()
	return nil
}

// confirm asks for what is signed alone. A server without filters sends all that comes with it, which is kept.
func (g *gathering) confirm(ctx context.Context) error {
	if err := g.verifier.unsignable(g.tip); err != nil {
		return err
	}
	if !g.hasTip() && g.remote.filters() {
		err := g.bring(ctx, wire.Request{Wants: []object.Hash{g.tip.want}, Depth: 1, Filter: treeNone}, g.tip.pinned)
		if err != nil && !refused(err) {
			return err
		}
	}
	if !g.hasTip() {
		clear(g.fresh)
		_, err := g.gather(ctx)
		return err
	}
	if err := g.pinnedTag(); err != nil {
		return err
	}
	_, err := g.verifier.verify(g.tip, g.find)
	return err
}

// unsignable returns why what is chosen cannot have the signature that is wanted, before anything of it is fetched.
func (v *verifier) unsignable(t tip) error {
	reason := ""
	switch {
	case !v.tag:
	case t.pinned && !t.branch.IsZero():
		reason = fmt.Sprintf("Options.Commit is %s, which the tag is not of: leave one of both out", t.commit)
	case t.want == t.commit:
		reason = "it is not an annotated tag, and no other has a signature: make it anew with git tag -s"
	}
	if reason == "" {
		return nil
	}
	return &source.SignatureError{Err: source.ErrUnsigned, Reason: reason,
		Signature: source.Signature{Kind: object.Tag.String(), Tag: t.tag, Hash: cmp.Or(t.branch, t.want).String()}}
}

// verify returns who signed. The objects are there.
func (v *verifier) verify(t tip, objects lookup) ([]source.Signature, error) {
	var all []source.Signature
	now := time.Now()
	if v.tag {
		o, ok := objects(t.want)
		if !ok || o.Kind != object.Tag {
			return nil, fmt.Errorf("%w: tag %q: its object %s is not there", source.ErrUnverified, t.tag, t.want)
		}
		signed, target, err := v.keys.VerifyTag(o.Body(), t.tag, now)
		if err != nil {
			return nil, err
		}
		if err := leadsTo(target, t.commit, objects); err != nil {
			return nil, fmt.Errorf("%w: tag %q: %w", source.ErrUnverified, t.tag, err)
		}
		all = append(all, signed)
	}
	if v.commit {
		o, ok := objects(t.commit)
		if !ok || o.Kind != object.Commit {
			return nil, fmt.Errorf("%w: commit %s is not there", source.ErrUnverified, t.commit)
		}
		signed, err := v.keys.VerifyCommit(o.Body(), now)
		if err != nil {
			return nil, err
		}
		all = append(all, signed)
	}
	return all, nil
}

// leadsTo follows tags of tags, each of which has the hash of the next in what is signed, to the commit.
func leadsTo(target object.Target, commit object.Hash, objects lookup) error {
	for { // It ends: a tag's hash is of what names the next, and all of them came within the limits.
		switch {
		case target.Kind == object.Commit && target.Hash == commit:
			return nil
		case target.Kind != object.Commit && target.Kind != object.Tag:
			return fmt.Errorf("it is of a %s, and only a commit can be fetched", target.Kind)
		case target.Kind != object.Tag:
			return fmt.Errorf("it is of the %s %s, and the server says that it stands for %s", target.Kind, target.Hash, commit)
		}
		o, ok := objects(target.Hash)
		if !ok || o.Kind != object.Tag {
			return fmt.Errorf("the tag %s in it is not there", target.Hash)
		}
		var err error
		if target, err = object.TargetOf(o.Body()); err != nil {
			return err
		}
	}
}
