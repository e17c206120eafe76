package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A stage is a server that goes on up to a point, at which it calls stop and then does what the test wants.
type stage struct {
	url  string
	opts Options
}

// stages are servers of all kinds that come to an end at all kinds of points.
func stages(t *testing.T, stop func(net.Conn)) map[string]stage {
	t.Helper()
	_, signer := sshKey(t)
	withTLS := httptest.NewTLSServer(nil)
	t.Cleanup(withTLS.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: withTLS.Certificate().Raw})
	read := func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4<<10))
	}
	say := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			read(conn)
			_, _ = io.WriteString(conn, text)
			stop(conn)
		}
	}
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"
	first := pkt("# service=git-upload-pack\n") + "0000" + pkt("version 2\n") + "0000"
	ssh0 := func(speak string) string {
		return sshServer(t, []ssh.Signer{signer}, func(channel ssh.Channel, _ string) {
			_, _ = io.WriteString(channel, speak)
			stop(nil)
		})
	}
	silent, banner, garbage := listen(t, stop), listen(t, say("SSH-2.0-x\r\n")), listen(t, say("SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a"))
	mute, half := ssh0(""), ssh0("000e")
	known := func(address string) Options { return Options{KnownHosts: hostLineOf(address, signer.PublicKey())} }
	return map[string]stage{
		"HTTP":         {"http://" + listen(t, say("")) + "/a", Options{}},
		"HTTP headers": {"http://" + listen(t, say("HTTP/1.1 200 OK\r\nConte")) + "/a", Options{}},
		"HTTP body":    {"http://" + listen(t, say(head+"Content-Length: 1000\r\n\r\n"+first[:9])) + "/a", Options{}},
		"HTTP answer":  {"http://" + listen(t, func(conn net.Conn) { answerThenStop(conn, head, first, stop) }) + "/a", Options{}},
		"TLS":          {"https://" + silent + "/a", Options{}},
		"HTTPS": {"https://" + listen(t, func(conn net.Conn) {
			secure := tls.Server(conn, withTLS.TLS)
			_ = secure.Handshake()
			stop(conn)
		}) + "/a", Options{CA: ca}},
		"HTTP proxy":         {"https://example.com/a", Options{Proxy: "http://" + silent}},
		"SOCKS proxy":        {"https://example.com/a", Options{Proxy: "socks5://" + silent}},
		"SSH":                {"ssh://" + silent + "/a", known(silent)},
		"SSH key exchange":   {"ssh://" + banner + "/a", known(banner)},
		"SSH garbage":        {"ssh://" + garbage + "/a", known(garbage)},
		"SSH upload-pack":    {"ssh://" + mute + "/a", known(mute)},
		"SSH line":           {"ssh://" + half + "/a", known(half)},
		"SSH by HTTP proxy":  {"ssh://example.com/a", Options{Proxy: "http://" + silent, KnownHosts: known(silent).KnownHosts}},
		"SSH by HTTPS proxy": {"ssh://example.com/a", Options{Proxy: "https://" + silent, KnownHosts: known(silent).KnownHosts}},
		"SSH by SOCKS proxy": {"ssh://example.com/a", Options{Proxy: "socks5://" + silent, KnownHosts: known(silent).KnownHosts}},
		"git":                {"git://" + silent + "/a", Options{}},
		"git line":           {"git://" + listen(t, say("000eversi")) + "/a", Options{}},
		"git answer":         {"git://" + listen(t, say(pkt("version 2\n")+"0000")) + "/a", Options{}},
	}
}

// answerThenStop answers one request in full, and nothing more.
func answerThenStop(conn net.Conn, head, body string, stop func(net.Conn)) {
	_, _ = conn.Read(make([]byte, 4<<10))
	_, _ = fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
	_, _ = conn.Read(make([]byte, 4<<10))
	stop(conn)
}

// listRefs is a conversation in version 2.
func listRefs(ctx context.Context, transport Transport) error {
	conn, err := transport.Open(ctx, 2)
	if err != nil {
		return err
	}
	defer conn.Close()
	first, err := message(conn)
	if err == nil && strings.HasPrefix(first, "# service") {
		_, err = message(conn)
	}
	if err != nil {
		return err
	}
	return ask(ctx, conn, 2, question2, "")
}

// hold keeps a connection open, without a word, until the other side closes it.
func hold(conn net.Conn) {
	if conn != nil {
		_, _ = io.Copy(io.Discard, conn)
	}
}

func TestServersThatStall(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, s := range stages(t, func(conn net.Conn) {
		if conn == nil { // a channel of SSH, which is closed on return
			<-release
		}
		hold(conn)
	}) {
		t.Run(name, func(t *testing.T) {
			s.opts.StallTimeout = 150 * time.Millisecond
			err := listRefs(t.Context(), newTransport(t, s.url, s.opts))
			if !errors.Is(err, ErrStalled) || !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
				!strings.Contains(err.Error(), "Options.StallTimeout") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEndedContextsEndEveryStage(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	reached := make(chan struct{}, 10)
	for name, s := range stages(t, func(conn net.Conn) {
		reached <- struct{}{}
		if conn == nil {
			<-release
		}
		hold(conn)
	}) {
		t.Run(name, func(t *testing.T) {
			if !strings.HasPrefix(name, "SSH upload") && !strings.HasPrefix(name, "SSH line") { // whose servers wait for release
				leavesNothing(t)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				<-reached
				cancel(errors.New("the consumer's reason"))
			}()
			err := listRefs(ctx, newTransport(t, s.url, s.opts))
			if !errors.Is(err, context.Canceled) || errors.Is(err, ErrStalled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestServersThatCloseAtOnce(t *testing.T) {
	for name, s := range stages(t, func(net.Conn) {}) {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			err := listRefs(t.Context(), newTransport(t, s.url, s.opts))
			if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, ErrStalled) || len(err.Error()) > 500 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A cut is a way to a server that ends behind so many bytes of its answers.
func cut(t *testing.T, to string, after int64) string {
	return listen(t, func(client net.Conn) {
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		go func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		}()
		_, _ = io.CopyN(client, server, after)
	})
}

func TestConnectionsCutAtAnyByte(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{})
	for _, u := range []string{r.URL(), r.HTTPSURL(), r.SSHURL(), r.DaemonURL()} {
		leavesNothing(t)
		failed, done := 0, false
		for after := int64(0); !done; after += 97 {
			target := parse(t, u)
			known := bytes.Replace(r.KnownHosts(), []byte(hostName(parse(t, r.SSH).Host)), []byte("*"), 1)
			target.Host = cut(t, target.Host, after)
			transport, err := New(target, Options{CA: r.CA, KnownHosts: known, StallTimeout: 10 * time.Second})
			must(t, err)
			switch err := converse(t.Context(), transport, 2, commit); {
			case err == nil:
				done = true
			case errors.Is(err, ErrStalled) || errors.Is(err, context.Canceled):
				t.Errorf("%s cut after %d bytes: %v", u, after, err)
			default:
				failed++
			}
			if after > 20_000 {
				t.Fatalf("%s: the conversation has no end", u)
			}
		}
		if failed < 5 {
			t.Errorf("%s: only %d places to cut", u, failed)
		}
	}
}

func TestTheContextOfAskEndsItsAnswer(t *testing.T) {
	_, signer := sshKey(t)
	release := make(chan struct{})
	defer close(release)
	shell := sshServer(t, []ssh.Signer{signer}, func(channel ssh.Channel, _ string) {
		_, _ = io.WriteString(channel, "0000")
		<-release
	})
	daemon := listen(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "0000")
		hold(conn)
	})
	for _, u := range []string{"ssh://" + shell + "/a", "git://" + daemon + "/a"} {
		conn, err := newTransport(t, u, Options{KnownHosts: hostLineOf(shell, signer.PublicKey())}).Open(t.Context(), 2)
		must(t, err)
		_, err = message(conn)
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		answer, err := conn.Ask(ctx, 2, []byte(question2))
		must(t, err)
		cancel()
		if _, err := message(answer); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		must(t, answer.Close())
		if _, err := answer.Read(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		must(t, conn.Close())
		if _, err := conn.Ask(ctx, 2, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
