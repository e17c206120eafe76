package git_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"golang.org/x/crypto/ssh"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A signing puts an armored signature of a payload into words; nil leaves it unsigned.
type signing func(payload string) string

// signature makes one as ssh-keygen -Y sign -n git does.
func (k authenticKey) signature(payload string) string {
	sum := sha512.Sum512([]byte(payload))
	message := append([]byte("SSHSIG"), ssh.Marshal(struct{ Namespace, Reserved, Hash, Sum string }{
		"git", "", "sha512", string(sum[:]),
	})...)
	made, err := k.signer.Sign(rand.Reader, message)
	if err != nil {
		k.Fatal(err)
	}
	blob := append([]byte("SSHSIG"), ssh.Marshal(struct {
		Version                              uint32
		Key, Namespace, Reserved, Hash, Sign string
	}{1, string(k.signer.PublicKey().Marshal()), "git", "", "sha512", string(ssh.Marshal(made))})...)
	return "-----BEGIN SSH SIGNATURE-----\n" + base64.StdEncoding.EncodeToString(blob) + "\n-----END SSH SIGNATURE-----\n"
}

// fingerprint is the key's, as signatures have it.
func (k authenticKey) fingerprint() string { return ssh.FingerprintSHA256(k.signer.PublicKey()) }

// A pgpKey is a key pair of OpenPGP.
type pgpKey struct {
	testing.TB
	*openpgp.Entity
}

func newPGPKey(t testing.TB) pgpKey {
	t.Helper()
	e, err := openpgp.NewEntity("Ann", "", "ann@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	return pgpKey{t, e}
}

func (k pgpKey) signature(payload string) string {
	var out bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&out, k.Entity, strings.NewReader(payload), nil); err != nil {
		k.Fatal(err)
	}
	return out.String() + "\n"
}

func (k pgpKey) public() []byte {
	var out bytes.Buffer
	if err := k.Serialize(&out); err != nil {
		k.Fatal(err)
	}
	return out.Bytes()
}

// storeObject has git keep an object as it is.
func storeObject(t *testing.T, repo *testbed.Repository, kind, body string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), kind)
	must(t, os.WriteFile(file, []byte(body), 0o600))
	return run(t, repo, "hash-object", "-w", "-t", kind, file)
}

// signCommit puts a signature into the commit that a branch has, and returns its new hash.
func signCommit(t *testing.T, repo *testbed.Repository, branch string, sign signing) string {
	t.Helper()
	payload := run(t, repo, "cat-file", "commit", branch)
	head, message, _ := strings.Cut(payload, "\n\n")
	header := "gpgsig " + strings.ReplaceAll(strings.TrimSuffix(sign(payload), "\n"), "\n", "\n ")
	hash := storeObject(t, repo, "commit", head+"\n"+header+"\n\n"+message)
	run(t, repo, "update-ref", "refs/heads/"+branch, hash)
	return hash
}

// makeTag makes an annotated tag of any object, and returns its hash.
func makeTag(t *testing.T, repo *testbed.Repository, name, target string, sign signing) string {
	t.Helper()
	payload := fmt.Sprintf("object %s\ntype %s\ntag %s\ntagger Ann <ann@example.com> 1700000000 +0000\n\nmessage\n",
		target, run(t, repo, "cat-file", "-t", target), name)
	if sign != nil {
		payload += sign(payload)
	}
	hash := storeObject(t, repo, "tag", payload)
	run(t, repo, "update-ref", "refs/tags/"+name, hash)
	return hash
}

// A signedRepo is a repository with all that may be signed or not, by a key that is trusted and by another.
type signedRepo struct {
	*testbed.Repository
	key, other authenticKey
	objects    map[string]string // hashes by the names of branches and tags
}

func newSignedRepo(t *testing.T, opts testbed.GitOptions) *signedRepo {
	t.Helper()
	r := &signedRepo{testbed.GitWith(t, opts), authKey(t), authKey(t), make(map[string]string)}
	for branch, sign := range map[string]signing{
		"main": r.key.signature, "other": r.other.signature, "unsigned": nil,
		"changed": func(payload string) string { return r.key.signature(payload + "x") },
	} {
		large := make([]byte, 100_000) // which nothing compresses
		_, _ = rand.Read(large)
		files := map[string][]byte{"branch": []byte(branch), "apps/large": large}
		hash, err := r.CommitTo(t.Context(), branch, files)
		must(t, err)
		if sign != nil {
			hash = signCommit(t, r.Repository, branch, sign)
		}
		r.objects[branch] = hash
	}
	tag := func(name, target string, sign signing) {
		r.objects[name] = makeTag(t, r.Repository, name, r.objects[target], sign)
	}
	tag("v1.0.0", "main", r.key.signature)
	tag("plain", "main", nil)
	tag("strange", "main", r.other.signature)
	tag("bold", "unsigned", r.key.signature) // of an unsigned commit
	tag("outer", "plain", r.key.signature)   // of an unsigned tag
	tag("wrapped", "v1.0.0", nil)            // of a signed tag
	r.objects["blob"] = makeTag(t, r.Repository, "blob", run(t, r.Repository, "rev-parse", "main:branch"), r.key.signature)
	run(t, r.Repository, "update-ref", "refs/tags/light", r.objects["main"])
	run(t, r.Repository, "update-ref", "refs/tags/v2.0.0", r.objects["v1.0.0"])
	return r
}

// verification is by the trusted key.
func (r *signedRepo) verification(what string) git.Verification {
	return git.Verification{Commit: strings.Contains(what, "commit"), Tag: strings.Contains(what, "tag"),
		SSH: []byte("ann@example.com " + r.key.line() + "\n")}
}

// signed is what a snapshot says of a signature by the trusted key.
func (r *signedRepo) signed(kind object.Kind, name string) source.Signature {
	s := source.Signature{Kind: kind.String(), Hash: r.objects[name], Format: "ssh",
		Key: r.key.fingerprint(), Signer: "ann@example.com"}
	if kind == object.Tag {
		s.Tag = name
	}
	return s
}
