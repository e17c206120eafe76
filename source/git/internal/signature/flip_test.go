package signature

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// flip changes every byte of an object, in five ways by turns, and holds our verdict against git's. From strict on, which is
// behind what the armor of the signature encodes, both ssh-keygen and gpg overlook nearly everything, and we nothing.
func (r *gitRig) flip(keys *Keyring, kind object.Kind, body []byte, strict int) {
	r.Helper()
	r.same("unchanged", keys, kind, body, nil)
	good := 0
	step := 1
	if kind == object.Tag {
		step = 3 // most of a tag is read as a commit is
	}
	for i := 0; i < len(body); i += step {
		changed := bytes.Clone(body)
		changed[i] ^= []byte{0x01, 0x20, 0x80, 0x04, 0x02}[i%5]
		git := r.verdict(kind, changed)
		signed, err := ours(keys, kind, changed)
		if err == nil {
			good++
		}
		if (git == nil) != (err == nil) && (err == nil || i < strict) {
			r.Errorf("byte %d, %q for %q: git says %v; here it is %+v, %v\n%s", i, changed[i], body[i], git, signed, err, changed)
		}
	}
	r.Logf("%s: %d of %d changes leave it good", kind, good, len(body)/step)
}

func TestEveryChangedByteIsJudgedAsByGit(t *testing.T) {
	target := strings.Repeat("ab", 20)
	t.Run("openpgp", func(t *testing.T) {
		t.Parallel()
		r := newGitRig(t, "gpg")
		key := r.newKey("", "Alice <alice@example.com>", "ed25519", "sign", "never")
		payload := plainCommit("", "m\n")
		body := signedCommit(payload, r.signPGP("", key, payload))
		r.flip(r.keyring(), object.Commit, body, bytes.LastIndex(body, []byte("\n =")))
		payload = plainTag("v1", target, "m\n")
		body = []byte(payload + r.signPGP("", key, payload))
		r.flip(r.keyring(), object.Tag, body, bytes.LastIndex(body, []byte("\n=")))
	})
	t.Run("ssh", func(t *testing.T) {
		t.Parallel()
		r := newGitRig(t, "ssh-keygen")
		file, key := r.newSSHKey("alice", "-t", "ed25519")
		r.allow("alice " + key)
		payload := plainCommit("", "m\n")
		body := signedCommit(payload, r.signSSH(file, payload))
		r.flip(r.keyring(), object.Commit, body, len(body))
		payload = plainTag("v1", target, "m\n")
		body = []byte(payload + r.signSSH(file, payload))
		r.flip(r.keyring(), object.Tag, body, len(body)-1)
	})
}
