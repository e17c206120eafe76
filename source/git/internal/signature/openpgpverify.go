package signature

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/gitopskit/gitopskit/source"
)

// verifyOpenPGP fills signed in as far as it gets.
func (k *Keyring) verifyOpenPGP(signed source.Signature, o signedObject, now time.Time) (source.Signature, error) {
	data, err := dearmor(o.signature, pgpSignature)
	if err != nil {
		return signed, bad(signed, fmt.Errorf("its OpenPGP signature is malformed: %w", err))
	}
	sig, err := readSignature(data)
	if err != nil {
		return signed, bad(signed, err)
	}
	keys := keysOf(k.openPGP, sig)
	if len(keys) == 0 {
		signed.Key = issuer(sig)
		return signed, refusal(signed, source.ErrUnknownKey,
			"the key is not among the given OpenPGP keys: add it if its owner may sign here")
	}
	if !strongHashes[sig.Hash] {
		signed.Key = issuer(sig)
		return signed, refusal(signed, source.ErrWeakSignature, "it is made with %v: sign with SHA-256 or SHA-512", sig.Hash)
	}
	for _, key := range keys { // more than one only if somebody made keys of the same key ID
		signed.Key = fmt.Sprintf("%X", key.PublicKey.Fingerprint)
		signed.Primary = fmt.Sprintf("%X", key.Entity.PrimaryKey.Fingerprint)
		signed.Signer = ""
		if id := key.Entity.PrimaryIdentity(); id != nil {
			signed.Signer = id.Name
		}
		if err = checkDigest(key.PublicKey, sig, o.payload); err == nil {
			return signed, checkKey(signed, key, sig, now)
		}
	}
	return signed, bad(signed, err)
}

// readSignature reads the one packet that there is.
func readSignature(data []byte) (*packet.Signature, error) {
	r := bytes.NewReader(data)
	p, err := packet.Read(r)
	sig, ok := p.(*packet.Signature)
	switch {
	case err != nil || !ok:
		return nil, errors.New("its OpenPGP signature is malformed or of a kind that is not supported, such as one with MD5")
	case r.Len() > 0:
		return nil, errors.New("it has several OpenPGP signatures in one")
	case sig.SigType != packet.SigTypeBinary && sig.SigType != packet.SigTypeText:
		return nil, errors.New("its OpenPGP signature is not one of a document")
	}
	return sig, nil
}

// keysOf looks for the fingerprint that a signature names, and then for the key ID, as gpg does. Both are only hints.
func keysOf(entities openpgp.EntityList, sig *packet.Signature) []openpgp.Key {
	var byFingerprint, byID []openpgp.Key
	for _, e := range entities {
		keys := []openpgp.Key{{Entity: e, PublicKey: e.PrimaryKey}}
		keys[0].SelfSignature, _ = e.PrimarySelfSignature()
		keys[0].Revocations = e.Revocations
		for _, s := range e.Subkeys {
			keys = append(keys, openpgp.Key{Entity: e, PublicKey: s.PublicKey, SelfSignature: s.Sig, Revocations: s.Revocations})
		}
		for _, key := range keys {
			switch {
			case len(sig.IssuerFingerprint) > 0 && bytes.Equal(sig.IssuerFingerprint, key.PublicKey.Fingerprint):
				byFingerprint = append(byFingerprint, key)
			case sig.IssuerKeyId != nil && *sig.IssuerKeyId == key.PublicKey.KeyId:
				byID = append(byID, key)
			}
		}
	}
	if len(byFingerprint) > 0 {
		return byFingerprint
	}
	return byID
}

// issuer is what a signature says of its key. Its length is bounded by the format's: a fingerprint has 20 or 32 bytes.
func issuer(sig *packet.Signature) string {
	switch {
	case len(sig.IssuerFingerprint) > 0:
		return fmt.Sprintf("%X", sig.IssuerFingerprint)
	case sig.IssuerKeyId != nil:
		return fmt.Sprintf("%016X", *sig.IssuerKeyId)
	}
	return ""
}

var strongHashes = map[crypto.Hash]bool{
	crypto.SHA224: true, crypto.SHA256: true, crypto.SHA384: true, crypto.SHA512: true,
	crypto.SHA3_256: true, crypto.SHA3_512: true,
}

var errWrongContent = errors.New("the OpenPGP signature is not of this content")

// checkDigest tells whether key signed payload.
func checkDigest(key *packet.PublicKey, sig *packet.Signature, payload []byte) error {
	sum, err := digestOf(sig, payload)
	if err != nil {
		return errWrongContent
	}
	// Two bytes of the digest are in the signature. They prove nothing, and gpg refuses a signature where they are wrong.
	early, err := digestOf(sig, payload)
	if err != nil {
		return errWrongContent
	}
	early.Write(sig.HashSuffix)
	if !bytes.HasPrefix(early.Sum(nil), sig.HashTag[:]) || key.VerifySignature(sum, sig) != nil {
		return errWrongContent
	}
	return nil
}

// digestOf hashes payload, for a signature of text with its line ends as OpenPGP has them.
func digestOf(sig *packet.Signature, payload []byte) (hash.Hash, error) {
	sum, err := sig.PrepareVerify()
	if err != nil {
		return nil, err
	}
	var out io.Writer = sum
	if sig.SigType == packet.SigTypeText {
		out = openpgp.NewCanonicalTextHash(sum)
	}
	_, err = out.Write(payload)
	return sum, err
}

// checkKey is after the digest: what it says is of a signature that this key made.
func checkKey(signed source.Signature, key openpgp.Key, sig *packet.Signature, now time.Time) error {
	primary, identity := key.Entity.PrimarySelfSignature()
	if primary == nil || key.SelfSignature == nil {
		return bad(signed, errors.New("its key does not sign itself"))
	}
	switch {
	case key.Entity.Revoked(now) || identity != nil && identity.Revoked(now):
		return refusal(signed, source.ErrRevokedKey, "the primary key or its user ID was revoked: have it signed by another key")
	case key.Revoked(now):
		return refusal(signed, source.ErrRevokedKey, "the subkey was revoked: have it signed by another key")
	case key.Entity.PrimaryKey.KeyExpired(primary, now) || primary.SigExpired(now):
		return expired(signed, "the primary key", key.Entity.PrimaryKey, primary)
	case key.PublicKey.KeyExpired(key.SelfSignature, now) || key.SelfSignature.SigExpired(now):
		return expired(signed, "the subkey", key.PublicKey, key.SelfSignature)
	case lapsed(sig, now):
		return refusal(signed, source.ErrExpiredKey, "the signature was made on %s and has expired since: have it signed anew",
			sig.CreationTime.UTC().Format(time.RFC3339))
	case sig.CreationTime.Before(key.PublicKey.CreationTime):
		return bad(signed, errors.New("it is older than the key that made it"))
	case !maySign(key):
		return bad(signed, errors.New("its key is not for signing: sign with another, or with a subkey for it"))
	}
	return checkStrength(signed, key.PublicKey, sig)
}

// lapsed is unlike sig.SigExpired in that a signature of a time to come has not expired, as gpg sees it, too: its maker's
// clock or this machine's may be wrong by a few seconds, and otherwise the time is the maker's word.
func lapsed(sig *packet.Signature, now time.Time) bool {
	return sig.SigLifetimeSecs != nil && *sig.SigLifetimeSecs > 0 && sig.SigExpired(now) && !now.Before(sig.CreationTime)
}

func expired(signed source.Signature, what string, key *packet.PublicKey, self *packet.Signature) error {
	if self.KeyLifetimeSecs == nil || *self.KeyLifetimeSecs == 0 {
		return refusal(signed, source.ErrExpiredKey, "%s is of a time to come (it was made on %s), or its own signature has "+
			"expired: set this machine's clock, or have its owner renew it", what, key.CreationTime.UTC().Format(time.RFC3339))
	}
	end := key.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second)
	return refusal(signed, source.ErrExpiredKey, "%s was valid from %s to %s: give it anew if its owner has prolonged it, "+
		"or have it signed by another key", what, key.CreationTime.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
}

// maySign holds to the flags that the owner gave the key. A key without any is for everything, but a subkey is then not,
// since only one that is for signing has to bear the signature by which it consents to belong to the primary key.
func maySign(key openpgp.Key) bool {
	if key.SelfSignature.FlagsValid {
		return key.SelfSignature.FlagSign
	}
	return key.PublicKey == key.Entity.PrimaryKey
}

func checkStrength(signed source.Signature, key *packet.PublicKey, sig *packet.Signature) error {
	for _, n := range sig.Notations {
		if n.IsCritical {
			return bad(signed, errors.New("it has a critical notation, which nothing here knows"))
		}
	}
	switch key.PubKeyAlgo {
	case packet.PubKeyAlgoDSA:
		return refusal(signed, source.ErrWeakSignature, "it is made with a DSA key: sign with an Ed25519 key")
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		if bits, err := key.BitLength(); err != nil || int(bits) < minRSABits {
			return refusal(signed, source.ErrWeakSignature, "it is made with an RSA key of %d bits: sign with one of %d or more",
				bits, minRSABits)
		}
	}
	return nil
}

// minRSABits is what NIST SP 800-131A asks for, less one: the product of two primes of 1024 bits may have 2047.
const minRSABits = 2047
