package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// repository has one commit on main.
func repository(t *testing.T, opts testbed.GitOptions) (r *testbed.Repository, commit string) {
	t.Helper()
	r = testbed.GitWith(t, opts)
	commit, err := r.Commit(t.Context(), map[string][]byte{"a": []byte("1")})
	must(t, err)
	return r, commit
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	must(t, err)
	return u
}

func newTransport(t *testing.T, raw string, opts Options) Transport {
	t.Helper()
	transport, err := New(parse(t, raw), opts)
	must(t, err)
	return transport
}

// give returns the same credential again and again.
func give(c Credential) func(context.Context, Request) (Credential, error) {
	return func(context.Context, Request) (Credential, error) { return c, nil }
}

func pkt(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }

// message reads the lines of one of Git's messages, up to its flush.
func message(r io.Reader) (string, error) {
	var text strings.Builder
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return text.String(), err
		}
		length, err := strconv.ParseUint(string(head[:]), 16, 16)
		if err != nil {
			return text.String(), fmt.Errorf("not a line: %q", head)
		}
		if length == 0 {
			return text.String(), nil
		}
		if length < 4 {
			continue
		}
		if _, err := io.CopyN(&text, r, int64(length)-4); err != nil {
			return text.String(), err
		}
	}
}

// question2 lists the references, in version 2.
var question2 = pkt("command=ls-refs\n") + "0000"

// converse fetches a commit by the transport, and returns why it could not.
func converse(ctx context.Context, transport Transport, version int, commit string) error {
	conn, err := transport.Open(ctx, version)
	if err != nil {
		return err
	}
	return errors.Join(speak(ctx, conn, version, commit), conn.Close())
}

func speak(ctx context.Context, conn Conn, version int, commit string) error {
	first, err := message(conn)
	if err == nil && strings.HasPrefix(first, "# service=git-upload-pack\n") {
		first, err = message(conn)
	}
	if err != nil {
		return err
	}
	want := map[int]string{0: commit + " refs/heads/main", 2: "version 2\n"}[version]
	if !strings.Contains(first, want) {
		return fmt.Errorf("the first answer is %q, want %q", first, want)
	}
	if version == 0 {
		return ask(ctx, conn, 0, pkt("want "+commit+" side-band-64k no-progress")+"0000"+pkt("done\n"), "NAK\n\x01PACK")
	}
	for range 2 {
		if err := ask(ctx, conn, 2, question2, commit+" refs/heads/main"); err != nil {
			return err
		}
	}
	long := strings.Repeat(pkt("have "+strings.Repeat("1", 40)+"\n"), 100)
	return ask(ctx, conn, 2, pkt("command=fetch")+"0001"+pkt("want "+commit)+pkt("no-progress")+long+pkt("done")+"0000", "packfile\n\x01PACK")
}

func ask(ctx context.Context, conn Conn, version int, request, want string) error {
	answer, err := conn.Ask(ctx, version, []byte(request))
	if err != nil {
		return err
	}
	got, err := message(answer)
	if err == nil && !strings.Contains(got, want) {
		err = fmt.Errorf("the answer to %.100q is %.200q, want %q", request, got, want)
	}
	return errors.Join(err, answer.Close())
}

// leavesNothing checks at the end of a test that its connections and goroutines ended. Servers need a moment for theirs.
func leavesNothing(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 500 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, and %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
	})
}

func TestEveryTransportFetchesInBothVersions(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{})
	for name, tt := range map[string]struct {
		url  string
		opts Options
	}{
		"http":  {r.URL(), Options{}},
		"https": {r.HTTPSURL(), Options{CA: r.CA}},
		"ssh":   {r.SSHURL(), Options{KnownHosts: r.KnownHosts()}},
		"git":   {r.DaemonURL(), Options{}},
	} {
		for _, version := range []int{0, 2} {
			t.Run(fmt.Sprint(name, version), func(t *testing.T) {
				leavesNothing(t)
				transport := newTransport(t, tt.url, tt.opts)
				for range 2 {
					if err := converse(t.Context(), transport, version, commit); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

func TestOlderServersSpeakVersion0(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{NoProtocol2: true})
	for _, u := range []string{r.URL(), r.SSHURL(), r.DaemonURL()} {
		conn, err := newTransport(t, u, Options{KnownHosts: r.KnownHosts()}).Open(t.Context(), 2)
		must(t, err)
		if err := speak(t.Context(), conn, 0, commit); err != nil {
			t.Errorf("%s: %v", u, err)
		}
		must(t, conn.Close())
	}
}

func TestOneConnectionCarriesAConversation(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{})
	p, err := testbed.StartProxy(testbed.ProxyOptions{})
	must(t, err)
	defer p.Close()
	for name, tt := range map[string]struct {
		url  string
		opts Options
	}{
		"https": {r.HTTPSURL(), Options{CA: r.CA}},
		"ssh":   {r.SSHURL(), Options{KnownHosts: r.KnownHosts()}},
		"git":   {r.DaemonURL(), Options{}},
	} {
		tt.opts.Proxy = p.SOCKS5
		must(t, converse(t.Context(), newTransport(t, tt.url, tt.opts), 2, commit))
		if got := p.TakeTargets(); len(got) != 1 || got[0] != parse(t, tt.url).Host {
			t.Errorf("%s: got connections to %v", name, got)
		}
	}
}

func TestStreamTakesOneRequestInVersion0(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{})
	conn, err := newTransport(t, r.DaemonURL(), Options{}).Open(t.Context(), 0)
	must(t, err)
	defer conn.Close()
	must(t, speak(t.Context(), conn, 0, commit))
	if _, err := conn.Ask(t.Context(), 0, nil); err == nil || conn.Stateless() {
		t.Errorf("got %v, stateless %v", err, conn.Stateless())
	}
}

func TestNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		url  string
		opts Options
		want string
	}{
		"scheme":       {"ftp://example.com/a", Options{}, "only http, https, ssh and git"},
		"host":         {"https:///a", Options{}, "no host"},
		"user":         {"https://hunter2@example.com/a", Options{}, "credentials"},
		"git user":     {"git://hunter2@example.com/a", Options{}, "credentials"},
		"password":     {"ssh://git:hunter2@example.com/a", Options{}, "password"},
		"line break":   {"git://example.com/a%0a", Options{}, "line break"},
		"no hosts":     {"ssh://git@example.com:2222/a", Options{}, "ssh-keyscan -p 2222 example.com"},
		"no SSH path":  {"ssh://git@example.com", Options{KnownHosts: []byte("x")}, "no repository"},
		"option":       {"ssh://git@example.com/a", Options{KnownHosts: []byte("hunter2 hunter2 hunter2 hunter2")}, "line 1"},
		"no CA":        {"https://example.com/a", Options{CA: []byte("hunter2")}, "Options.CA"},
		"no key":       {"https://example.com/a", Options{ClientCertificate: []byte("x")}, "belong together"},
		"wrong key":    {"https://example.com/a", Options{ClientCertificate: []byte("x"), ClientKey: []byte("hunter2")}, "ClientCertificate"},
		"proxy":        {"https://example.com/a", Options{Proxy: "http://u:hun%ter2@x"}, "percent-encoded"},
		"proxy scheme": {"https://example.com/a", Options{Proxy: "ftp://u:hunter2@x"}, "socks5://"},
		"proxy host":   {"https://example.com/a", Options{Proxy: "http://u:hunter2@"}, "no host"},
		"two proxies":  {"https://example.com/a", Options{Proxy: "none", RoundTripper: http.DefaultTransport}, "excludes"},
		"two CAs":      {"https://example.com/a", Options{CA: []byte("x"), RoundTripper: http.DefaultTransport}, "excludes"},
	} {
		_, err := New(parse(t, tt.url), tt.opts)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "ter2") {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// listen serves each connection by serve, until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
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
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}
