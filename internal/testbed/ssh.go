package testbed

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// serveSSH serves git-upload-pack and git-receive-pack over SSH.
func (s *GitServer) serveSSH() (func() error, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, err
	}
	config := s.sshConfig()
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.SSH, s.HostKey = "ssh://"+listener.Addr().String(), signer.PublicKey()
	var sessions sync.WaitGroup
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() { s.serveConnection(conn, config) })
		}
	}()
	return listener.Close, nil
}

func (s *GitServer) sshConfig() *ssh.ServerConfig {
	if s.opts.User == "" && len(s.opts.AuthorizedKeys) == 0 {
		config := &ssh.ServerConfig{NoClientAuth: true}
		config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }
		return config
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !s.knows(c.User(), key) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	if s.opts.User != "" {
		config.PasswordCallback = func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if c.User() != s.opts.User || string(password) != s.opts.Password {
				return nil, errors.New("wrong user or password")
			}
			return nil, nil
		}
	}
	return config
}

func (s *GitServer) knows(user string, key ssh.PublicKey) bool {
	return (s.opts.User == "" || user == s.opts.User) && slices.ContainsFunc(s.opts.AuthorizedKeys, func(k ssh.PublicKey) bool {
		return bytes.Equal(k.Marshal(), key.Marshal())
	})
}

// KnownHosts is the server's line for known_hosts.
func (s *GitServer) KnownHosts() []byte {
	host, port, _ := net.SplitHostPort(strings.TrimPrefix(s.SSH, "ssh://"))
	return fmt.Appendf(nil, "[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(s.HostKey))
}

func (s *GitServer) serveConnection(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	server, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer server.Close()
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		if offered.ChannelType() != "session" {
			_ = offered.Reject(ssh.UnknownChannelType, "only sessions")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go s.serveSession(channel, requests)
	}
}

// serveSession runs the one command that the client asks for and tells its exit status.
func (s *GitServer) serveSession(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	var version string // of Git's protocol
	for request := range requests {
		if request.Type == "env" {
			var variable struct{ Name, Value string }
			if ssh.Unmarshal(request.Payload, &variable) == nil && variable.Name == "GIT_PROTOCOL" && !s.opts.NoProtocol2 {
				version = variable.Value
			}
			_ = request.Reply(version != "", nil)
			continue
		}
		if request.Type != "exec" {
			_ = request.Reply(false, nil)
			continue
		}
		var command struct{ Line string }
		if err := ssh.Unmarshal(request.Payload, &command); err != nil {
			return
		}
		cmd, err := s.command(command.Line, version)
		_ = request.Reply(true, nil)
		status := struct{ Status uint32 }{1}
		if err == nil {
			if err = pipe(cmd, channel, channel, channel.Stderr()); err == nil {
				status.Status = 0
			}
		}
		if err != nil {
			fmt.Fprintln(channel.Stderr(), err)
		}
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}

// pipe runs the command between two ends. It does not wait for the end of the input: the client leaves it open until it has
// the exit status.
func pipe(cmd *exec.Cmd, from io.Reader, to, said io.Writer) error {
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(in, from)
		_ = in.Close()
	}()
	cmd.Stdout, cmd.Stderr = to, said
	return cmd.Run()
}

// command takes "git-upload-pack '/name.git'", with that path below the server's folder and nowhere else.
func (s *GitServer) command(line, version string) (*exec.Cmd, error) {
	verb, path, _ := strings.Cut(line, " ")
	if verb != "git-upload-pack" && verb != "git-receive-pack" {
		return nil, fmt.Errorf("unknown command %q", verb)
	}
	path = filepath.Join(s.dir, filepath.Join("/", strings.Trim(path, "'")))
	cmd := exec.Command("git", strings.TrimPrefix(verb, "git-"), path)
	cmd.Env = append(s.environment(), "GIT_PROTOCOL="+version)
	return cmd, nil
}
