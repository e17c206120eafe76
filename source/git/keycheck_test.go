package git_test

import (
	"encoding/pem"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gitopskit/gitopskit/source/git"
)

func TestKeysAreCheckedByNew(t *testing.T) {
	key := authKey(t)
	encrypted, err := ssh.MarshalPrivateKeyWithPassphrase(key.key, "", []byte("right"))
	must(t, err)
	open, err := ssh.MarshalPrivateKey(key.key, "")
	must(t, err)
	locked, plain := pem.EncodeToMemory(encrypted), pem.EncodeToMemory(open)
	hosts := []byte("example.com " + authKey(t).line() + "\n")
	const overSSH, overHTTP = "git@example.com:a.git", "https://example.com/a.git"
	for name, tt := range map[string]struct {
		url  string
		opts git.Options
		text string // empty: it is right
	}{
		"plain":           {overSSH, git.Options{PrivateKey: plain}, ""},
		"locked":          {overSSH, git.Options{PrivateKey: locked, Passphrase: []byte("right")}, ""},
		"wrong":           {overSSH, git.Options{PrivateKey: locked, Passphrase: []byte("hunter2")}, "Options.Passphrase does not open"},
		"no passphrase":   {overSSH, git.Options{PrivateKey: locked}, "Options.Passphrase is empty"},
		"no PEM":          {overSSH, git.Options{PrivateKey: []byte("/etc/hunter2")}, "Options.PrivateKey is not PEM"},
		"no key":          {overSSH, git.Options{Passphrase: []byte("hunter2")}, "PrivateKey, which is empty"},
		"token":           {overSSH, git.Options{Token: "hunter2"}, "Options.Token is for HTTP"},
		"key over HTTP":   {overHTTP, git.Options{PrivateKey: plain}, "are for SSH, and the URL's scheme is https"},
		"agent over HTTP": {overHTTP, git.Options{SSHAgent: true}, "are for SSH"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.url == overSSH {
				tt.opts.KnownHosts = hosts
			}
			_, err := git.New(tt.url, tt.opts)
			if tt.text == "" {
				must(t, err)
				return
			}
			checkError(t, err, nil, tt.text)
		})
	}
}
