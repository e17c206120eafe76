package git_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// impatient stands before a server. It lets the first connection be, and hangs up the others when they say nothing.
func impatient(t *testing.T, to string, patience time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for first := true; ; first = false {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			end := func() { _ = in.Close(); _ = out.Close() }
			go func() {
				defer end()
				for buf := make([]byte, 4096); ; {
					if !first {
						_ = in.SetReadDeadline(time.Now().Add(patience))
					}
					n, err := in.Read(buf)
					if _, failed := out.Write(buf[:n]); err != nil || failed != nil {
						return
					}
				}
			}()
			go func() {
				defer end()
				_, _ = io.Copy(in, out)
			}()
		}
	}()
	return l.Addr().String()
}

// A server does not wait for as long as one fetch may wait for another one of the same repository.
func TestWaitingForAnotherFetchOutlastsTheConnection(t *testing.T) {
	for _, scheme := range []string{"git", "ssh", "http"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			r, first := sample()
			second := r.commit(r.tree(entryLine("100644", "b", r.blob("second"))))
			r.refs = append(r.refs, first.String()+" refs/heads/first")
			asked, answer := make(chan struct{}), make(chan struct{})
			var once sync.Once
			r.bend = func(_ int, q handmadeRequest, body []byte) []byte {
				if q.wants[0] == first {
					once.Do(func() { close(asked) })
					<-answer
				}
				return body
			}
			site, url := r.serve(t, scheme)
			front := impatient(t, site.address, 100*time.Millisecond)
			_, port, _ := net.SplitHostPort(front)
			_, own, _ := net.SplitHostPort(site.address)
			opts := git.Options{Cache: git.NewCache(git.CacheOptions{}), Branch: "first",
				KnownHosts: bytes.ReplaceAll(site.knownHosts, []byte(":"+own), []byte(":"+port))}
			url = strings.Replace(url, site.address, front, 1)
			slow := newSource(t, url, opts)
			opts.Branch = "main"
			waiting := newSource(t, url, opts)
			var running sync.WaitGroup
			running.Go(func() {
				if _, err := slow.Fetch(t.Context(), source.Revision{}); err != nil {
					t.Error(err)
				}
			})
			<-asked
			time.AfterFunc(400*time.Millisecond, func() { close(answer) })
			snapshot, err := waiting.Fetch(t.Context(), source.Revision{})
			running.Wait()
			if err != nil || snapshot.Revision.Digest.Encoded() != second.String() {
				t.Errorf("got %v", err)
			}
		})
	}
}
