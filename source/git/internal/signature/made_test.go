package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"
)

// What is here is made in Go, and needs no tool.

var (
	madeOn = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	today  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func madeAt(day time.Time, lifetime time.Duration) *packet.Config {
	return &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return day }, KeyLifetimeSecs: uint32(lifetime / time.Second),
	}
}

func newEntity(t testing.TB, name string, config *packet.Config) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity(name, "", name+"@example.com", config)
	mustBeNil(t, err)
	return e
}

// exported is the public half, in binary.
func exported(t testing.TB, entities ...*openpgp.Entity) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, e := range entities {
		mustBeNil(t, e.Serialize(&out))
	}
	return out.Bytes()
}

func armored(t testing.TB, label string, data []byte) string {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&out, label, nil, true)
	mustBeNil(t, err)
	_, err = w.Write(data)
	mustBeNil(t, err)
	mustBeNil(t, w.Close())
	return out.String() + "\n"
}

// pgpOptions are of a signature; the zero value is of a good one.
type pgpOptions struct {
	hash   crypto.Hash
	kind   packet.SignatureType
	day    time.Time
	expire uint32
	tag    byte // changes the first of the two bytes of the digest that a signature shows
}

// madePGP signs with any key, also with one that is not meant for it.
func madePGP(t testing.TB, key *packet.PrivateKey, payload string, opts pgpOptions) string {
	t.Helper()
	if opts.hash == 0 {
		opts.hash = crypto.SHA256
	}
	if opts.day.IsZero() {
		opts.day = today.AddDate(0, -1, 0)
	}
	sig := &packet.Signature{Version: 4, SigType: opts.kind, PubKeyAlgo: key.PubKeyAlgo, Hash: opts.hash, CreationTime: opts.day,
		IssuerKeyId: &key.KeyId, IssuerFingerprint: key.Fingerprint, IssuerKeyVersion: uint8(key.Version)}
	if opts.expire > 0 {
		sig.SigLifetimeSecs = &opts.expire
	}
	sum := opts.hash.New()
	sum.Write([]byte(payload))
	mustBeNil(t, sig.Sign(sum, key, nil))
	sig.HashTag[0] ^= opts.tag
	var out bytes.Buffer
	mustBeNil(t, sig.Serialize(&out))
	return armored(t, pgpSignature, out.Bytes())
}

// A madeSSH is an SSH key that signs in any way.
type madeSSH struct {
	signer ssh.Signer
	sign   func(message []byte) *ssh.Signature // where it is not the signer's
}

func newSSH(t testing.TB, private crypto.Signer) madeSSH {
	t.Helper()
	signer, err := ssh.NewSignerFromSigner(private)
	mustBeNil(t, err)
	return madeSSH{signer: signer}
}

func newEd25519(t testing.TB) madeSSH {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	mustBeNil(t, err)
	return newSSH(t, key)
}

func newECDSA(t testing.TB) madeSSH {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	mustBeNil(t, err)
	return newSSH(t, key)
}

func newRSA(t testing.TB, bits int) madeSSH {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	mustBeNil(t, err)
	return newSSH(t, key)
}

func (m madeSSH) line() string {
	return string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(m.signer.PublicKey())))
}

// sshOptions are of a signature; the zero value is of a good one.
type sshOptions struct {
	namespace, hash, format, magic string
	version                        uint32
	rest                           string // behind the signature
}

// blob is what is armored.
func (m madeSSH) blob(t testing.TB, payload string, opts sshOptions) []byte {
	t.Helper()
	or := func(value *string, instead string) {
		if *value == "" {
			*value = instead
		}
	}
	or(&opts.namespace, "git")
	or(&opts.hash, "sha512")
	or(&opts.magic, "SSHSIG")
	var sum []byte
	if opts.hash == "sha256" {
		s := sha256.Sum256([]byte(payload))
		sum = s[:]
	} else {
		s := sha512.Sum512([]byte(payload))
		sum = s[:]
	}
	message := append([]byte("SSHSIG"), ssh.Marshal(struct{ Namespace, Reserved, Hash, Sum string }{opts.namespace, "", opts.hash, string(sum)})...)
	sig := m.signature(t, message, opts.format)
	sig.Rest = append(sig.Rest, opts.rest...)
	return append([]byte(opts.magic), ssh.Marshal(struct {
		Version                              uint32
		Key, Namespace, Reserved, Hash, Sign string
	}{opts.version + 1, string(m.signer.PublicKey().Marshal()), opts.namespace, "", opts.hash, string(ssh.Marshal(sig))})...)
}

func (m madeSSH) signature(t testing.TB, message []byte, format string) *ssh.Signature {
	t.Helper()
	if m.sign != nil {
		return m.sign(message)
	}
	if m.signer.PublicKey().Type() == ssh.KeyAlgoRSA && format == "" {
		format = ssh.KeyAlgoRSASHA512
	}
	signer, ok := m.signer.(ssh.AlgorithmSigner)
	if !ok {
		t.Fatalf("%T cannot choose", m.signer)
	}
	sig, err := signer.SignWithAlgorithm(rand.Reader, message, format)
	mustBeNil(t, err)
	return sig
}

func armorSSH(blob []byte) string {
	return "-----BEGIN SSH SIGNATURE-----\n" + base64.StdEncoding.EncodeToString(blob) + "\n-----END SSH SIGNATURE-----\n"
}
