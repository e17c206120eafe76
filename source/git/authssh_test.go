package git_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// An authenticKey is a key pair of SSH, to log in with and to sign with.
type authenticKey struct {
	testing.TB
	key    ed25519.PrivateKey
	signer ssh.Signer
}

func authKey(t testing.TB) authenticKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return authenticKey{t, key, signer}
}

func (k authenticKey) public() []ssh.PublicKey { return []ssh.PublicKey{k.signer.PublicKey()} }

// line is the public key as files have it.
func (k authenticKey) line() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.signer.PublicKey())))
}

// private is PEM in OpenSSH's format.
func (k authenticKey) private(passphrase string) []byte {
	k.Helper()
	block, err := ssh.MarshalPrivateKey(k.key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(k.key, "", []byte(passphrase))
	}
	if err != nil {
		k.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

// serveAgent has SSH_AUTH_SOCK name an agent with these keys.
func serveAgent(t *testing.T, keys ...authenticKey) {
	t.Helper()
	dir, err := os.MkdirTemp("", "a") // sockets have short paths
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ring := agent.NewKeyring()
	for _, k := range keys {
		must(t, ring.Add(agent.AddedKey{PrivateKey: k.key}))
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = agent.ServeAgent(ring, conn)
				_ = conn.Close()
			}()
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", listener.Addr().String())
}

func TestAuthOverSSH(t *testing.T) {
	key, other := authKey(t), authKey(t)
	repo := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "right", AuthorizedKeys: key.public()})
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	for name, tt := range map[string]struct {
		opts  git.Options
		agent []authenticKey
		want  error
		text  string // of an error, where there is one
	}{
		"key":              {git.Options{PrivateKey: key.private("")}, nil, nil, ""},
		"passphrase":       {git.Options{PrivateKey: key.private("hunter2"), Passphrase: []byte("hunter2")}, nil, nil, ""},
		"agent":            {git.Options{SSHAgent: true}, []authenticKey{other, key}, nil, ""},
		"key and agent":    {git.Options{PrivateKey: other.private(""), SSHAgent: true}, []authenticKey{key}, nil, ""},
		"password":         {git.Options{Password: "right"}, nil, nil, ""},
		"none":             {git.Options{}, nil, source.ErrUnauthorized, "give a private key"},
		"other key":        {git.Options{PrivateKey: other.private("")}, nil, source.ErrUnauthorized, "lets nobody in"},
		"other agent":      {git.Options{SSHAgent: true}, []authenticKey{other}, source.ErrUnauthorized, "lets nobody in"},
		"no agent":         {git.Options{SSHAgent: true}, nil, nil, "SSH_AUTH_SOCK is not set"},
		"wrong password":   {git.Options{Password: "hunter2"}, nil, source.ErrUnauthorized, "lets nobody in"},
		"no passphrase":    {givenLater(git.Credential{PrivateKey: key.private("hunter2")}), nil, nil, "Options.Passphrase is empty"},
		"wrong passphrase": {givenLater(git.Credential{PrivateKey: key.private("right"), Passphrase: []byte("hunter2")}), nil, nil, "does not open"},
		"no key":           {givenLater(git.Credential{PrivateKey: []byte("hunter2")}), nil, nil, "Options.PrivateKey"},
		"token":            {givenLater(git.Credential{Token: "hunter2"}), nil, nil, "token, which is for HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SSH_AUTH_SOCK", "")
			if tt.agent != nil {
				serveAgent(t, tt.agent...)
			}
			tt.opts.KnownHosts = repo.KnownHosts()
			url := strings.Replace(repo.SSHURL(), "//", "//reader@", 1)
			if tt.text == "" {
				checkLogin(t, repo, url, tt.opts, hash)
				return
			}
			_, err := newSource(t, url, tt.opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
		})
	}
}

func TestUserOfSSH(t *testing.T) {
	key := authKey(t)
	repo := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "right", AuthorizedKeys: key.public()})
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	inURL := strings.Replace(repo.SSHURL(), "//", "//reader@", 1)
	opts := git.Options{KnownHosts: repo.KnownHosts(), PrivateKey: key.private("")}
	named := opts
	named.Username = "reader"
	checkLogin(t, repo, repo.SSHURL(), named, hash)
	_, err := newSource(t, repo.SSHURL(), opts).Fetch(t.Context(), source.Revision{}) // as git
	checkError(t, err, source.ErrUnauthorized, "lets nobody in")
	named.Username = "eve" // the URL's counts
	checkLogin(t, repo, inURL, named, hash)
	withPassword := strings.Replace(repo.SSHURL(), "//", "//reader:right@", 1)
	checkLogin(t, repo, withPassword, git.Options{KnownHosts: repo.KnownHosts()}, hash)
}

func TestKnownHosts(t *testing.T) {
	key, other := authKey(t), authKey(t)
	repo := testbed.GitWith(t, testbed.GitOptions{AuthorizedKeys: key.public()})
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	host, _, _ := strings.Cut(string(repo.KnownHosts()), " ")
	for name, tt := range map[string]struct {
		lines, text string // of the error, where there is one
	}{
		"right":   {string(repo.KnownHosts()), ""},
		"among":   {"# ours\nexample.com " + other.line() + "\n" + string(repo.KnownHosts()), ""},
		"changed": {host + " " + other.line(), "either its key was changed, or this is another server"},
		"missing": {"example.com " + other.line(), "Options.KnownHosts has none for it"},
		"revoked": {"@revoked " + host + " " + string(repo.KnownHosts()[len(host)+1:]), "revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := &giver{give: []git.Credential{{PrivateKey: key.private("")}}}
			opts := git.Options{KnownHosts: []byte(tt.lines), Credentials: asked.credential}
			if tt.text == "" {
				checkLogin(t, repo, repo.SSHURL(), opts, hash)
				return
			}
			_, err := newSource(t, repo.SSHURL(), opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, tt.text)
			if shown := ssh.FingerprintSHA256(repo.HostKey); !strings.Contains(err.Error(), shown) {
				t.Errorf("the key that the server showed, %s, is not in %v", shown, err)
			}
			if got := asked.take(t, repo.SSHURL()); len(got) > 1 {
				t.Errorf("was asked %v: other credentials change nothing", got)
			}
		})
	}
	for lines, text := range map[string]string{"": "ssh-keyscan -p", "hunter2": "line 1"} {
		_, err := git.New(repo.SSHURL(), git.Options{KnownHosts: []byte(lines)})
		checkError(t, err, nil, "Options.KnownHosts")
		checkError(t, err, nil, text)
	}
}
