package signature

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/gitopskit/gitopskit/source"
)

func keyringOf(t testing.TB, pgp [][]byte, ssh string) *Keyring {
	t.Helper()
	k, err := NewKeyring(pgp, []byte(ssh))
	mustBeNil(t, err)
	return k
}

// judge is of a commit, and holds to what is true of every error.
func judge(t *testing.T, name string, k *Keyring, body []byte, want error) source.Signature {
	t.Helper()
	signed, err := k.VerifyCommit(body, today)
	failure := new(source.SignatureError)
	switch {
	case want == nil && err != nil:
		t.Errorf("%s: got %v", name, err)
	case want == nil:
	case !errors.Is(err, want) || !errors.Is(err, source.ErrUnverified) || !errors.As(err, &failure) || signed != (source.Signature{}):
		t.Errorf("%s: got %+v, %v, want %v", name, signed, err, want)
	case failure.Kind != "commit" || len(failure.Hash) != 40 || failure.Reason == "" || !strings.Contains(err.Error(), failure.Key) ||
		strings.Contains(err.Error(), "planted") || len(err.Error()) > 800:
		t.Errorf("%s: got %v", name, err)
	}
	return signed
}

func TestOpenPGPKeysAndTimes(t *testing.T) {
	payload := plainCommit("", "planted\n")
	day := 24 * time.Hour
	alice := newEntity(t, "Alice", madeAt(madeOn, 0))
	mustBeNil(t, alice.AddSigningSubkey(madeAt(madeOn, 0)))
	mustBeNil(t, alice.AddSigningSubkey(madeAt(madeOn, day)))
	mustBeNil(t, alice.AddSigningSubkey(madeAt(madeOn, 0)))
	short := newEntity(t, "Short", madeAt(madeOn, day))
	revoked := newEntity(t, "Revoked", madeAt(madeOn, 0))
	mustBeNil(t, revoked.RevokeKey(packet.KeySuperseded, "planted", madeAt(today.AddDate(0, -1, 0), 0)))
	future := newEntity(t, "Future", madeAt(today.AddDate(1, 0, 0), 0))
	stranger := newEntity(t, "Stranger", madeAt(madeOn, 0))
	sub := alice.Subkeys // the first is for encryption
	mustBeNil(t, alice.RevokeSubkey(&sub[3], packet.KeyCompromised, "planted", madeAt(today.AddDate(0, -1, 0), 0)))
	keys := keyringOf(t, [][]byte{exported(t, alice, short, revoked, future)}, "")

	early := pgpOptions{day: madeOn.Add(time.Hour)}
	for name, tt := range map[string]struct {
		key  *packet.PrivateKey
		opts pgpOptions
		want error
	}{
		"primary":                    {alice.PrivateKey, pgpOptions{}, nil},
		"SHA-512":                    {alice.PrivateKey, pgpOptions{hash: crypto.SHA512}, nil},
		"subkey":                     {sub[1].PrivateKey, pgpOptions{}, nil},
		"expired subkey":             {sub[2].PrivateKey, pgpOptions{}, source.ErrExpiredKey},
		"while the subkey was valid": {sub[2].PrivateKey, early, source.ErrExpiredKey},
		"revoked subkey":             {sub[3].PrivateKey, early, source.ErrRevokedKey},
		"expired":                    {short.PrivateKey, pgpOptions{}, source.ErrExpiredKey},
		"while it was valid":         {short.PrivateKey, early, source.ErrExpiredKey},
		"revoked":                    {revoked.PrivateKey, early, source.ErrRevokedKey},
		"not yet":                    {future.PrivateKey, pgpOptions{day: today.AddDate(1, 0, 1)}, source.ErrExpiredKey},
		"older than its key":         {alice.PrivateKey, pgpOptions{day: madeOn.Add(-time.Hour)}, source.ErrBadSignature},
		"expired signature":          {alice.PrivateKey, pgpOptions{expire: 60}, source.ErrExpiredKey},
		"signature not expired":      {alice.PrivateKey, pgpOptions{expire: 1 << 30}, nil},
		"stranger":                   {stranger.PrivateKey, pgpOptions{}, source.ErrUnknownKey},
		"other early bytes":          {alice.PrivateKey, pgpOptions{tag: 1}, source.ErrBadSignature},
		"of a key":                   {alice.PrivateKey, pgpOptions{kind: packet.SigTypeGenericCert}, source.ErrBadSignature},
		"standalone":                 {alice.PrivateKey, pgpOptions{kind: 2}, source.ErrBadSignature},
	} {
		judge(t, name, keys, signedCommit(payload, madePGP(t, tt.key, payload, tt.opts)), tt.want)
		if tt.want == nil {
			judge(t, name+", of something else", keys, signedCommit(payload, madePGP(t, tt.key, payload+"x", tt.opts)), source.ErrBadSignature)
		}
	}
	signed := judge(t, "subkey", keys, signedCommit(payload, madePGP(t, sub[1].PrivateKey, payload, pgpOptions{})), nil)
	if signed.Key != fmt.Sprintf("%X", sub[1].PublicKey.Fingerprint) || signed.Primary != fmt.Sprintf("%X", alice.PrimaryKey.Fingerprint) ||
		signed.Signer != "Alice <Alice@example.com>" {
		t.Errorf("got %+v", signed)
	}
}

// A primary key that may only certify does not sign commits, nor does a subkey that may only encrypt or log in.
func TestOpenPGPKeysThatAreNotForSigning(t *testing.T) {
	payload := plainCommit("", "planted\n")
	alice := newEntity(t, "Alice", madeAt(madeOn, 0))
	for _, id := range alice.Identities {
		id.SelfSignature.FlagSign = false
		mustBeNil(t, id.SelfSignature.SignUserId(id.UserId.Id, alice.PrimaryKey, alice.PrivateKey, madeAt(madeOn, 0)))
	}
	mustBeNil(t, alice.AddSigningSubkey(madeAt(madeOn, 0)))
	subkey := &alice.Subkeys[len(alice.Subkeys)-1]
	subkey.Sig.FlagSign, subkey.Sig.FlagAuthenticate = false, true
	mustBeNil(t, subkey.Sig.SignKey(subkey.PublicKey, alice.PrivateKey, madeAt(madeOn, 0)))
	mustBeNil(t, alice.AddSigningSubkey(madeAt(madeOn, 0)))
	bare := &alice.Subkeys[len(alice.Subkeys)-1]
	bare.Sig.FlagSign, bare.Sig.FlagsValid, bare.Sig.EmbeddedSignature = false, false, nil
	mustBeNil(t, bare.Sig.SignKey(bare.PublicKey, alice.PrivateKey, madeAt(madeOn, 0)))
	keys := keyringOf(t, [][]byte{exported(t, alice)}, "")
	for _, key := range []*packet.PrivateKey{alice.PrivateKey, subkey.PrivateKey, bare.PrivateKey} {
		judge(t, "", keys, signedCommit(payload, madePGP(t, key, payload, pgpOptions{})), source.ErrBadSignature)
	}
}

// Whoever adds somebody else's key to his own as a subkey for signing has not its consent.
func TestOpenPGPSubkeysConsent(t *testing.T) {
	alice, mallory := newEntity(t, "Alice", madeAt(madeOn, 0)), newEntity(t, "Mallory", madeAt(madeOn, 0))
	mustBeNil(t, mallory.AddSigningSubkey(madeAt(madeOn, 0)))
	mustBeNil(t, alice.AddSigningSubkey(madeAt(madeOn, 0)))
	stolen, own := alice.Subkeys[1], &mallory.Subkeys[1]
	own.PublicKey = stolen.PublicKey // with the consent of another key
	mustBeNil(t, own.Sig.SignKey(own.PublicKey, mallory.PrivateKey, madeAt(madeOn, 0)))
	if _, err := NewKeyring([][]byte{exported(t, mallory)}, nil); err == nil {
		t.Error("the subkey is taken")
	}
}

func TestSmallRSAKeysAreWeak(t *testing.T) {
	payload := plainCommit("", "planted\n")
	for bits, want := range map[int]error{1024: source.ErrWeakSignature, 2048: nil} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		mustBeNil(t, err)
		e := newEntity(t, "Alice", madeAt(madeOn, 0))
		e.PrivateKey = packet.NewRSAPrivateKey(madeOn, key)
		e.PrimaryKey = &e.PrivateKey.PublicKey
		e.Subkeys = nil
		for _, id := range e.Identities {
			id.SelfSignature.PubKeyAlgo = packet.PubKeyAlgoRSA
			id.SelfSignature.IssuerKeyId, id.SelfSignature.IssuerFingerprint = &e.PrimaryKey.KeyId, e.PrimaryKey.Fingerprint
			mustBeNil(t, id.SelfSignature.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, madeAt(madeOn, 0)))
			id.Signatures = []*packet.Signature{id.SelfSignature}
		}
		keys := keyringOf(t, [][]byte{exported(t, e)}, "")
		judge(t, "", keys, signedCommit(payload, madePGP(t, e.PrivateKey, payload, pgpOptions{})), want)
	}
}

// The signatures in testdata are gpg's, with --allow-weak-digest-algos: nothing in Go makes such any more.
func TestWeakHashesAreRefused(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		mustBeNil(t, err)
		return data
	}
	payload := plainCommit("", "message\n")
	keys := keyringOf(t, [][]byte{read("weak.asc")}, "")
	for hash, want := range map[string]error{
		"SHA1": source.ErrWeakSignature, "RIPEMD160": source.ErrBadSignature, "MD5": source.ErrBadSignature, "SHA256": nil,
	} {
		judge(t, hash, keys, signedCommit(payload, string(read("weak-"+hash+".asc"))), want)
	}
}

func TestNewKeyringReadsOpenPGP(t *testing.T) {
	payload := plainCommit("", "planted\n")
	var all []*openpgp.Entity
	for _, name := range []string{"A", "B", "C"} {
		all = append(all, newEntity(t, name, madeAt(madeOn, 0)))
	}
	one := func(i int) string { return armored(t, pgpPublicKey, exported(t, all[i])) }
	for name, data := range map[string][][]byte{
		"binary":          {exported(t, all...)},
		"one block":       {[]byte(armored(t, pgpPublicKey, exported(t, all...)))},
		"three blocks":    {[]byte("# A\n" + one(0) + "\n\nB:\n" + one(1) + one(2))},
		"CRLF":            {[]byte(strings.ReplaceAll(one(0)+one(1)+one(2), "\n", "\r\n"))},
		"three items":     {[]byte(one(0)), exported(t, all[1]), []byte(one(2))},
		"one of it twice": {[]byte(one(0) + one(1) + one(0)), exported(t, all...)},
	} {
		keys := keyringOf(t, data, "")
		if len(keys.openPGP) != 3 {
			t.Errorf("%s: got %d keys", name, len(keys.openPGP))
		}
		for _, e := range all {
			judge(t, name, keys, signedCommit(payload, madePGP(t, e.PrivateKey, payload, pgpOptions{})), nil)
		}
	}
}

func TestNewKeyringRefusesOpenPGP(t *testing.T) {
	alice := newEntity(t, "Alice", madeAt(madeOn, 0))
	public := exported(t, alice)
	var private strings.Builder
	mustBeNil(t, alice.SerializePrivate(&private, nil))
	mustBeNil(t, alice.RevokeKey(packet.KeyCompromised, "", madeAt(today, 0)))
	revoked := exported(t, alice)
	good := armored(t, pgpPublicKey, public)
	for name, tt := range map[string]struct {
		data []string
		text string
	}{
		"nothing":           {nil, "no keys"},
		"empty":             {[]string{""}, "number 1 of 1"},
		"text":              {[]string{"hello"}, "cannot be read"},
		"second":            {[]string{good, "x"}, "number 2 of 2"},
		"private":           {[]string{private.String()}, "private key"},
		"armored private":   {[]string{armored(t, "PGP PRIVATE KEY BLOCK", []byte(private.String()))}, "private key"},
		"signature":         {[]string{armored(t, pgpSignature, public)}, "not of public keys"},
		"cut":               {[]string{good[:len(good)-40]}, "last line"},
		"cut after a key":   {[]string{string(public) + string(public[:50])}, "cannot be read"},
		"bad checksum":      {[]string{strings.Replace(good, "\n=", "\n=AAAA\n=", 1)}, "malformed"},
		"other checksum":    {[]string{good[:strings.LastIndex(good, "\n=")] + "\n=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"}, "checksum"},
		"in two states":     {[]string{string(public), string(revoked)}, "there twice"},
		"in two, in a file": {[]string{string(revoked) + string(public)}, "there twice"},
	} {
		data := make([][]byte, len(tt.data))
		for i := range tt.data {
			data[i] = []byte(tt.data[i])
		}
		if _, err := NewKeyring(data, nil); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got %v, want %q", name, err, tt.text)
		}
	}
}
