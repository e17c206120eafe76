package git_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// Who has made a Source may wipe its copy of the keys.
func TestOptionsMayBeWiped(t *testing.T) {
	key := authKey(t)
	repo := testbed.GitWith(t, testbed.GitOptions{User: "reader", AuthorizedKeys: key.public()})
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	opts := git.Options{PrivateKey: key.private("hunter2"), Passphrase: []byte("hunter2"), KnownHosts: repo.KnownHosts(),
		Paths: []string{"a"}}
	before := bytes.Clone(opts.KnownHosts)
	s := newSource(t, strings.Replace(repo.SSHURL(), "//", "//reader@", 1), opts)
	clear(opts.PrivateKey)
	clear(opts.Passphrase)
	clear(opts.Paths)
	if !bytes.Equal(opts.KnownHosts, before) {
		t.Error("the options were changed")
	}
	if got := fetch(t, s, source.Revision{}).Revision.Digest.Encoded(); got != hash {
		t.Errorf("got %s, want %s", got, hash)
	}
}

// What was verified stays what it is, whatever somebody does with another snapshot of the same commit.
func TestSignaturesAreEachSnapshotsOwn(t *testing.T) {
	r := newSignedRepo(t, testbed.GitOptions{})
	s := newSource(t, r.URL(), git.Options{Branch: "main", Verify: r.verification("commit")})
	fetch(t, s, source.Revision{}).Signatures[0].Signer = "somebody else"
	if got, want := fetch(t, s, source.Revision{}).Signatures[0], fetch(t, newSource(t, r.URL(),
		git.Options{Branch: "main", Verify: r.verification("commit")}), source.Revision{}).Signatures[0]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
