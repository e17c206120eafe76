package signature

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A Keyring is the keys whose signatures count. It does not change, and any number of goroutines may use it.
type Keyring struct {
	openPGP openpgp.EntityList
	ssh     []allowedSigner
}

// NewKeyring reads public keys: of OpenPGP as gpg --export writes them, with --armor or without, any number of keys in each;
// of SSH lines of allowed_signers, which ssh-keygen(1) describes, or of authorized_keys without options, or plain public
// keys, in any mixture. Every key has to be one that can be used: an error says which is not. There has to be a key.
func NewKeyring(openPGP [][]byte, ssh []byte) (*Keyring, error) {
	k := new(Keyring)
	for i, data := range openPGP {
		entities, err := readOpenPGP(data)
		if err == nil {
			k.openPGP, err = merge(k.openPGP, entities)
		}
		if err != nil {
			return nil, fmt.Errorf("OpenPGP keys, number %d of %d: %w", i+1, len(openPGP), err)
		}
	}
	var err error
	if k.ssh, err = readAllowedSigners(ssh); err != nil {
		return nil, fmt.Errorf("SSH keys: %w", err)
	}
	if len(k.openPGP)+len(k.ssh) == 0 {
		return nil, errors.New("there are no keys to verify signatures with: give OpenPGP or SSH public keys")
	}
	return k, nil
}

// VerifyCommit tells who signed a commit, of which body is all but Git's own header. now is for keys that expire. An error
// is a [*source.SignatureError].
func (k *Keyring) VerifyCommit(body []byte, now time.Time) (source.Signature, error) {
	signed := source.Signature{Kind: object.Commit.String()}
	o, err := splitCommit(body)
	if err == nil {
		if _, malformed := object.TreeOf(o.payload); malformed != nil { // whose text quotes the object
			err = errors.New("it is not a commit: it does not start with its tree")
		}
	}
	return k.verify(signed, object.Commit, body, o, err, now)
}

// VerifyTag tells who signed an annotated tag, of which body is all but Git's own header, and what it stands for, which the
// caller holds against what it fetched. name is what the tag was asked for as, without refs/tags/. An error is a
// [*source.SignatureError].
func (k *Keyring) VerifyTag(body []byte, name string, now time.Time) (source.Signature, object.Target, error) {
	signed := source.Signature{Kind: object.Tag.String(), Tag: name}
	var target object.Target
	o, err := splitTag(body)
	if err == nil {
		var malformed error
		if target, malformed = object.TargetOf(o.payload); malformed != nil {
			err = errors.New("it is not a tag: it does not start with its object, type and name")
		}
	}
	// The head of the tag is what others read, and that of the payload is what was signed.
	if err == nil && !bytes.HasPrefix(body, headOf(o.payload)) {
		err = errors.New("another header stands before its name")
	}
	signed, err = k.verify(signed, object.Tag, body, o, err, now)
	if err == nil && target.Name != name {
		err = refusal(signed, source.ErrOtherTag, "the name in the signed tag is not the one that was asked for: "+
			"somebody may have copied the tag; ask for the name that it was made with, or have it signed anew")
	}
	if err != nil {
		return source.Signature{}, object.Target{}, err
	}
	return signed, target, nil
}

// headOf returns the lines that [object.TargetOf] reads.
func headOf(tag []byte) []byte {
	at := 0
	for range 3 {
		at += bytes.IndexByte(tag[at:], '\n') + 1
	}
	return tag[:at]
}

// verify goes on where an object was taken apart.
func (k *Keyring) verify(signed source.Signature, kind object.Kind, body []byte, o signedObject, err error, now time.Time) (
	source.Signature, error) {
	hash, failed := object.NewHasher().Sum(kind, body)
	signed.Hash = hash.String()
	switch {
	case errors.Is(err, errUnsigned):
		mend := "sign it, for example with git commit -S"
		if kind == object.Tag {
			mend = "make it anew with git tag -s"
		}
		err = refusal(signed, source.ErrUnsigned, "%v: %s", err, mend)
	case err != nil:
		err = bad(signed, err)
	case failed != nil:
		err = bad(signed, failed)
	case bytes.HasPrefix(o.signature, []byte("-----BEGIN PGP SIGNATURE-----")):
		signed.Format = "openpgp"
		signed, err = k.verifyOpenPGP(signed, o, now)
	case bytes.HasPrefix(o.signature, []byte("-----BEGIN SSH SIGNATURE-----")):
		signed.Format = "ssh"
		signed, err = k.verifySSH(signed, o, now)
	default:
		err = bad(signed, errors.New("it is not in a format that is supported: sign with an OpenPGP or an SSH key"))
	}
	if err != nil {
		return source.Signature{}, k.lacking(err)
	}
	return signed, nil
}

// lacking says of a key that is not known where no key of its kind could be.
func (k *Keyring) lacking(err error) error {
	refused := new(source.SignatureError)
	if !errors.Is(err, source.ErrUnknownKey) || !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.Format == "openpgp" && len(k.openPGP) == 0:
		refused.Reason = "it has an OpenPGP signature, and no OpenPGP keys are given, only SSH keys"
	case refused.Format == "ssh" && len(k.ssh) == 0:
		refused.Reason = "it has an SSH signature, and no SSH keys are given, only OpenPGP keys"
	}
	return err
}

func refusal(signed source.Signature, cause error, format string, args ...any) error {
	return &source.SignatureError{Signature: signed, Err: cause, Reason: fmt.Sprintf(format, args...)}
}

// bad is for signatures that nobody made, or that were broken on their way.
func bad(signed source.Signature, cause error) error {
	return refusal(signed, source.ErrBadSignature, "%v: have it signed anew if it is what its author wanted", cause)
}
