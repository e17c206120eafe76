package transport

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

func sshKey(t *testing.T) (key ed25519.PrivateKey, signer ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err = ssh.NewSignerFromKey(key)
	must(t, err)
	return key, signer
}

func openSSHKey(t *testing.T, key crypto.PrivateKey, passphrase string) []byte {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	must(t, err)
	return pem.EncodeToMemory(block)
}

// startAgent serves keys as ssh-agent does.
func startAgent(t *testing.T, keys ...any) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "a") // sockets have short paths
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ring := agent.NewKeyring()
	for _, key := range keys {
		must(t, ring.Add(agent.AddedKey{PrivateKey: key}))
	}
	path = filepath.Join(dir, "s")
	listener, err := net.Listen("unix", path)
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = agent.ServeAgent(ring, conn)
			}()
		}
	}()
	return path
}

func TestSSHLogins(t *testing.T) {
	key, signer := sshKey(t)
	other, _ := sshKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	rsaSigner, err := ssh.NewSignerFromKey(rsaKey)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	r, commit := repository(t, testbed.GitOptions{User: "ann", Password: "p:ss wörd",
		AuthorizedKeys: []ssh.PublicKey{signer.PublicKey(), rsaSigner.PublicKey()}})
	plain := openSSHKey(t, key, "")
	locked := openSSHKey(t, key, "hunter2")
	for name, tt := range map[string]struct {
		credential Credential
		agent      []any
		want       error
		text       string
	}{
		"key":              {Credential{PrivateKey: plain}, nil, nil, ""},
		"PKCS #8":          {Credential{PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})}, nil, nil, ""},
		"PKCS #1":          {Credential{PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})}, nil, nil, ""},
		"passphrase":       {Credential{PrivateKey: locked, Passphrase: []byte("hunter2")}, nil, nil, ""},
		"agent":            {Credential{Agent: true}, []any{&other, &key}, nil, ""},
		"key and agent":    {Credential{PrivateKey: openSSHKey(t, other, ""), Agent: true}, []any{&key}, nil, ""},
		"password":         {Credential{Password: "p:ss wörd"}, nil, nil, ""},
		"key and password": {Credential{PrivateKey: openSSHKey(t, other, ""), Password: "p:ss wörd"}, nil, nil, ""},
		"nothing":          {Credential{}, nil, source.ErrUnauthorized, "give a private key"},
		"wrong key":        {Credential{PrivateKey: openSSHKey(t, other, "")}, nil, source.ErrUnauthorized, ""},
		"wrong password":   {Credential{Password: "no-hunter2"}, nil, source.ErrUnauthorized, ""},
		"empty agent":      {Credential{Agent: true}, []any{}, source.ErrUnauthorized, ""},
		"no agent":         {Credential{Agent: true}, nil, nil, "SSH_AUTH_SOCK"},
		"token":            {Credential{Token: "hunter2"}, nil, nil, "token"},
		"no passphrase":    {Credential{PrivateKey: locked}, nil, nil, "needs a passphrase"},
		"wrong passphrase": {Credential{PrivateKey: locked, Passphrase: []byte("no-hunter2")}, nil, nil, "Passphrase does not open"},
		"no PEM":           {Credential{PrivateKey: []byte("hunter2")}, nil, nil, "not PEM"},
		"broken":           {Credential{PrivateKey: plain[:len(plain)/2]}, nil, nil, "not PEM"},
		"encrypted PKCS":   {Credential{PrivateKey: []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")}, nil, nil, "ssh-keygen -p"},
		"no key":           {Credential{PrivateKey: []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")}, nil, nil, "Options.PrivateKey"},
	} {
		t.Run(name, func(t *testing.T) {
			path := ""
			if tt.agent != nil {
				path = startAgent(t, tt.agent...)
			}
			t.Setenv("SSH_AUTH_SOCK", path)
			leavesNothing(t)
			opts := Options{KnownHosts: r.KnownHosts(), Credentials: give(tt.credential)}
			u := strings.Replace(r.SSHURL(), "//", "//ann@", 1)
			err := converse(t.Context(), newTransport(t, u, opts), 2, commit)
			if tt.want == nil && tt.text == "" {
				must(t, err)
				return
			}
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestSSHAsksForOtherCredentialsOnce(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{User: "ann", Password: "right"})
	asked := 0
	transport := newTransport(t, r.SSHURL(), Options{KnownHosts: r.KnownHosts(), Credentials: func(_ context.Context, q Request) (Credential, error) {
		asked++
		if q.Refused {
			return Credential{Username: "ann", Password: "right"}, nil
		}
		return Credential{Username: "ann", Password: "wrong"}, nil
	}})
	for range 2 {
		must(t, converse(t.Context(), transport, 2, commit))
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// An sshServer runs handle for each command, in a goroutine of each channel. Everyone may log in.
func sshServer(t *testing.T, keys []ssh.Signer, handle func(ssh.Channel, string)) string {
	t.Helper()
	config := &ssh.ServerConfig{NoClientAuth: true}
	for _, key := range keys {
		config.AddHostKey(key)
	}
	return listen(t, func(conn net.Conn) {
		server, channels, requests, err := ssh.NewServerConn(conn, config)
		if err != nil {
			return
		}
		defer server.Close()
		go ssh.DiscardRequests(requests)
		for offered := range channels {
			channel, requests, err := offered.Accept()
			if err != nil {
				return
			}
			for request := range requests {
				_ = request.Reply(true, nil)
				if request.Type == "exec" {
					handle(channel, string(request.Payload[4:]))
					_ = channel.Close()
				}
			}
		}
	})
}

func hostLineOf(address string, key ssh.PublicKey) []byte {
	return fmt.Appendf(nil, "%s %s", hostName(address), ssh.MarshalAuthorizedKey(key))
}

func TestSSHServersWithSeveralKeysShowTheKnownOne(t *testing.T) {
	var keys []ssh.Signer
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	edKey, authority := sshKey(t)
	for _, key := range []any{rsaKey, ecdsaKey, edKey} {
		signer, err := ssh.NewSignerFromKey(key)
		must(t, err)
		keys = append(keys, signer)
	}
	_, certified := sshKey(t)
	certificate := &ssh.Certificate{Key: certified.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity}
	must(t, certificate.SignCert(rand.Reader, authority))
	signer, err := ssh.NewCertSigner(certificate, certified)
	must(t, err)
	answer := func(channel ssh.Channel, _ string) { _, _ = io.WriteString(channel, pkt("hello")+"0000") }
	address := sshServer(t, keys, answer)
	withCertificate := sshServer(t, append(keys, signer), answer)
	open := func(address string, known []byte) error {
		conn, err := newTransport(t, "ssh://"+address+"/a", Options{KnownHosts: known}).Open(t.Context(), 2)
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	for _, key := range keys {
		if err := open(address, hostLineOf(address, key.PublicKey())); err != nil {
			t.Errorf("%s: %v", key.PublicKey().Type(), err)
		}
	}
	trusted := fmt.Appendf(nil, "@cert-authority [127.0.0.1]:* %s", ssh.MarshalAuthorizedKey(authority.PublicKey()))
	if err := open(withCertificate, trusted); err != nil {
		t.Errorf("certificate: %v", err)
	}
	revoked := append(trusted, fmt.Sprintf("@revoked * %s", ssh.MarshalAuthorizedKey(certified.PublicKey()))...)
	_, stranger := sshKey(t)
	for name, tt := range map[string]struct {
		address string
		known   []byte
		key     ssh.PublicKey // nil: any of the server's
		check   func(*HostKeyError) bool
	}{
		"unknown":   {address, hostLineOf("example.com:22", keys[0].PublicKey()), nil, func(e *HostKeyError) bool { return len(e.Known) == 0 }},
		"changed":   {address, hostLineOf(address, stranger.PublicKey()), keys[2].PublicKey(), func(e *HostKeyError) bool { return e.Known[0] == ssh.FingerprintSHA256(stranger.PublicKey()) }},
		"revoked":   {withCertificate, revoked, certified.PublicKey(), func(e *HostKeyError) bool { return e.Revoked }},
		"authority": {withCertificate, fmt.Appendf(nil, "@cert-authority * %s", ssh.MarshalAuthorizedKey(stranger.PublicKey())), certified.PublicKey(), func(e *HostKeyError) bool { return e.Err != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			wrong := new(HostKeyError)
			err := open(tt.address, tt.known)
			if !errors.As(err, &wrong) || !tt.check(wrong) || wrong.Host != hostName(tt.address) || !strings.Contains(err.Error(), wrong.Fingerprint) ||
				tt.key != nil && wrong.Fingerprint != ssh.FingerprintSHA256(tt.key) {
				t.Errorf("got %v, %#v", err, wrong)
			}
		})
	}
}

func TestSSHTellsWhatTheServerSays(t *testing.T) {
	r, _ := repository(t, testbed.GitOptions{})
	_, err := newTransport(t, r.SSH+"/none.git", Options{KnownHosts: r.KnownHosts()}).Open(t.Context(), 2)
	if !errors.Is(err, source.ErrNotFound) || !strings.Contains(err.Error(), "not appear to be a git repository") {
		t.Errorf("got %v", err)
	}
	_, err = newTransport(t, r.Daemon+"/none.git", Options{}).Open(t.Context(), 2)
	if !errors.Is(err, source.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	_, signer := sshKey(t)
	for said, want := range map[string]error{
		"ERROR: Repository not found.\r\nfatal: …":                                                                    source.ErrNotFound,
		"remote: ERROR: The project you were looking for could not be found or you don't have permission to view it.": source.ErrNotFound,
		"Gitea: Repository does not exist":                                                                            source.ErrNotFound,
		"Permission denied for deploy key":                                                                            source.ErrUnauthorized,
		"\x1b[31mred" + strings.Repeat(" and long", 1e5):                                                              nil,
		"": nil,
	} {
		for _, status := range []uint32{0, 1, 128} {
			address := sshServer(t, []ssh.Signer{signer}, func(channel ssh.Channel, _ string) {
				_, _ = io.WriteString(channel.Stderr(), said)
				_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
			})
			_, err := newTransport(t, "ssh://"+address+"/a", Options{KnownHosts: hostLineOf(address, signer.PublicKey())}).Open(t.Context(), 2)
			switch {
			case err == nil || len(err.Error()) > 700 || strings.Contains(err.Error(), "\x1b"):
				t.Errorf("%.20q: got %v", said, err)
			case status > 0 && (want != nil && !errors.Is(err, want) || said != "" && !strings.Contains(err.Error(), "says")):
				t.Errorf("%.20q: got %v, want %v", said, err, want)
			case status == 0 && !errors.Is(err, io.ErrUnexpectedEOF):
				t.Errorf("%.20q: got %v, want an early end", said, err)
			}
		}
	}
}

func TestSSHQuotesPaths(t *testing.T) {
	_, signer := sshKey(t)
	var command string
	address := sshServer(t, []ssh.Signer{signer}, func(channel ssh.Channel, line string) {
		command = line
		_, _ = io.WriteString(channel, "0000")
	})
	for path, want := range map[string]string{
		"/a.git":                    "git-upload-pack '/a.git'",
		"/~ann/a.git":               "git-upload-pack '~ann/a.git'",
		"/it's%20$(touch%20x)!;%60": `git-upload-pack '/it'\''s $(touch x)'\!';` + "`'",
	} {
		u := parse(t, "ssh://ann@"+address+path)
		transport, err := New(u, Options{KnownHosts: hostLineOf(address, signer.PublicKey())})
		must(t, err)
		conn, err := transport.Open(t.Context(), 0)
		must(t, err)
		must(t, conn.Close())
		if command != want {
			t.Errorf("%s: got %s, want %s", path, command, want)
		}
	}
	u := parse(t, "ssh://"+address)
	u.Path = "home.git"
	transport, err := New(u, Options{KnownHosts: hostLineOf(address, signer.PublicKey())})
	must(t, err)
	conn, err := transport.Open(t.Context(), 0)
	must(t, err)
	must(t, conn.Close())
	if command != "git-upload-pack 'home.git'" {
		t.Errorf("got %s", command)
	}
}

func TestSSHAnswersAQuestionForThePassword(t *testing.T) {
	_, signer := sshKey(t)
	for _, questions := range [][]string{{"Password: "}, {"Password: ", "Code: "}} {
		config := &ssh.ServerConfig{KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", questions, make([]bool, len(questions)))
			if err == nil && answers[0] != "hunter2" {
				err = errors.New("wrong")
			}
			return nil, err
		}}
		config.AddHostKey(signer)
		in := make(chan bool, 2)
		address := listen(t, func(conn net.Conn) {
			_, _, _, err := ssh.NewServerConn(conn, config)
			in <- err == nil
		})
		opts := Options{KnownHosts: hostLineOf(address, signer.PublicKey()), Credentials: give(Credential{Password: "hunter2"})}
		_, err := newTransport(t, "ssh://"+address+"/a", opts).Open(t.Context(), 2)
		if got := <-in; got != (len(questions) == 1) || err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: logged in: %v, %v", questions, got, err)
		}
	}
}

func TestAskTellsWhatEndedTheConversation(t *testing.T) {
	_, signer := sshKey(t)
	address := sshServer(t, []ssh.Signer{signer}, func(channel ssh.Channel, _ string) {
		_, _ = io.WriteString(channel, "0000")
		_, _ = io.WriteString(channel.Stderr(), "ERROR: Repository not found.")
		_, _ = channel.SendRequest("exit-status", false, []byte{0, 0, 0, 1})
	})
	conn, err := newTransport(t, "ssh://"+address+"/a", Options{KnownHosts: hostLineOf(address, signer.PublicKey())}).Open(t.Context(), 2)
	must(t, err)
	defer conn.Close()
	for range 2 {
		if _, err = io.ReadAll(conn); !errors.Is(err, source.ErrNotFound) {
			t.Errorf("got %v", err)
		}
		if _, err = conn.Ask(t.Context(), 2, []byte(question2)); !errors.Is(err, source.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
}
