package signature

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gitopskit/gitopskit/source"
)

// namespace is what Git signs in: a signature that the same key made for another purpose is not one for Git.
const namespace = "git"

// An sshSignatureBlob is what an armored signature holds, as OpenSSH's PROTOCOL.sshsig has it.
type sshSignatureBlob struct {
	key       ssh.PublicKey
	hash      string
	signature *ssh.Signature
}

// verifySSH fills signed in as far as it gets.
func (k *Keyring) verifySSH(signed source.Signature, o signedObject, now time.Time) (source.Signature, error) {
	data, err := dearmor(o.signature, sshSignature)
	if err != nil {
		return signed, bad(signed, fmt.Errorf("its SSH signature is malformed: %w", err))
	}
	blob, err := parseSSHSignature(data)
	if err != nil {
		return signed, bad(signed, err)
	}
	signed.Key = ssh.FingerprintSHA256(blob.key)
	signer, refused := k.allowed(signed, blob.key, o.date, now)
	if refused != nil && !errors.Is(refused, source.ErrExpiredKey) {
		return signed, refused // nothing is computed with a stranger's key, which may be of any size
	}
	if signer != nil {
		signed.Signer = signer.principals
	}
	if err := blob.check(o.payload); err != nil {
		return signed, bad(signed, err)
	}
	return signed, refused
}

// parseSSHSignature reads a signature and holds it to what needs no key.
func parseSSHSignature(data []byte) (*sshSignatureBlob, error) {
	var b struct {
		Magic         [6]byte
		Version       uint32
		PublicKey     []byte
		Namespace     string
		Reserved      []byte
		HashAlgorithm string
		Signature     []byte
	}
	if err := ssh.Unmarshal(data, &b); err != nil || string(b.Magic[:]) != "SSHSIG" {
		return nil, errors.New("its SSH signature is malformed")
	}
	blob := &sshSignatureBlob{hash: b.HashAlgorithm, signature: new(ssh.Signature)}
	if b.Version > 1 {
		return nil, errors.New("its SSH signature is of a version that is not supported")
	}
	if b.Namespace != namespace {
		return nil, fmt.Errorf("its SSH signature is not in the namespace %q, and so was made for another purpose", namespace)
	}
	var err error
	if blob.key, err = ssh.ParsePublicKey(b.PublicKey); err != nil {
		return nil, errors.New("the key in its SSH signature is malformed or of a type that is not supported")
	}
	if err := usable(blob.key); err != nil {
		return nil, err
	}
	if err := ssh.Unmarshal(b.Signature, blob.signature); err != nil {
		return nil, errors.New("its SSH signature is malformed")
	}
	return blob, blob.checkFormat()
}

// checkFormat refuses what the ssh package would take from a server: SHA-1, and what follows a signature.
func (b *sshSignatureBlob) checkFormat() error {
	format, kind := b.signature.Format, b.key.Type()
	switch {
	case kind == ssh.KeyAlgoRSA && format != ssh.KeyAlgoRSASHA256 && format != ssh.KeyAlgoRSASHA512:
		return errors.New("its RSA key does not sign with SHA-256 or SHA-512: sign with a newer ssh-keygen")
	case !strings.HasPrefix(kind, "sk-") && len(b.signature.Rest) > 0:
		return errors.New("its SSH signature is longer than it should be")
	}
	return nil
}

// check tells whether the key signed payload: what it signs is a hash of it with the namespace before it.
func (b *sshSignatureBlob) check(payload []byte) error {
	var sum []byte
	switch b.hash {
	case "sha256":
		s := sha256.Sum256(payload)
		sum = s[:]
	case "sha512":
		s := sha512.Sum512(payload)
		sum = s[:]
	default:
		return errors.New("its SSH signature has another hash than SHA-256 and SHA-512")
	}
	message := ssh.Marshal(struct {
		Magic                         [6]byte
		Namespace, Reserved, HashName string
		Sum                           []byte
	}{[6]byte([]byte("SSHSIG")), namespace, "", b.hash, sum})
	if err := b.key.Verify(message, b.signature); err != nil {
		return errors.New("the SSH signature is not of this content, or its key on hardware was not touched")
	}
	return nil
}

// allowed finds the line that lets key sign at the object's date. Without one, now counts.
//
// It goes about it as git has ssh-keygen do: the first line with the key at that time says who its principals are, and then
// a line is looked for that lets one of these sign for Git, which may be another one.
func (k *Keyring) allowed(signed source.Signature, key ssh.PublicKey, date, now time.Time) (*allowedSigner, error) {
	if date.IsZero() {
		date = now
	}
	valid, late := k.linesWith(key, date)
	switch {
	case len(valid) == 0 && late != nil:
		signed.Signer = late.principals
		return nil, refusal(signed, source.ErrExpiredKey, "the object is of %s, and line %d of the allowed signers has the key "+
			"with %s: change that if the key may sign then", date.UTC().Format(time.RFC3339), late.line, late.validity())
	case len(valid) == 0:
		return nil, refusal(signed, source.ErrUnknownKey,
			"the key is not among the given SSH keys: add a line for it to the allowed signers if its owner may sign here")
	case valid[0].plain:
		return valid[0], nil
	}
	for principal := range strings.SplitSeq(valid[0].principals, ",") {
		for _, s := range valid {
			if !s.elsewhere && (s.plain || matchesList(principal, s.principals)) {
				return s, nil
			}
		}
	}
	return nil, refusal(signed, source.ErrUnknownKey, "line %d of the allowed signers has the key, and not for the namespace %q "+
		"or for nobody: change that if its owner may sign here", valid[0].line, namespace)
}

// linesWith are those that are valid then, and the last of those that are not.
func (k *Keyring) linesWith(key ssh.PublicKey, date time.Time) (valid []*allowedSigner, late *allowedSigner) {
	wire := key.Marshal()
	for i := range k.ssh {
		switch s := &k.ssh[i]; {
		case !bytes.Equal(s.key, wire):
		case s.validAt(date):
			valid = append(valid, s)
		default:
			late = s
		}
	}
	return valid, late
}
