package source

import (
	"errors"
	"fmt"
)

// A Signature says what of an origin was verified, and by which key.
type Signature struct {
	Kind   string // what was signed: "commit" or "tag"
	Hash   string // its hash, 40 hexadecimal digits
	Tag    string // the tag's name, without refs/tags/; empty for a commit
	Format string // "openpgp" or "ssh"
	// Key is the fingerprint of the key that signed, which may be a subkey: 40 or more upper-case hexadecimal digits for
	// OpenPGP; for SSH as ssh-keygen prints it, "SHA256:…". In errors about keys that are not known it may be an OpenPGP
	// key ID, 16 digits.
	Key string
	// Primary is the fingerprint of the OpenPGP primary key that Key belongs to; where that signed by itself, they are equal.
	// It is empty for SSH.
	Primary string
	// Signer is whose key that is, as the given keys have it and not as the object says: the primary user ID of an OpenPGP
	// key; for SSH the principals of a line of allowed_signers, or the comment of a line of authorized_keys.
	Signer string
}

// What may be wrong with a signature. Each comes in a [*SignatureError] and is an [ErrUnverified], too.
var (
	// ErrUnsigned means that there is no signature.
	ErrUnsigned = errors.New("not signed")
	// ErrUnknownKey means that a key signed which is not among the given ones.
	ErrUnknownKey = errors.New("signed by an unknown key")
	// ErrBadSignature means that a signature is malformed, not of this content, or of a kind that is not supported.
	ErrBadSignature = errors.New("bad signature")
	// ErrWeakSignature means that a signature may be right, and that its hash or key is too weak to tell.
	ErrWeakSignature = errors.New("weak signature")
	// ErrExpiredKey means that the signature is right, and that it or its key has expired or is not valid yet.
	ErrExpiredKey = errors.New("signed by a key that is not valid at this time")
	// ErrRevokedKey means that the signature is right, and that its key was revoked.
	ErrRevokedKey = errors.New("signed by a revoked key")
	// ErrOtherTag means that a tag's signature is right, and that the tag was signed under another name.
	ErrOtherTag = errors.New("signed as another tag")
)

// A SignatureError says why the signature of a commit or a tag does not count. It is an [ErrUnverified] and one of the
// errors above. It quotes nothing of what the object says.
type SignatureError struct {
	Signature        // as much as is known; nothing in it is verified
	Err       error  // one of the errors above
	Reason    string // in what way, and how to mend it
}

// Error names the object, the key and the reason.
func (e *SignatureError) Error() string {
	object := e.Kind + " " + e.Hash
	if e.Kind == "tag" {
		object = fmt.Sprintf("tag %.200q (%s)", e.Tag, e.Hash)
	}
	key := ""
	if e.Key != "" {
		key = fmt.Sprintf(" (%s key %s", e.Format, e.Key)
		if e.Signer != "" {
			key += fmt.Sprintf(" of %.200q", e.Signer)
		}
		key += ")"
	}
	return fmt.Sprintf("%v: %s: %v%s: %s", ErrUnverified, object, e.Err, key, e.Reason)
}

// Unwrap returns ErrUnverified and Err.
func (e *SignatureError) Unwrap() []error { return []error{ErrUnverified, e.Err} }
