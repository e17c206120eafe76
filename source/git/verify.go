package git

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
	"github.com/gitopskit/gitopskit/source/git/internal/signature"
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
