package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gitopskit/gitopskit/source"
)

// shell is the [Transport] to a repository over SSH.
type shell struct {
	site  *site
	hosts knownHosts
	keys  *keyCache
}

func newSSH(s *site) (*shell, error) {
	if strings.HasPrefix(s.url.Path, "-") || s.url.Path == "" {
		return nil, fmt.Errorf("the URL's path %.100q names no repository", s.url.Path)
	}
	if len(s.opts.KnownHosts) == 0 {
		return nil, fmt.Errorf("Options.KnownHosts is empty, and SSH needs the server's key: "+
			"%s prints it; compare its fingerprint with the one that the server's owner tells", keyscan(&s.url))
	}
	hosts, err := parseKnownHosts(s.opts.KnownHosts)
	return &shell{site: s, hosts: hosts, keys: &keyCache{}}, err
}

// Format implements [fmt.Formatter]: it prints the repository's URL.
func (t *shell) Format(f fmt.State, verb rune) { t.site.Format(f, verb) }

// Open implements [Transport].
func (t *shell) Open(ctx context.Context, version int) (Conn, error) {
	credential, err := t.site.keeper.credential(ctx, nil)
	if err != nil {
		return nil, t.site.secrets.Clean(err)
	}
	conn, err := t.open(ctx, version, credential)
	if errors.Is(err, errLogin) {
		next, failed := t.site.keeper.credential(ctx, &credential)
		switch {
		case failed != nil:
			err = errors.Join(err, failed)
		case !next.same(credential):
			credential = next
			conn, err = t.open(ctx, version, credential)
		}
	}
	if err != nil {
		if errors.Is(err, source.ErrUnauthorized) || errors.Is(err, source.ErrNotFound) {
			t.site.keeper.forget(credential)
		}
		return nil, t.site.secrets.Clean(err)
	}
	return conn, nil
}

func (t *shell) open(ctx context.Context, version int, credential Credential) (Conn, error) {
	w := newWatch(ctx, t.site.opts.StallTimeout)
	w.begin()
	defer w.done()
	s := &stream{site: t.site, watch: w, version: version}
	client, err := t.login(w, credential)
	if err == nil {
		s.close = sync.OnceValue(func() error {
			err := client.Close()
			_ = client.Wait() // for its goroutines; it tells how the connection ended, which we did
			return ignoreClosed(err)
		})
		if err = t.run(s, client, version); err == nil {
			err = s.greet()
		}
		if err != nil {
			err = errors.Join(w.blame(err), s.close())
		}
	}
	if err != nil {
		err = w.blame(err)
		w.end()
		return nil, err
	}
	return s, nil
}

// errLogin means that the server took none of the credentials. There is no type for that in package ssh.
var errLogin = fmt.Errorf("%w: the server lets nobody in with these credentials", source.ErrUnauthorized)

// login connects and authenticates both sides.
func (t *shell) login(w *watch, credential Credential) (*ssh.Client, error) {
	methods, done, err := t.methods(w, credential)
	if err != nil {
		return nil, err
	}
	defer done()
	address := t.site.address("22")
	conn, err := t.site.dial(w, address)
	if err != nil {
		return nil, err
	}
	var hostKey error
	config := &ssh.ClientConfig{
		User: t.user(credential), Auth: methods, HostKeyAlgorithms: t.hosts.algorithms(address),
		HostKeyCallback: func(address string, remote net.Addr, key ssh.PublicKey) error {
			hostKey = t.hosts.check(address, remote, key)
			return hostKey
		},
	}
	sshConn, channels, requests, err := ssh.NewClientConn(conn, address, config)
	switch {
	case err == nil:
		return ssh.NewClient(sshConn, channels, requests), nil
	case hostKey != nil:
		err = hostKey
	case strings.Contains(err.Error(), "ssh: unable to authenticate"):
		err = errLogin
		if len(methods) == 0 {
			err = fmt.Errorf("%w: there are none; give a private key, an agent or a password", errLogin)
		}
	}
	return nil, errors.Join(err, ignoreClosed(conn.Close()))
}

func (t *shell) user(credential Credential) string {
	if name := t.site.url.User.Username(); name != "" {
		return name
	}
	if credential.Username != "" {
		return credential.Username
	}
	return "git"
}

// run starts git-upload-pack.
func (t *shell) run(s *stream, client *ssh.Client, version int) error {
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	if s.in, err = session.StdinPipe(); err != nil {
		return err
	}
	if s.out, err = session.StdoutPipe(); err != nil {
		return err
	}
	said := &head{room: maxError}
	session.Stderr = said
	if version > 0 {
		// A server that knows nothing of it speaks version 0. Setenv would wait for it to say so.
		variable := struct{ Name, Value string }{"GIT_PROTOCOL", fmt.Sprintf("version=%d", version)}
		if _, err := session.SendRequest("env", false, ssh.Marshal(variable)); err != nil {
			return err
		}
	}
	if err := session.Start(service + " " + quoteForShell(homePath(t.site.url.Path))); err != nil {
		return fmt.Errorf("starting %s: %w", service, err)
	}
	s.ended = sync.OnceValue(func() error { return t.judge(session.Wait(), said) })
	return nil
}

// judge explains the end of git-upload-pack.
func (t *shell) judge(err error, said *head) error {
	if err == nil {
		return nil
	}
	text := said.String()
	if strings.TrimSpace(text) != "" {
		return t.site.said(text)
	}
	if status := new(ssh.ExitError); errors.As(err, &status) {
		return fmt.Errorf("%s ends with status %d and says nothing", service, status.ExitStatus())
	}
	return fmt.Errorf("the connection ends early: %w", io.ErrUnexpectedEOF)
}

// quoteForShell quotes as git does, also for the shells that see a history in exclamation marks.
func quoteForShell(path string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(path) + "'"
}

// A head keeps the start of what is written to it.
type head struct {
	mu   sync.Mutex
	text []byte
	room int
}

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = append(h.text, p[:min(len(p), h.room-len(h.text))]...)
	return len(p), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.text)
}

// ignoreClosed is for connections that may have been closed by their watch.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
