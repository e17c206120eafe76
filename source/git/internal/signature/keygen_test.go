package signature

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// newSSHKey makes a key pair and returns the private file and the public line.
func (r *gitRig) newSSHKey(name string, args ...string) (file, public string) {
	r.Helper()
	file = filepath.Join(r.dir, name)
	r.run("", "ssh-keygen", append([]string{"-q", "-N", "", "-C", name + "'s key", "-f", file}, args...)...)
	line, err := os.ReadFile(file + ".pub")
	mustBeNil(r, err)
	return file, strings.TrimSpace(string(line))
}

func (r *gitRig) signSSH(file, payload string, args ...string) string {
	r.Helper()
	return r.run(payload, "ssh-keygen", append([]string{"-Y", "sign", "-f", file}, append(args, "-n", "git")...)...)
}

func (r *gitRig) allow(lines ...string) {
	r.Helper()
	mustBeNil(r, os.WriteFile(r.allowed, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
}

func TestSSHVerdictsAreGits(t *testing.T) {
	r := newGitRig(t, "ssh-keygen")
	payload := plainCommit("", "message\n") // of 2023-11-14 22:13:20 UTC
	file, key := r.newSSHKey("alice", "-t", "ed25519")
	_, other := r.newSSHKey("other", "-t", "ed25519")
	good := r.signSSH(file, payload)
	for name, tt := range map[string]struct {
		lines     []string
		signature string
		want      error
	}{
		"plain":                      {[]string{"# keys", "", "alice@example.com " + key}, good, nil},
		"second line":                {[]string{"bob " + other, "alice " + key}, good, nil},
		"patterns":                   {[]string{"*@example.com,!eve@example.com " + key}, good, nil},
		"quoted principal":           {[]string{`"alice@example.com" ` + key}, good, nil},
		"tabs":                       {[]string{"\talice\t" + key}, good, nil},
		"SHA-256":                    {[]string{"alice " + key}, r.signSSH(file, payload, "-O", "hashalg=sha256"), nil},
		"not allowed":                {[]string{"bob " + other}, good, source.ErrUnknownKey},
		"other content":              {[]string{"alice " + key}, r.signSSH(file, payload+"x"), source.ErrBadSignature},
		"other namespace":            {[]string{"alice " + key}, r.run(payload, "ssh-keygen", "-Y", "sign", "-f", file, "-n", "file"), source.ErrBadSignature},
		"namespaces":                 {[]string{`alice namespaces="file,git" ` + key}, good, nil},
		"namespace pattern":          {[]string{`alice namespaces="g?t*" ` + key}, good, nil},
		"other namespaces":           {[]string{`alice namespaces="file" ` + key}, good, source.ErrUnknownKey},
		"excluded namespace":         {[]string{`alice namespaces="*,!git" ` + key}, good, source.ErrUnknownKey},
		"namespaces, then none":      {[]string{`alice namespaces="file" ` + key, "alice " + key}, good, nil},
		"upper case option":          {[]string{`alice NAMESPACES="git" ` + key}, good, nil},
		"valid after":                {[]string{`alice valid-after="20231114Z" ` + key}, good, nil},
		"valid after that second":    {[]string{`alice valid-after="20231114221320Z" ` + key}, good, nil},
		"not valid yet":              {[]string{`alice valid-after="20231114221321Z" ` + key}, good, source.ErrExpiredKey},
		"valid before":               {[]string{`alice valid-before="20231115Z" ` + key}, good, nil},
		"valid to that second":       {[]string{`alice valid-before="20231114221320Z" ` + key}, good, nil},
		"no longer valid":            {[]string{`alice valid-before="20231114221319Z" ` + key}, good, source.ErrExpiredKey},
		"valid in between":           {[]string{`alice valid-after="202311142213Z",valid-before="202311142214Z" ` + key}, good, nil},
		"all options":                {[]string{`alice namespaces="git",valid-after="20200101",valid-before="20300101" ` + key + " my comment"}, good, nil},
		"two spans":                  {[]string{`alice valid-before="20200101Z" ` + key, `alice valid-after="20230101Z" ` + key}, good, nil},
		"namespaces, then another":   {[]string{`alice namespaces="file" ` + key, "bob " + key}, good, source.ErrUnknownKey},
		"namespaces, then a pattern": {[]string{`alice,bob namespaces="file" ` + key, "b* " + key}, good, nil},
		"nobody":                     {[]string{"!alice " + key}, good, source.ErrUnknownKey},
		"slashes":                    {[]string{`a/b/c namespaces="file" ` + key, "a*c " + key}, good, nil},
		"expired, then another":      {[]string{`alice valid-before="20200101Z" ` + key, "bob " + key}, good, nil},
		"no lines":                   {[]string{"bob " + other, "#alice " + key}, good, source.ErrUnknownKey},
		"cut":                        {[]string{"alice " + key}, good[:len(good)/2], source.ErrBadSignature},
		"no end":                     {[]string{"alice " + key}, strings.Replace(good, "-----END SSH", "-----end SSH", 1), source.ErrBadSignature},
		"in one line":                {[]string{"alice " + key}, oneLine(good), nil},
	} {
		r.allow(tt.lines...)
		r.same(name, r.keyring(), object.Commit, signedCommit(payload, tt.signature), tt.want)
	}
}

// oneLine puts what is encoded into one line with a space in it.
func oneLine(armored string) string {
	lines := strings.Split(strings.TrimSpace(armored), "\n")
	last := len(lines) - 1
	return lines[0] + "\n" + lines[1] + " " + strings.Join(lines[2:last], "") + "\n" + lines[last] + "\n"
}

func TestSSHKeyTypesAreGits(t *testing.T) {
	r := newGitRig(t, "ssh-keygen")
	payload := plainCommit("", "message\n")
	for _, args := range [][]string{
		{"-t", "ed25519"}, {"-t", "ecdsa", "-b", "256"}, {"-t", "ecdsa", "-b", "384"}, {"-t", "ecdsa", "-b", "521"}, {"-t", "rsa", "-b", "2048"},
	} {
		name := strings.Join(args, "")
		file, key := r.newSSHKey(name, args...)
		r.allow("alice " + key)
		for _, hash := range []string{"sha256", "sha512"} {
			r.same(name, r.keyring(), object.Commit, signedCommit(payload, r.signSSH(file, payload, "-O", "hashalg="+hash)), nil)
		}
		r.same(name, r.keyring(), object.Commit, signedCommit(payload+"x", r.signSSH(file, payload)), source.ErrBadSignature)
	}
	file, _ := r.newSSHKey("small", "-t", "rsa", "-b", "1024")
	if _, err := ours(r.keyring(), object.Commit, signedCommit(payload, r.signSSH(file, payload))); err == nil {
		t.Error("an RSA key of 1024 bits is taken")
	}
}

// A signature by a certificate's key is not one by the key that was certified.
func TestSSHCertificatesAreRefused(t *testing.T) {
	r := newGitRig(t, "ssh-keygen")
	payload := plainCommit("", "message\n")
	ca, authority := r.newSSHKey("ca", "-t", "ed25519")
	file, key := r.newSSHKey("alice", "-t", "ed25519")
	r.run("", "ssh-keygen", "-q", "-s", ca, "-I", "alice", "-n", "alice", file+".pub")
	signature := r.signSSH(file+"-cert.pub", payload)
	r.allow("alice " + key)
	if signed, err := ours(r.keyring(), object.Commit, signedCommit(payload, signature)); err == nil {
		t.Errorf("got %+v", signed)
	}
	if _, err := NewKeyring(nil, fmt.Appendf(nil, "alice cert-authority %s\n", authority)); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("got %v", err)
	}
}
