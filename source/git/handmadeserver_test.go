package git_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A handmadeRequest is what a client asks of a handmade repository.
type handmadeRequest struct {
	version int
	command string // of version 2
	wants   []object.Hash
	deepen  bool
	filter  string
	over    bool // nothing more is asked
}

// readHandmade reads a request up to where it ends: in version 0 that is the line "done".
func readHandmade(r io.Reader, version int) (handmadeRequest, error) {
	q := handmadeRequest{version: version}
	for lines := 0; ; lines++ {
		text, mark, err := readPktLine(r)
		switch {
		case err != nil:
			return q, err
		case mark == 0 && (version == 2 || lines == 0):
			q.over = lines == 0
			return q, nil
		case mark < 4:
			continue
		}
		word, rest, _ := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
		switch {
		case word == "want":
			hash, err := object.ParseHash(rest[:40])
			if err != nil {
				return q, err
			}
			q.wants = append(q.wants, hash)
		case word == "deepen":
			q.deepen = true
		case word == "filter":
			q.filter = rest
		case strings.HasPrefix(word, "command="):
			q.command = strings.TrimPrefix(word, "command=")
		case word == "done" && version == 0:
			return q, nil
		}
	}
}

func readPktLine(r io.Reader) (text string, length int, err error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(string(head), 16, 16)
	if err != nil || n < 4 {
		return "", int(n), err
	}
	body := make([]byte, n-4)
	_, err = io.ReadFull(r, body)
	return string(body), int(n), err
}

// greeting is the first answer.
func (r *handmade) greeting(version int) []byte {
	if version == 2 {
		fetch := "fetch=shallow"
		if r.filters {
			fetch += " filter"
		}
		return []byte(line("version 2\n") + line("agent=handmade\n") + line("ls-refs\n") + line(fetch+"\n") + "0000")
	}
	can := "\x00side-band-64k shallow thin-pack ofs-delta allow-reachable-sha1-in-want symref=HEAD:" + r.head
	if r.filters {
		can += " filter"
	}
	out := ""
	for _, ref := range r.refs {
		out += line(ref + can + "\n")
		can = ""
	}
	return []byte(out + "0000")
}

// answer is what the server says to a request.
func (r *handmade) answer(round int, q handmadeRequest) []byte {
	if q.command == "ls-refs" {
		out := ""
		for _, ref := range r.refs {
			if strings.HasSuffix(ref, " HEAD") {
				ref += " symref-target:" + r.head
			}
			out += line(ref + "\n")
		}
		return []byte(out + "0000")
	}
	give := r.pick(q)
	if r.give != nil {
		give = r.give(round, q)
	}
	out := ""
	switch {
	case q.version == 2 && q.deepen:
		out = line("shallow-info\n") + line("shallow "+q.wants[0].String()+"\n") + "0001" + line("packfile\n")
	case q.version == 2:
		out = line("packfile\n")
	case q.deepen:
		out = line("shallow "+q.wants[0].String()+"\n") + "0000" + line("NAK\n")
	default:
		out = line("NAK\n")
	}
	return append([]byte(out), banded(r.pack(give))...)
}

func (r *handmade) bent(round int, q handmadeRequest) []byte {
	answer := r.answer(round, q)
	if r.bend != nil && q.command != "ls-refs" {
		answer = r.bend(round, q, answer)
	}
	return answer
}

// stream has a conversation over a connection.
func (r *handmade) stream(conn io.ReadWriter, version int) {
	if _, err := conn.Write(r.greeting(version)); err != nil {
		return
	}
	for in := bufio.NewReader(conn); ; {
		q, err := readHandmade(in, version)
		if err != nil || q.over {
			return
		}
		n := 0
		if q.command != "ls-refs" {
			n = int(r.rounds.Add(1)) - 1
		}
		answer := r.bent(n, q)
		if _, err := conn.Write(answer); err != nil || len(answer) == 0 || version == 0 {
			return
		}
	}
}

// handler serves the repository over HTTP.
func (r *handmade) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = w.Write(append([]byte(line("# service=git-upload-pack\n")+"0000"), r.greeting(0)...))
			return
		}
		body := io.Reader(request.Body)
		if request.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if err != nil {
				http.Error(w, "no gzip", http.StatusBadRequest)
				return
			}
			body = z
		}
		version := 0
		if request.Header.Get("Git-Protocol") == "version=2" {
			version = 2
		}
		q, err := readHandmade(body, version)
		if err != nil {
			http.Error(w, "no request", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		_, _ = w.Write(r.bent(int(r.rounds.Add(1))-1, q))
	})
}

// A handmadeSite is a server that is there until the test ends.
type handmadeSite struct {
	address    string
	knownHosts []byte
	open       atomic.Int32 // connections
}

// serve starts a server for one scheme and returns it with the repository's URL.
func (r *handmade) serve(t *testing.T, scheme string) (*handmadeSite, string) {
	t.Helper()
	s := &handmadeSite{}
	switch scheme {
	case "http":
		server := &http.Server{Handler: r.handler()}
		s.listen(t, func(l net.Listener) { _ = server.Serve(l) })
		t.Cleanup(func() { _ = server.Close() })
	case "git":
		s.listen(t, s.each(func(conn net.Conn) {
			head, _, err := readPktLine(conn)
			if err == nil {
				r.stream(conn, versionIn(head))
			}
		}))
	case "ssh":
		signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)))
		must(t, err)
		config := &ssh.ServerConfig{NoClientAuth: true}
		config.AddHostKey(signer)
		s.listen(t, s.each(func(conn net.Conn) { r.shell(conn, config) }))
		host, port, _ := net.SplitHostPort(s.address)
		s.knownHosts = fmt.Appendf(nil, "[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(signer.PublicKey()))
	}
	return s, scheme + "://" + s.address + "/repo.git"
}

func versionIn(text string) int {
	if strings.Contains(text, "version=2") {
		return 2
	}
	return 0
}

// shell serves over SSH.
func (r *handmade) shell(conn net.Conn, config *ssh.ServerConfig) {
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
		version := 0
		for request := range requests {
			_ = request.Reply(true, nil)
			switch request.Type {
			case "env":
				version = versionIn(string(request.Payload))
			case "exec":
				r.stream(channel, version)
				_, _ = channel.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
				_ = channel.Close()
			}
		}
	}
}

// listen serves, and counts the connections that are open.
func (s *handmadeSite) listen(t *testing.T, serve func(net.Listener)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.address = l.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { serve(&countedListener{l, &s.open}) })
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
}

// each serves connections one by one, each in a goroutine, and ends them.
func (s *handmadeSite) each(serve func(net.Conn)) func(net.Listener) {
	return func(l net.Listener) {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}
}

type countedListener struct {
	net.Listener
	open *atomic.Int32
}

func (l *countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &countedConn{Conn: conn, open: l.open}, nil
}

type countedConn struct {
	net.Conn
	open *atomic.Int32
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}
