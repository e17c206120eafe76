package signature

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

func itoa(n int) string { return strconv.Itoa(n) }

// gpg runs it at a time of its own: "" is now, and "20200101" a day.
func (r *gitRig) gpg(day, input string, args ...string) string {
	r.Helper()
	all := []string{"--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""}
	if day != "" {
		all = append(all, "--faked-system-time", day+"T000000!")
	}
	return r.run(input, "gpg", append(all, args...)...)
}

// newKey makes a key and returns its fingerprint.
func (r *gitRig) newKey(day, user, algorithm, usage, expires string) string {
	r.Helper()
	r.gpg(day, "", "--quick-generate-key", user, algorithm, usage, expires)
	return r.fingerprints(user)[0]
}

// fingerprints are those of a key and its subkeys.
func (r *gitRig) fingerprints(user string) []string {
	r.Helper()
	var all []string
	for line := range strings.Lines(r.gpg("", "", "--with-colons", "--list-keys", user)) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			all = append(all, fields[9])
		}
	}
	return all
}

// signPGP signs with the key or subkey of a fingerprint.
func (r *gitRig) signPGP(day, key, payload string, args ...string) string {
	r.Helper()
	return r.gpg(day, payload, append([]string{"-u", key + "!", "--armor", "--detach-sign"}, args...)...)
}

func (r *gitRig) edit(key, commands string) {
	r.Helper()
	r.run(commands, "gpg", "--no-tty", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", "--status-fd", "2",
		"--command-fd", "0", "--edit-key", key)
}

func TestOpenPGPVerdictsAreGits(t *testing.T) {
	r := newGitRig(t, "gpg")
	never := "never"
	payload := plainCommit("", "message\n")
	type signing struct {
		signature string
		want      error
	}
	all := make(map[string]signing)

	for name, algorithm := range map[string]string{"ed25519": "ed25519", "RSA": "rsa2048", "ECDSA": "nistp384"} {
		key := r.newKey("", name+" <key@example.com>", algorithm, "sign", never)
		all[name] = signing{r.signPGP("", key, payload), nil}
	}
	alice := r.newKey("20200101", "Alice <alice@example.com>", "ed25519", "cert", never)
	r.gpg("20200101", "", "--quick-add-key", alice, "ed25519", "sign", never)
	r.gpg("20200101", "", "--quick-add-key", alice, "ed25519", "sign", "1y")
	r.gpg("20200101", "", "--quick-add-key", alice, "ed25519", "sign", never)
	subkeys := r.fingerprints(alice)[1:]
	all["subkey"] = signing{r.signPGP("", subkeys[0], payload), nil}
	all["expired subkey"] = signing{r.signPGP("20200301", subkeys[1], payload), source.ErrExpiredKey}
	all["revoked subkey"] = signing{r.signPGP("20200301", subkeys[2], payload), source.ErrRevokedKey}
	r.edit(alice, "key 3\nrevkey\ny\n0\n\ny\nsave\n")

	expired := r.newKey("20200101", "Expired <key@example.com>", "ed25519", "sign", "1y")
	all["expired key"] = signing{r.signPGP("20200301", expired, payload), source.ErrExpiredKey}
	revoked := r.newKey("20200101", "Revoked <key@example.com>", "ed25519", "sign", never)
	all["revoked key"] = signing{r.signPGP("20200301", revoked, payload), source.ErrRevokedKey}
	certificate, err := os.ReadFile(filepath.Join(r.home, "openpgp-revocs.d", revoked+".rev"))
	mustBeNil(t, err)
	r.gpg("", strings.Replace(string(certificate), ":-----", "-----", 1), "--import")

	prolonged := r.newKey("20200101", "Prolonged <key@example.com>", "ed25519", "sign", "1y")
	all["prolonged key"] = signing{r.signPGP("20200301", prolonged, payload), nil}
	r.gpg("20200401", "", "--quick-set-expire", prolonged, "30y")

	key := r.newKey("20200101", "Others <key@example.com>", "ed25519", "sign", never)
	all["expired signature"] = signing{r.signPGP("20200301", key, payload, "--default-sig-expire", "1d"), source.ErrExpiredKey}
	all["a time to come"] = signing{r.signPGP("20600301", key, payload), nil}
	future := r.newKey("20600101", "Future <key@example.com>", "ed25519", "sign", never)
	all["a key of a time to come"] = signing{r.signPGP("20600301", future, payload), source.ErrExpiredKey}
	all["text"] = signing{r.signPGP("", key, payload, "--textmode"), nil}
	all["comment and version"] = signing{r.signPGP("", key, payload, "--comment", "hello", "--emit-version"), nil}
	all["notation"] = signing{r.signPGP("", key, payload, "--sig-notation", "a@example.com=b"), nil}
	all["critical notation"] = signing{r.signPGP("", key, payload, "--sig-notation", "!a@example.com=b"), source.ErrBadSignature}
	all["of something else"] = signing{r.signPGP("", key, payload+"x"), source.ErrBadSignature}
	both := r.gpg("", payload, "-u", key, "-u", prolonged, "--armor", "--detach-sign")
	all["two signatures"] = signing{both, source.ErrBadSignature}
	all["clear-signed"] = signing{r.gpg("", payload, "-u", key, "--armor", "--sign"), source.ErrBadSignature}
	all["empty"] = signing{"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n", source.ErrBadSignature}
	gone := r.newKey("", "Gone <key@example.com>", "ed25519", "sign", never)
	all["unknown key"] = signing{r.signPGP("", gone, payload), source.ErrUnknownKey}
	r.gpg("", "", "--delete-secret-and-public-key", gone)

	renamed := r.newKey("", "Old Name <key@example.com>", "ed25519", "sign", never)
	all["revoked user ID"] = signing{r.signPGP("", renamed, payload), nil}
	r.gpg("", "", "--quick-add-uid", renamed, "New Name <key@example.com>")
	r.gpg("", "", "--quick-revoke-uid", renamed, "Old Name <key@example.com>")

	keys := r.keyring()
	for name, s := range all {
		r.same(name, keys, object.Commit, signedCommit(payload, s.signature), s.want)
	}
	signed, err := keys.VerifyCommit(signedCommit(payload, all["revoked user ID"].signature), time.Now())
	if err != nil || signed.Signer != "New Name <key@example.com>" || signed.Key != renamed {
		t.Errorf("got %+v, %v", signed, err)
	}
	signed, err = keys.VerifyCommit(signedCommit(payload, all["subkey"].signature), time.Now())
	if err != nil || signed.Key != subkeys[0] || signed.Primary != alice || signed.Format != "openpgp" || signed.Kind != "commit" {
		t.Errorf("got %+v, %v", signed, err)
	}
}

// What gpg takes, and is too weak to be taken here.
func TestWeakOpenPGPSignaturesAreRefused(t *testing.T) {
	r := newGitRig(t, "gpg")
	payload := plainCommit("", "message\n")
	key := r.newKey("", "Alice <alice@example.com>", "ed25519", "sign", "never")
	small := r.newKey("", "Small <small@example.com>", "rsa1024", "sign", "never")
	for name, signature := range map[string]string{
		"SHA-1": r.signPGP("", key, payload, "--digest-algo", "SHA1"),
		"RSA":   r.signPGP("", small, payload),
	} {
		body := signedCommit(payload, signature)
		if err := r.verdict(object.Commit, body); err != nil {
			t.Logf("%s: git refuses it, too: %v", name, err)
		}
		if _, err := r.keyring().VerifyCommit(body, time.Now()); !errors.Is(err, source.ErrWeakSignature) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
