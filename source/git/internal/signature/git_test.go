package signature

import (
	"bytes"
	"compress/zlib"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A gitRig is a repository, a GnuPG home and allowed signers, which git verifies with.
type gitRig struct {
	testing.TB
	dir, repo, home, allowed string
}

// newGitRig is in a folder with a short path: the agent's socket must not have a long one.
func newGitRig(t testing.TB, tools ...string) *gitRig {
	t.Helper()
	for _, tool := range append(tools, "git") {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir, err := os.MkdirTemp("", "sig")
	mustBeNil(t, err)
	r := &gitRig{t, dir, filepath.Join(dir, "r"), filepath.Join(dir, "g"), filepath.Join(dir, "allowed")}
	mustBeNil(t, os.Mkdir(r.home, 0o700))
	t.Cleanup(func() {
		if _, err := exec.LookPath("gpgconf"); err == nil {
			r.try("", "gpgconf", "--kill", "all")
		}
		mustBeNil(t, os.RemoveAll(dir))
	})
	mustBeNil(t, os.WriteFile(r.allowed, nil, 0o600))
	r.run("", "git", "init", "-q", "-b", "main", r.repo)
	r.git("config", "gpg.ssh.allowedSignersFile", r.allowed)
	r.git("config", "user.name", "Committer")
	r.git("config", "user.email", "committer@example.com")
	return r
}

func mustBeNil(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *gitRig) try(input, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(r.Context(), name, args...)
	if r.Context().Err() != nil { // in a cleanup
		cmd = exec.Command(name, args...)
	}
	cmd.Dir, cmd.Stdin = r.dir, strings.NewReader(input)
	cmd.Env = append(os.Environ(), "HOME="+r.dir, "GNUPGHOME="+r.home, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"LC_ALL=C", "TZ=UTC")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = errors.Join(err, errors.New(stderr.String()))
	}
	return string(out), err
}

func (r *gitRig) run(input, name string, args ...string) string {
	r.Helper()
	out, err := r.try(input, name, args...)
	if err != nil {
		r.Fatalf("%s %v: %v", name, args, err)
	}
	return out
}

func (r *gitRig) git(args ...string) string {
	r.Helper()
	return r.run("", "git", append([]string{"-C", r.repo}, args...)...)
}

// store writes a loose object, whatever is in it.
func (r *gitRig) store(kind object.Kind, body []byte) string {
	r.Helper()
	hash, err := object.NewHasher().Sum(kind, body)
	mustBeNil(r, err)
	name := hash.String()
	path := filepath.Join(r.repo, ".git", "objects", name[:2], name[2:])
	mustBeNil(r, os.MkdirAll(filepath.Dir(path), 0o755))
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, err = w.Write(append([]byte(kind.String()+" "+itoa(len(body))+"\x00"), body...))
	mustBeNil(r, errors.Join(err, w.Close()))
	if _, err := os.Stat(path); err == nil {
		return name
	}
	mustBeNil(r, os.WriteFile(path, out.Bytes(), 0o644))
	return name
}

// verdict is git's: nil is good.
func (r *gitRig) verdict(kind object.Kind, body []byte) error {
	r.Helper()
	_, err := r.try("", "git", "-C", r.repo, "verify-"+kind.String(), r.store(kind, body))
	return err
}

// keyring has all keys of the GnuPG home and the allowed signers.
func (r *gitRig) keyring() *Keyring {
	r.Helper()
	var pgp [][]byte
	if _, err := exec.LookPath("gpg"); err == nil {
		if out := r.run("", "gpg", "--batch", "--export"); out != "" {
			pgp = append(pgp, []byte(out))
		}
	}
	lines, err := os.ReadFile(r.allowed)
	mustBeNil(r, err)
	k, err := NewKeyring(pgp, lines)
	mustBeNil(r, err)
	return k
}

// ours is the verdict of this package. A tag is asked for by the name that it has.
func ours(k *Keyring, kind object.Kind, body []byte) (source.Signature, error) {
	if kind == object.Commit {
		return k.VerifyCommit(body, time.Now())
	}
	target, err := object.TargetOf(body)
	if err != nil {
		return source.Signature{}, err
	}
	signed, _, err := k.VerifyTag(body, target.Name, time.Now())
	return signed, err
}

// same holds both verdicts against each other.
func (r *gitRig) same(name string, k *Keyring, kind object.Kind, body []byte, want error) {
	r.Helper()
	git := r.verdict(kind, body)
	signed, err := ours(k, kind, body)
	if (git == nil) != (err == nil) {
		r.Errorf("%s: git says %v; here it is %v\n%q", name, git, err, body)
	}
	switch {
	case want == nil && (err != nil || signed.Signer == "" || signed.Key == ""):
		r.Errorf("%s: got %+v, %v", name, signed, err)
	case want != nil && (!errors.Is(err, want) || !errors.Is(err, source.ErrUnverified)):
		r.Errorf("%s: got %v, want %v", name, err, want)
	}
}

const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// person is of a day on which all keys are valid that have no other times.
const person = "Committer <committer@example.com> 1700000000 +0100"

// plainCommit is what gets signed: headers, perhaps further ones, and a message.
func plainCommit(headers, message string) string {
	return "tree " + emptyTree + "\nauthor " + person + "\ncommitter " + person + "\n" + headers + "\n" + message
}

func plainTag(name, target, message string) string {
	return "object " + target + "\ntype commit\ntag " + name + "\ntagger " + person + "\n\n" + message
}

// signedCommit puts a signature where git puts it: behind the other headers.
func signedCommit(payload, signature string) []byte {
	head, message, _ := strings.Cut(payload, "\n\n")
	return []byte(head + "\n" + header("gpgsig", signature) + "\n" + message)
}

// header is a header of several lines.
func header(name, value string) string {
	return name + " " + strings.ReplaceAll(strings.TrimSuffix(value, "\n"), "\n", "\n ") + "\n"
}
