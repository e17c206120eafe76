package transport

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// methods are the ways in which a credential logs in. When that is over, done is called.
func (t *shell) methods(w *watch, c Credential) (methods []ssh.AuthMethod, done func(), err error) {
	done = func() {}
	var own []ssh.Signer
	if len(c.PrivateKey) > 0 {
		signer, err := t.keys.parse(c.PrivateKey, c.Passphrase)
		if err != nil {
			return nil, done, err
		}
		own = append(own, signer)
	}
	signers := func() ([]ssh.Signer, error) { return own, nil }
	if c.Agent {
		conn, err := dialAgent(w)
		if err != nil {
			return nil, done, err
		}
		done = func() { _ = conn.Close() }
		signers = func() ([]ssh.Signer, error) {
			theirs, err := agent.NewClient(conn).Signers()
			if err != nil {
				err = fmt.Errorf("the SSH agent: %w", err)
			}
			return append(own, theirs...), err
		}
	}
	if len(own) > 0 || c.Agent { // one method for both: package ssh tries each kind of method once
		methods = append(methods, ssh.PublicKeysCallback(signers))
	}
	if c.Password != "" {
		methods = append(methods, ssh.Password(c.Password), ssh.KeyboardInteractive(answerWith(c.Password)))
	}
	if len(methods) == 0 && c.Token != "" {
		return nil, done, errors.New("the credential is a token, which is for HTTP: " +
			"SSH takes a private key, an agent or a password")
	}
	return methods, done, nil
}

func dialAgent(w *watch) (net.Conn, error) {
	path := os.Getenv("SSH_AUTH_SOCK")
	if path == "" {
		return nil, errors.New("there is no SSH agent: SSH_AUTH_SOCK is not set")
	}
	conn, err := (&net.Dialer{}).DialContext(w.ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("the SSH agent: %w", err)
	}
	w.guard(conn)
	return &watchedConn{conn, w}, nil
}

// answerWith answers servers that ask for the password as one of any number of questions, and no other question.
func answerWith(password string) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, echos []bool) ([]string, error) {
		if len(questions) == 0 {
			return nil, nil
		}
		if len(questions) > 1 || echos[0] {
			return nil, errors.New("the server asks for more than a password")
		}
		return []string{password}, nil
	}
}

// A keyCache has the private key that was used last: to open one with a passphrase is slow on purpose.
type keyCache struct {
	mu              sync.Mutex
	key, passphrase []byte
	signer          ssh.Signer
}

func (c *keyCache) parse(key, passphrase []byte) (ssh.Signer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signer != nil && bytes.Equal(key, c.key) && bytes.Equal(passphrase, c.passphrase) {
		return c.signer, nil
	}
	signer, err := parsePrivateKey(key, passphrase)
	if err == nil {
		c.key, c.passphrase, c.signer = bytes.Clone(key), bytes.Clone(passphrase), signer
	}
	return signer, err
}

// CheckKey returns why a private key cannot be used.
func CheckKey(key, passphrase []byte) error {
	_, err := parsePrivateKey(key, passphrase)
	return err
}

func parsePrivateKey(key, passphrase []byte) (ssh.Signer, error) {
	block, _ := pem.Decode(key)
	switch {
	case block == nil:
		return nil, errors.New("Options.PrivateKey is not PEM")
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("Options.PrivateKey is encrypted as PKCS #8, which cannot be read: " +
			"ssh-keygen -p -f FILE makes it one in OpenSSH's format")
	}
	signer, err := ssh.ParsePrivateKey(key)
	if encrypted := new(ssh.PassphraseMissingError); errors.As(err, &encrypted) {
		if len(passphrase) == 0 {
			return nil, errors.New("Options.PrivateKey needs a passphrase, and Options.Passphrase is empty")
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(key, passphrase)
		if errors.Is(err, x509.IncorrectPasswordError) {
			return nil, errors.New("Options.Passphrase does not open Options.PrivateKey")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("Options.PrivateKey: %w", err)
	}
	return signer, nil
}
