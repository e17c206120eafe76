package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gitopskit/gitopskit/source"
)

func TestSSHSignatures(t *testing.T) {
	payload := plainCommit("", "planted\n")
	alice, stranger, small := newEd25519(t), newEd25519(t), newRSA(t, 1024)
	big, curve := newRSA(t, 2048), newECDSA(t)
	keys := keyringOf(t, nil, "alice@example.com "+alice.line()+"\nbig "+big.line()+"\n"+curve.line()+" the curve\n")
	for name, tt := range map[string]struct {
		key  madeSSH
		opts sshOptions
		want error
	}{
		"good":             {alice, sshOptions{}, nil},
		"SHA-256":          {alice, sshOptions{hash: "sha256"}, nil},
		"RSA":              {big, sshOptions{}, nil},
		"RSA with SHA-256": {big, sshOptions{format: ssh.KeyAlgoRSASHA256}, nil},
		"ECDSA":            {curve, sshOptions{}, nil},
		"RSA with SHA-1":   {big, sshOptions{format: ssh.KeyAlgoRSA}, source.ErrBadSignature},
		"small RSA":        {small, sshOptions{}, source.ErrBadSignature},
		"stranger":         {stranger, sshOptions{}, source.ErrUnknownKey},
		"for files":        {alice, sshOptions{namespace: "file"}, source.ErrBadSignature},
		"longer namespace": {alice, sshOptions{namespace: "git\x00"}, source.ErrBadSignature},
		"SHA-1":            {alice, sshOptions{hash: "sha1"}, source.ErrBadSignature},
		"other magic":      {alice, sshOptions{magic: "SSHSIH"}, source.ErrBadSignature},
		"other version":    {alice, sshOptions{version: 1}, source.ErrBadSignature},
		"something behind": {alice, sshOptions{rest: "x"}, source.ErrBadSignature},
	} {
		signed := judge(t, name, keys, signedCommit(payload, armorSSH(tt.key.blob(t, payload, tt.opts))), tt.want)
		if tt.want != nil {
			continue
		}
		if signed.Format != "ssh" || signed.Key != ssh.FingerprintSHA256(tt.key.signer.PublicKey()) || signed.Primary != "" || signed.Signer == "" {
			t.Errorf("%s: got %+v", name, signed)
		}
		judge(t, name, keys, signedCommit(payload, armorSSH(tt.key.blob(t, payload+"x", tt.opts))), source.ErrBadSignature)
		judge(t, name, keys, signedCommit(payload, armorSSH(append(tt.key.blob(t, payload, tt.opts), 0))), source.ErrBadSignature)
	}
}

func TestOtherNamespacesAreNamed(t *testing.T) {
	blob := newEd25519(t).blob(t, "x", sshOptions{namespace: "file"})
	if _, err := parseSSHSignature(blob); err == nil || !strings.Contains(err.Error(), "namespace") {
		t.Errorf("got %v", err)
	}
}

// Another key's name in a good signature is not that key's signature.
func TestSSHSignatureWithTheKeyOfAnother(t *testing.T) {
	payload := plainCommit("", "planted\n")
	alice, mallory := newEd25519(t), newEd25519(t)
	blob := mallory.blob(t, payload, sshOptions{})
	blob = bytes.Replace(blob, mallory.signer.PublicKey().Marshal(), alice.signer.PublicKey().Marshal(), 1)
	judge(t, "", keyringOf(t, nil, alice.line()), signedCommit(payload, armorSSH(blob)), source.ErrBadSignature)
}

// That a key is not valid at a time is told of signatures that it made, and of no others.
func TestSSHSignatureIsRightBeforeItsKeyIsLate(t *testing.T) {
	payload := plainCommit("", "planted\n")
	alice := newEd25519(t)
	keys := keyringOf(t, nil, `alice valid-before="20200101Z" `+alice.line())
	judge(t, "right", keys, signedCommit(payload, armorSSH(alice.blob(t, payload, sshOptions{}))), source.ErrExpiredKey)
	judge(t, "wrong", keys, signedCommit(payload, armorSSH(alice.blob(t, payload+"x", sshOptions{}))), source.ErrBadSignature)
}

// newHardware is a key as on a FIDO token: PROTOCOL.u2f of OpenSSH says what it signs. Flag 1 is that it was touched.
func newHardware(t testing.TB, flags byte) madeSSH {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	mustBeNil(t, err)
	key, err := ssh.ParsePublicKey(ssh.Marshal(struct{ Type, Key, Application string }{ssh.KeyAlgoSKED25519, string(public), "ssh:"}))
	mustBeNil(t, err)
	m := newEd25519(t)
	m.signer = publicOnly{m.signer, key}
	m.sign = func(message []byte) *ssh.Signature {
		application, sum := sha256.Sum256([]byte("ssh:")), sha256.Sum256(message)
		flagged := binary.BigEndian.AppendUint32([]byte{flags}, 7)
		signed := append(append(application[:], flagged...), sum[:]...)
		return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(private, signed), Rest: flagged}
	}
	return m
}

type publicOnly struct {
	ssh.Signer
	key ssh.PublicKey
}

func (p publicOnly) PublicKey() ssh.PublicKey { return p.key }

func TestKeysOnHardwareHaveToBeTouched(t *testing.T) {
	payload := plainCommit("", "planted\n")
	for flags, want := range map[byte]error{0: source.ErrBadSignature, 1: nil, 5: nil} {
		m := newHardware(t, flags)
		judge(t, "", keyringOf(t, nil, "alice "+m.line()), signedCommit(payload, armorSSH(m.blob(t, payload, sshOptions{}))), want)
	}
}

func TestAllowedSigners(t *testing.T) {
	payload := plainCommit("", "planted\n") // of 2023-11-14 22:13:20 UTC
	alice, other := newEd25519(t), newEd25519(t)
	key := alice.line()
	body := signedCommit(payload, armorSSH(alice.blob(t, payload, sshOptions{})))
	for lines, tt := range map[string]struct {
		want   error
		signer string
	}{
		key:                                                    {nil, ""},
		key + " Alice's key\r\n":                               {nil, "Alice's key"},
		"a,b " + key + " ignored":                              {nil, "a,b"},
		`"a b" ` + key:                                         {nil, "a b"},
		"a " + other.line() + "\nb " + key:                     {nil, "b"},
		"# " + key + "\n\n\t" + other.line():                   {source.ErrUnknownKey, ""},
		`a namespaces="git" ` + key:                            {nil, "a"},
		`a namespaces="g\t" ` + key:                            {source.ErrUnknownKey, ""},
		`a namespaces="[g]it" ` + key:                          {source.ErrUnknownKey, ""},
		`a namespaces="" ` + key:                               {source.ErrUnknownKey, ""},
		`a namespaces="x,g*" ` + key:                           {nil, "a"},
		`a valid-before="20231114221319Z" ` + key:              {source.ErrExpiredKey, ""},
		`a valid-before="20231114221320utc" ` + key:            {nil, "a"},
		`a valid-after="20231114221321Z" ` + key:               {source.ErrExpiredKey, ""},
		`a valid-before="20200101Z" ` + key + "\nb " + key:     {nil, "b"},
		`a valid-after="20200101" ` + key + "\nb " + key:       {nil, "a"},
		`a valid-before="20200101Z",namespaces="git" ` + key:   {source.ErrExpiredKey, ""},
		`a namespaces="git" ` + other.line() + "\nb   " + key:  {nil, "b"},
		`a Valid-After="202001010000Z" ` + "\t" + key + "   x": {nil, "a"},
	} {
		signed := judge(t, lines, keyringOf(t, nil, lines), body, tt.want)
		if signed.Signer != tt.signer {
			t.Errorf("%q: got %q, want %q", lines, signed.Signer, tt.signer)
		}
	}
}

// Where the object has no date, it is judged by the time of today.
func TestAllowedSignersWithoutDate(t *testing.T) {
	payload := strings.ReplaceAll(plainCommit("", "planted\n"), " 1700000000 +0100", "")
	alice := newEd25519(t)
	body := signedCommit(payload, armorSSH(alice.blob(t, payload, sshOptions{})))
	judge(t, "", keyringOf(t, nil, `a valid-before="20251231Z" `+alice.line()), body, source.ErrExpiredKey)
	judge(t, "", keyringOf(t, nil, `a valid-before="20260102Z" `+alice.line()), body, nil)
}

func TestNewKeyringRefusesSSH(t *testing.T) {
	key := newEd25519(t).line()
	encoded := strings.Fields(key)[1]
	small := newRSA(t, 1024).line()
	for lines, text := range map[string]string{
		"":                                  "no keys",
		"# only\n\n":                        "no keys",
		"alice":                             "line 1: there is no key",
		key + "\nalice ssh-ed25519":         "line 2: its key",
		"alice ssh-ed25519 !" + encoded:     "base64",
		"alice ssh-ed25519 " + encoded[:40]: "malformed",
		"alice ssh-rsa " + encoded:          `not of the type "ssh-rsa"`,
		"alice ssh-dss " + encoded:          "no type that is supported", "ssh-dss " + encoded: "no type that is supported",
		"alice x ssh-dss " + encoded:                                  "not one of allowed_signers",
		"alice " + small:                                              "1024 bits",
		small:                                                         "1024 bits",
		"alice cert-authority " + key:                                 "certificates are not supported",
		"cert-authority " + key:                                       "starts with an option",
		"restrict " + key:                                             "starts with an option",
		`command="x",no-pty ` + key:                                   "starts with an option",
		`namespaces="git" ` + key:                                     "starts with an option",
		`from="*" ` + key:                                             "starts with an option",
		`alice namespaces="git ` + key:                                "quote",
		`alice namespaces=git ` + key:                                 "in quotes",
		`alice namespaces ` + key:                                     "not one of allowed_signers",
		`alice namespaces="git"x ` + key:                              "comma",
		`alice namespaces="git", ` + key:                              "comma",
		`alice namespaces="a",namespaces="git" ` + key:                "twice",
		`alice no-touch-required ` + key:                              "not one of allowed_signers",
		`alice valid-after="yesterday" ` + key:                        "not a time",
		`alice valid-after="20231332" ` + key:                         "not a time",
		`alice valid-after="2023" ` + key:                             "not a time",
		`alice valid-after="20230101",valid-before="20230101" ` + key: "not later",
		`"alice ` + key:                                               "quote",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA":                   "not a public key",
		"alice ssh-ed25519-cert-v01@openssh.com " + encoded:           "it is a certificate",
		"ssh-ed25519-cert-v01@openssh.com " + encoded + " alice":      "it is a certificate",
	} {
		if _, err := NewKeyring(nil, []byte(lines)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: got %v, want %q", lines, err, text)
		}
	}
}

// A time without Z is in the zone of the machine, for ssh-keygen and so for us.
func TestTimesOfAllowedSigners(t *testing.T) {
	for text, want := range map[string]time.Time{
		"20240229":        time.Date(2024, 2, 29, 0, 0, 0, 0, time.Local),
		"20240229Z":       time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"202402291314":    time.Date(2024, 2, 29, 13, 14, 0, 0, time.Local),
		"20240229131415z": time.Date(2024, 2, 29, 13, 14, 15, 0, time.UTC),
	} {
		if got, err := parseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		name, pattern string
		want          bool
	}{
		{"", "", true}, {"", "*", true}, {"", "?", false}, {"git", "git", true}, {"git", "Git", false}, {"git", "g*", true},
		{"git", "*t", true}, {"git", "g?t", true}, {"git", "g?", false}, {"git", "git*", true}, {"git", "*i*", true}, {"git", "gi", false},
		{"a/b/c", "a*c", true}, {"aXbXc", "*X*X*", true}, {"aXbc", "*X*X*", false}, {"[a]", "[a]", true}, {"a", "[a]", false},
		{`a\b`, `a\b`, true}, {strings.Repeat("a", 1000), strings.Repeat("a*", 500) + "b", false},
	} {
		if got := matches(tt.name, tt.pattern); got != tt.want {
			t.Errorf("%.20q, %.20q: got %v", tt.name, tt.pattern, got)
		}
	}
}

func FuzzSSHSignature(f *testing.F) {
	alice, big, touched := newEd25519(f), newRSA(f, 2048), newHardware(f, 1)
	payload := plainCommit("", "m")
	for _, m := range []madeSSH{alice, big, touched} {
		blob := m.blob(f, payload, sshOptions{})
		f.Add(blob)
		f.Add(blob[:len(blob)/2])
		f.Add(append(blob, 1))
		f.Add(m.blob(f, payload, sshOptions{hash: "sha1"}))
		f.Add(m.blob(f, payload+"x", sshOptions{hash: "sha256"}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		blob, err := parseSSHSignature(data)
		if err != nil {
			return
		}
		if blob.check([]byte(payload)) == nil && blob.check([]byte(payload+"x")) == nil {
			t.Error("one signature is of two contents")
		}
		// The armor does not change what is in it.
		text := armorSSH(data)
		if again, err := dearmor([]byte(text), sshSignature); err != nil || !bytes.Equal(again, data) {
			t.Errorf("got %q, %v", again, err)
		}
		keys := keyringOf(t, nil, alice.line())
		signed, err := keys.VerifyCommit(signedCommit(payload, text), today)
		if err == nil && signed.Key != ssh.FingerprintSHA256(alice.signer.PublicKey()) || err != nil && !errors.Is(err, source.ErrUnverified) {
			t.Errorf("got %+v, %v", signed, err)
		}
	})
}

func FuzzAllowedSigners(f *testing.F) {
	key := "ssh-ed25519 " + base64.StdEncoding.EncodeToString(newEd25519(f).signer.PublicKey().Marshal())
	f.Add("alice " + key)
	f.Add(`"a b" namespaces="git,file",valid-after="20200101",valid-before="20240229131415Z" ` + key + " comment")
	f.Add("# x\n\r\n" + key + "\n*@example.com,!eve " + key)
	f.Add(`a cert-authority,namespaces="x" ` + key)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := readAllowedSigners([]byte(text))
		for _, s := range all {
			if err != nil || len(s.key) == 0 || s.line < 1 {
				t.Errorf("got %+v, %v", s, err)
			}
		}
	})
}
