package git_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// within fails where f takes longer than any bound here lets it, or has the heap grow more. It returns f's error.
func within(t *testing.T, heap uint64, f func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		for {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	err := f(ctx)
	close(stop)
	if most := <-peak; most > before.HeapAlloc+heap {
		t.Errorf("the heap grew by %d bytes", most-before.HeapAlloc)
	}
	if ctx.Err() != nil {
		t.Errorf("it took too long: %v", err)
	}
	return err
}

// listed answers the first request with what write writes, until the client goes.
func listed(t *testing.T, write func(w io.Writer)) *git.Source {
	return listedWith(t, git.Options{}, write)
}

func listedWith(t *testing.T, opts git.Options, write func(w io.Writer)) *git.Source {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		write(w)
	}))
	t.Cleanup(server.Close)
	return newSource(t, server.URL+"/a.git", opts)
}

// flood writes lines for as long as somebody reads, at most 100 MB.
func flood(w io.Writer, size int, next func(i int) string) {
	var batch []byte
	for i, sum := 0, 0; sum < size; i++ {
		batch = append(batch, line(next(i))...)
		if len(batch) > 64<<10 {
			if _, err := w.Write(batch); err != nil {
				return
			}
			sum += len(batch)
			batch = batch[:0]
		}
	}
}

func TestFloodsOfReferencesAreBounded(t *testing.T) {
	ones := strings.Repeat("1", 40)
	for name, tt := range map[string]struct {
		opts git.Options
		next func(i int) string
	}{
		"a million branches":   {git.Options{}, func(i int) string { return fmt.Sprintf("%s refs/heads/%d\n", ones, i) }},
		"a million tags":       {git.Options{SemVer: "*"}, func(i int) string { return fmt.Sprintf("%s refs/tags/v1.0.%d\n", ones, i) }},
		"HEAD again and again": {git.Options{}, func(int) string { return ones + " HEAD\n" }},
		"shallow":              {git.Options{}, func(int) string { return "shallow " + ones }},
		"capabilities": {git.Options{}, func(i int) string {
			if i == 0 {
				return "version 2\n"
			}
			return fmt.Sprintf("capability%d=x\n", i)
		}},
		"one capability": {git.Options{}, func(i int) string {
			if i == 0 {
				return "version 2\n"
			}
			return "x\n"
		}},
		"long names": {git.Options{SemVer: "*"}, func(i int) string {
			return fmt.Sprintf("%s refs/tags/%d%s\n", ones, i, strings.Repeat("x", 60_000))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := listedWith(t, tt.opts, func(w io.Writer) { flood(w, 40<<20, tt.next) })
			err := within(t, 200<<20, func(ctx context.Context) error {
				_, err := s.Fetch(ctx, source.Revision{})
				return err
			})
			checkError(t, err, nil, "")
			if !errors.Is(err, source.ErrTooLarge) && !strings.Contains(err.Error(), "malformed") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMalformedReferences(t *testing.T) {
	ones := strings.Repeat("1", 40)
	can := "\x00side-band-64k shallow"
	for name, tt := range map[string]struct{ answer, text string }{
		"no hash":          {line("main refs/heads/main" + can), "malformed"},
		"short hash":       {line("111 HEAD" + can), "malformed"},
		"no name":          {line(ones + can), "malformed"},
		"letters":          {line(strings.Repeat("z", 40) + " HEAD" + can), "malformed"},
		"nothing":          {"", "references"},
		"a flush":          {"0000", "empty"},
		"half a line":      {"00ff" + ones, "unexpected EOF"},
		"no end":           {line(ones + " HEAD" + can), "unexpected EOF"},
		"delimiter":        {"0001", "empty"},
		"length 3":         {"0003", "malformed"},
		"length of a sign": {"+012" + ones, "malformed"},
		"only others":      {line(ones+" refs/heads/x"+can) + "0000", "HEAD"},
		"SHA-256":          {line(strings.Repeat("1", 64)+" HEAD"+can) + "0000", "sha1"},
		"object format":    {line(ones+" HEAD"+can+" object-format=sha256") + "0000", "sha1"},
		"no abilities":     {line(ones+" HEAD") + "0000", "too old"},
		"no depth":         {line(ones+" HEAD\x00side-band-64k") + "0000", "too old"},
		"not its name":     {line(ones+" HEAD\x00"+strings.Repeat("x", 60_000)) + "0000", "too old"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := listed(t, func(w io.Writer) { fmt.Fprint(w, tt.answer) }).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, tt.text)
		})
	}
}

// A revision's name goes into logs and statuses: what git would let no reference be called is not in it.
func TestFunnyNamesNameNoRevision(t *testing.T) {
	for _, funny := range []string{"refs/heads/a\x1b[31m", "refs/heads/a..b", "refs/heads/", "refs/heads/a.lock", "refs/heads/.a",
		"refs/heads/a~1", "refs/heads/@{x", "refs/heads/" + strings.Repeat("x", 10_000), "elsewhere", "../../etc"} {
		r, commit := sample()
		r.head = funny
		r.refs = []string{commit.String() + " HEAD", commit.String() + " refs/tags/v1.0.0/" + funny + "\x07"}
		for _, scheme := range []string{"http", "git"} {
			_, url := r.serve(t, scheme)
			if got := fetch(t, newSource(t, url, git.Options{}), source.Revision{}).Revision.Name; got != "HEAD" {
				t.Errorf("%q: the revision is called %q", funny, got)
			}
			tagged := git.Options{SemVer: "1.0.0", TagPattern: `^v(1\.0\.0)`}
			_, err := newSource(t, url, tagged).Fetch(t.Context(), source.Revision{})
			checkError(t, err, source.ErrNotFound, "among 0 tags")
		}
	}
}

func TestAnswersInTheOtherVersion(t *testing.T) {
	r, _ := sample()
	two := r.greeting(2)
	handler := r.handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodGet { // version 0 was asked for
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = w.Write(append([]byte(line("# service=git-upload-pack\n")+"0000"), two...))
			return
		}
		handler.ServeHTTP(w, request)
	}))
	defer server.Close()
	for _, opts := range []git.Options{{}, {Paths: []string{"apps/web"}}} {
		if _, err := newSource(t, server.URL+"/a.git", opts).Fetch(t.Context(), source.Revision{}); err != nil {
			t.Error(err)
		}
	}
	// Version 2 is answered as if it were version 0, and the other way around.
	for name, bend := range map[string]func(int, handmadeRequest, []byte) []byte{
		"to 2": func(_ int, q handmadeRequest, _ []byte) []byte {
			q.version, q.deepen = 2-q.version, true
			return r.answer(0, q)
		},
		"HTML":         func(int, handmadeRequest, []byte) []byte { return []byte("<html>hello") },
		"nothing":      func(int, handmadeRequest, []byte) []byte { return nil },
		"a flush":      func(int, handmadeRequest, []byte) []byte { return []byte("0000") },
		"twice":        func(_ int, _ handmadeRequest, a []byte) []byte { return append(a[:len(a)-4:len(a)-4], a...) },
		"no flush":     func(_ int, _ handmadeRequest, a []byte) []byte { return a[:len(a)-4] },
		"channel 9":    func(int, handmadeRequest, []byte) []byte { return []byte(line("NAK\n") + line("\x09x") + "0000") },
		"odd sections": func(int, handmadeRequest, []byte) []byte { return []byte(line("mystery\n") + "0000") },
	} {
		for _, scheme := range []string{"http", "git"} {
			for kind, opts := range map[string]git.Options{"whole": {}, "path": {Paths: []string{"apps/web"}}} {
				t.Run(name+" "+kind+" "+scheme, func(t *testing.T) {
					bent, _ := sample()
					bent.bend = bend
					_, url := bent.serve(t, scheme)
					opts.StallTimeout = 300 * time.Millisecond
					_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
					checkError(t, err, nil, "")
					if n := bent.rounds.Load(); n > 8 {
						t.Errorf("%d packs were asked for", n)
					}
				})
			}
		}
	}
}

func TestFloodsInAnAnswerAreBounded(t *testing.T) {
	ones := strings.Repeat("1", 40)
	for name, next := range map[string]string{
		"progress": "\x02" + strings.Repeat("p", 999), "empty lines": "", "empty channel": "\x01", "shallow": "shallow " + ones,
		"unshallow": "unshallow " + ones, "ACK": "ACK " + ones + " common\n", "NAK": "NAK\n",
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := sample()
			handler := r.handler()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
				if request.Method == http.MethodGet {
					handler.ServeHTTP(w, request)
					return
				}
				w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
				switch name {
				case "progress", "empty lines", "empty channel":
					fmt.Fprint(w, "0000"+line("NAK\n")+line("\x02x"))
				case "ACK", "NAK":
					fmt.Fprint(w, "0000")
				}
				flood(w, 6<<20, func(int) string { return next })
			}))
			defer server.Close()
			s := newSource(t, server.URL+"/a.git", git.Options{Limits: source.Limits{MaxBytes: 4 << 20}})
			err := within(t, 30<<20, func(ctx context.Context) error {
				_, err := s.Fetch(ctx, source.Revision{})
				return err
			})
			checkError(t, err, nil, "")
			if !errors.Is(err, source.ErrTooLarge) && !strings.Contains(err.Error(), "malformed") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Answers that decompress to much more than they are count as what they decompress to.
func TestCompressedBombsAreBounded(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	piece := strings.Repeat(line("\x02"+strings.Repeat("p", 995)), 1000)
	fmt.Fprint(z, "0000"+line("NAK\n"))
	for range 60 {
		_, _ = io.WriteString(z, piece)
	}
	must(t, z.Close())
	r, _ := sample()
	handler := r.handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodGet {
			handler.ServeHTTP(w, request)
			return
		}
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}))
	defer server.Close()
	s := newSource(t, server.URL+"/a.git", git.Options{Limits: source.Limits{MaxBytes: 10 << 20}})
	err := within(t, 40<<20, func(ctx context.Context) error {
		_, err := s.Fetch(ctx, source.Revision{})
		return err
	})
	checkError(t, err, source.ErrTooLarge, "Limits.MaxBytes")
}

// bombPack is a pack with the entry of a blob of so many zero bytes, besides others.
func bombPack(others int, entries []byte, size int) []byte {
	var body bytes.Buffer
	z := zlib.NewWriter(&body)
	_, _ = z.Write(make([]byte, size))
	_ = z.Close()
	out := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(others+1))
	out = append(append(append(out, entries...), packHead(object.Blob, uint64(size))...), body.Bytes()...)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}

// A server that gives one wanted object in each round, along with a bomb that is within the limits by itself.
func TestRoundsShareTheLimits(t *testing.T) {
	r := newHandmade()
	tree := r.tree(entryLine("100644", "f", r.blob("x")))
	for range 40 {
		tree = r.tree(entryLine("40000", "d", tree))
	}
	commit := r.commit(tree)
	r.give = func(round int, q handmadeRequest) []object.Hash { return q.wants[:1] }
	path := strings.Repeat("d/", 39) + "d"
	opts := git.Options{Paths: []string{path}, Limits: source.Limits{MaxBytes: 12 << 20, MaxFileBytes: 12 << 20}}
	t.Run("one object each", func(t *testing.T) {
		_, url := r.serve(t, "http")
		if _, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{}); err != nil {
			t.Error(err) // it is slow, and complete
		}
		if n := r.rounds.Load(); n > 64 {
			t.Errorf("%d packs were asked for", n)
		}
	})
	r.bend = func(round int, q handmadeRequest, _ []byte) []byte {
		wanted := q.wants[0]
		head := line("packfile\n")
		if q.version == 0 {
			head = line("shallow "+commit.String()+"\n") + "0000" + line("NAK\n")
		} else if q.deepen {
			head = line("shallow-info\n") + line("shallow "+commit.String()+"\n") + "0001" + head
		}
		pack := bombPack(1, r.packEntry(wanted, r.objects[wanted]), 2<<20+round) // another blob each time
		return append([]byte(head), banded(pack)...)
	}
	t.Run("and a bomb", func(t *testing.T) {
		_, url := r.serve(t, "http")
		r.rounds.Store(0)
		s := newSource(t, url, opts)
		err := within(t, 60<<20, func(ctx context.Context) error {
			_, err := s.Fetch(ctx, source.Revision{})
			return err
		})
		checkError(t, err, source.ErrTooLarge, "Limits.MaxBytes")
		if n := r.rounds.Load(); n > 8 {
			t.Errorf("%d packs were asked for", n)
		}
	})
}

func TestPacksOfOtherObjects(t *testing.T) {
	other := newHandmade()
	elsewhere := other.commit(other.tree(entryLine("100644", "evil", other.blob("evil"))))
	for name, give := range map[string]func(r *handmade, commit object.Hash, q handmadeRequest) []object.Hash{
		"nothing": func(*handmade, object.Hash, handmadeRequest) []object.Hash { return nil },
		"other objects": func(r *handmade, _ object.Hash, _ handmadeRequest) []object.Hash {
			return r.pick(handmadeRequest{wants: []object.Hash{elsewhere}})
		},
		"no commit": func(r *handmade, commit object.Hash, q handmadeRequest) []object.Hash {
			all := r.pick(handmadeRequest{wants: []object.Hash{commit}})
			return all[1:]
		},
		"the commit alone": func(_ *handmade, commit object.Hash, _ handmadeRequest) []object.Hash { return []object.Hash{commit} },
	} {
		for _, filters := range []bool{true, false} {
			for kind, opts := range map[string]git.Options{"whole": {}, "path": {Paths: []string{"apps/web"}, Ignore: "*.md"}} {
				t.Run(fmt.Sprint(name, " ", kind, " ", filters), func(t *testing.T) {
					r, commit := sample()
					r.filters = filters
					for hash, o := range other.objects {
						r.objects[hash] = o
					}
					r.give = func(_ int, q handmadeRequest) []object.Hash { return give(r, commit, q) }
					_, err := fetchHandmade(t, r, opts)
					checkError(t, err, nil, "left out")
					if n := r.rounds.Load(); n > 6 {
						t.Errorf("%d packs were asked for", n)
					}
				})
			}
		}
	}
}

func TestServersThatClaimToFilter(t *testing.T) {
	for name, change := range map[string]func(r *handmade){
		"and give everything": func(r *handmade) {
			r.give = func(_ int, q handmadeRequest) []object.Hash { q.filter = ""; return r.pick(q) }
		},
		"and hang up": func(r *handmade) {
			r.bend = func(_ int, q handmadeRequest, answer []byte) []byte {
				if q.filter != "" {
					return nil
				}
				return answer
			}
		},
		"and say no": func(r *handmade) {
			r.bend = func(_ int, q handmadeRequest, answer []byte) []byte {
				if q.filter != "" {
					return []byte(line("ERR no filters today"))
				}
				return answer
			}
		},
		"and know no version 2": func(r *handmade) {
			r.bend = func(_ int, q handmadeRequest, answer []byte) []byte {
				if q.version == 2 {
					return []byte(line("ERR what is a command?"))
				}
				return answer
			}
		},
	} {
		for _, scheme := range []string{"http", "git"} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				r, _ := sample()
				change(r)
				_, url := r.serve(t, scheme)
				s := newSource(t, url, git.Options{Paths: []string{"apps/web"}})
				if strings.HasSuffix(name, "2") && scheme == "git" {
					_, err := s.Fetch(t.Context(), source.Revision{})
					checkError(t, err, nil, "what is a command?") // it has greeted in version 2 itself
					return
				}
				if got := listing(t, fetch(t, s, source.Revision{})); len(got) != 2 {
					t.Errorf("got %q", got)
				}
				before := r.rounds.Load()
				r.commit(r.tree(entryLine("40000", "apps", r.tree(entryLine("40000", "web", r.tree(entryLine("100644", "new", r.blob("new"))))))))
				if got := listing(t, fetch(t, s, source.Revision{})); len(got) != 1 {
					t.Errorf("got %q", got)
				}
				if n := r.rounds.Load() - before; n > 3 {
					t.Errorf("%d packs were asked for", n)
				}
			})
		}
	}
}

func TestHostileHTTP(t *testing.T) {
	var hits atomic.Int32
	for name, tt := range map[string]struct {
		handle http.HandlerFunc
		text   string
	}{
		"HTML": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, strings.Repeat("<html>", 1<<20))
		}, "page for browsers"},
		"empty": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		}, "before it has said anything"},
		"loop": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.RequestURI(), http.StatusFound)
		}, "too often"},
		"growing": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/x"+r.URL.RequestURI(), http.StatusPermanentRedirect)
		}, "too often"},
		"file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "another origin"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/a.git/info/refs", http.StatusFound)
		}, "another origin"},
		"no repository": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/login" {
				http.Redirect(w, r, "/login", http.StatusFound)
				return
			}
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		}, "where no repository can be"},
		"huge header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Huge", strings.Repeat("x", 1<<20))
		}, "header"},
		"odd chunks": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"+
					"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello")
				_ = conn.Close()
			}
		}, "chunk"},
		"not HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprint(conn, strings.Repeat("SSH-2.0-x\r\n", 1000))
				_ = conn.Close()
			}
		}, "malformed HTTP"},
		"switching": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) }, ""},
		"broken gzip": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "this is no gzip at all")
		}, "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			hits.Store(0)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hits.Add(1)
				tt.handle(w, r)
			}))
			defer server.Close()
			err := within(t, 50<<20, func(ctx context.Context) error {
				_, err := newSource(t, server.URL+"/a.git", git.Options{StallTimeout: 5 * time.Second}).Fetch(ctx, source.Revision{})
				return err
			})
			checkError(t, err, nil, tt.text)
			if n := hits.Load(); n > 11 {
				t.Errorf("%d requests", n)
			}
		})
	}
}
