package artifacthttp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/artifact/artifacthttp"
)

// A cutter breaks the first answers of a handler off, each after so many bytes, and keeps the requests.
type cutter struct {
	http.Handler
	mu       sync.Mutex
	after    []int64
	requests []*http.Request
}

func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.requests = append(c.requests, r)
	cut := len(c.after) > 0
	var after int64
	if cut {
		after, c.after = c.after[0], c.after[1:]
	}
	c.mu.Unlock()
	if cut {
		w = &cutWriter{ResponseWriter: w, left: after}
	}
	c.Handler.ServeHTTP(w, r)
}

type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) <= w.left {
		w.left -= int64(len(p))
		return w.ResponseWriter.Write(p)
	}
	w.ResponseWriter.Write(p[:w.left])
	http.NewResponseController(w.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

func TestFetchResumesAtAnyByte(t *testing.T) {
	s := shelve(t, 300, artifact.Gzip)
	cuts := &cutter{Handler: artifacthttp.Handler(s, artifacthttp.HandlerOptions{})}
	url := serve(t, cuts) + "/" + string(s.Digest)
	for at := range s.Size + 1 {
		cuts.after, cuts.requests = []int64{at}, nil
		to := &memory{}
		if _, err := hasty().Fetch(t.Context(), url, only(s.Digest), to); err != nil || !bytes.Equal(to.data, s.data) {
			t.Fatalf("cut at %d: %v, and %d bytes", at, err, len(to.data))
		}
		if at == s.Size {
			if len(cuts.requests) != 1 {
				t.Errorf("not cut: %d requests", len(cuts.requests))
			}
			continue
		}
		wantRange, wantIf := fmt.Sprintf("bytes=%d-", at), `"`+string(s.Digest)+`"`
		if at == 0 {
			wantRange, wantIf = "", ""
		}
		if len(cuts.requests) != 2 {
			t.Fatalf("cut at %d: %d requests", at, len(cuts.requests))
		}
		if h := cuts.requests[1].Header; h.Get("Range") != wantRange || h.Get("If-Range") != wantIf {
			t.Errorf("cut at %d: Range %q, If-Range %q", at, h.Get("Range"), h.Get("If-Range"))
		}
	}
}

// The servers here are other than Handler, each in its way.
func TestFetchResumesFromAnyServer(t *testing.T) {
	s := shelve(t, 400_000, artifact.Gzip)
	dir := t.TempDir()
	file := filepath.Join(dir, "latest.tar.gz")
	if err := os.WriteFile(file, s.data, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(dir)) // as source-controller has
	write := func(w http.ResponseWriter) {
		for block := range slices.Chunk(s.data, 10_000) {
			w.Write(block)
		}
	}
	for name, test := range map[string]struct {
		http.Handler
		to       func() artifact.Putter
		ranged   bool
		ifRange  string
		requests int
	}{
		"files": {files, nil, true, old.UTC().Format(http.TimeFormat), 4},
		"a new file": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", old.UTC().Format(http.TimeFormat))
			files.ServeHTTP(w, r)
		}), nil, true, "", 4},
		"no parts": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(s.Size))
			write(w)
		}), nil, true, "", 4},
		"no parts, no length": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w) }), nil, true, "", 4},
		"no parts, no length, no Creator": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w) }),
			func() artifact.Putter { return putter{emptyStore(t)} }, true, "", 5},
		"parts of unknown size": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := int64(0)
			if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &start); err == nil {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", start, s.Size-1))
				w.WriteHeader(206)
			}
			w.Write(s.data[start:])
		}), nil, true, "", 4},
		"short parts": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := int64(0)
			if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &start); err == nil {
				end := min(start+300_000, s.Size)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, s.Size))
				w.WriteHeader(206)
				w.Write(s.data[start:end])
				return
			}
			w.Header().Set("Content-Length", fmt.Sprint(s.Size))
			write(w)
		}), nil, true, "", 5},
	} {
		t.Run(name, func(t *testing.T) {
			cuts := &cutter{Handler: test.Handler, after: []int64{50_001, 70_003, 60_007}}
			if strings.HasPrefix(name, "no parts") {
				cuts.after = []int64{50_001, 150_003, 120_007} // of the whole each time; the last is less than there was
			}
			if strings.HasPrefix(name, "short") {
				cuts.after = []int64{20_000, 30_000, 1} // what is left is more than one part
			}
			to := artifact.Putter(emptyStore(t))
			if test.to != nil {
				to = test.to()
			}
			got, err := hasty().Fetch(t.Context(), serve(t, cuts)+"/latest.tar.gz", only(s.Digest), to)
			if err != nil || got.Size != s.Size || got.MediaType != s.MediaType {
				t.Fatalf("%+v, %v after %d requests", got, err, len(cuts.requests))
			}
			if len(cuts.requests) != test.requests {
				t.Errorf("%d requests, want %d", len(cuts.requests), test.requests)
			}
			if ifRange := cuts.requests[1].Header.Get("If-Range"); ifRange != test.ifRange {
				t.Errorf("If-Range is %q, want %q", ifRange, test.ifRange)
			}
			if store, ok := to.(artifact.Opener); ok {
				holds(t, store, s.Digest, s.data)
			}
		})
	}
}

// HTTP/1.0 without a length ends where the connection does, be the body whole or not.
func TestFetchResumesWhereNothingTellsAnEndFromACut(t *testing.T) {
	s := shelve(t, 100_000, artifact.Gzip)
	asked := []string{}
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, out, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		asked = append(asked, r.Header.Get("Range"))
		if len(asked) == 1 {
			fmt.Fprintf(out, "HTTP/1.0 200 OK\r\n\r\n%s", s.data[:30_000])
		} else {
			fmt.Fprintf(out, "HTTP/1.0 206 Partial Content\r\nContent-Range: bytes 30000-%d/%d\r\n\r\n%s", s.Size-1, s.Size, s.data[30_000:])
		}
		out.Flush()
	}))
	to := emptyStore(t)
	if _, err := hasty().Fetch(t.Context(), url, only(s.Digest), to); err != nil {
		t.Fatal(err)
	}
	holds(t, to, s.Digest, s.data)
	if !slices.Equal(asked, []string{"", "bytes=30000-"}) {
		t.Errorf("asked for %q", asked)
	}
}

func TestFetchTriesAgainWithinBounds(t *testing.T) {
	s := shelve(t, 100_000, artifact.Gzip)
	whole := artifacthttp.Handler(s, artifacthttp.HandlerOptions{})
	for name, test := range map[string]struct {
		status   int // of the first answers; 0: the connection breaks
		fails    int64
		after    string
		retries  int
		requests int64
		ok       bool
	}{
		"busy":                      {503, 5, "0", 0, 6, true},
		"busy for too long":         {503, 6, "0", 0, 6, false},
		"busy once more":            {503, 6, "", 6, 7, true},
		"never again":               {503, 1, "0", -1, 1, false},
		"too many":                  {429, 1, "0", 0, 2, true},
		"broken":                    {500, 1, "", 0, 2, true},
		"bad gateway":               {502, 1, "", 0, 2, true},
		"gateway timeout":           {504, 1, "rubbish", 0, 2, true},
		"a past date":               {503, 1, "Sat, 01 Jan 2000 00:00:00 GMT", 0, 2, true},
		"longer than anybody waits": {503, 1, "61", 0, 1, false},
		"longer than there is":      {503, 1, "Fri, 31 Dec 9999 00:00:00 GMT", 0, 1, false},
		"no connection":             {0, 2, "", 0, 3, true},
		"no connection for long":    {0, 9, "", 2, 3, false},
		"not implemented":           {501, 1, "", 0, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			left := test.fails
			h, requests := counted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if left--; left < 0 {
					whole.ServeHTTP(w, r)
					return
				}
				if test.status == 0 {
					panic(http.ErrAbortHandler)
				}
				if test.after != "" {
					w.Header().Set("Retry-After", test.after)
				}
				w.WriteHeader(test.status)
			}))
			client := hasty()
			client.HTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // or it tries again by itself
			client.Retries = test.retries
			to := emptyStore(t)
			_, err := client.Fetch(t.Context(), serve(t, h)+"/"+string(s.Digest), only(s.Digest), to)
			if test.ok != (err == nil) || requests.Load() != test.requests {
				t.Errorf("%v after %d requests, want %d", err, requests.Load(), test.requests)
			}
			if e := new(artifacthttp.Error); errors.As(err, &e) && e.Status != test.status {
				t.Errorf("status %d, want %d: %v", e.Status, test.status, err)
			}
			if err == nil {
				holds(t, to, s.Digest, s.data)
			} else {
				isEmpty(t, to)
			}
		})
	}
}

// One that always breaks off ends for the client, however far it comes each time.
func TestFetchGivesUpOnWhatAlwaysBreaksOff(t *testing.T) {
	s := shelve(t, 100_000, artifact.Gzip)
	cuts := &cutter{Handler: artifacthttp.Handler(s, artifacthttp.HandlerOptions{}), after: slices.Repeat([]int64{10}, 100)}
	to := emptyStore(t)
	client := hasty()
	client.Retries = 20
	_, err := client.Fetch(t.Context(), serve(t, cuts)+"/"+string(s.Digest), only(s.Digest), to)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "after 20 retries") || len(cuts.requests) != 21 {
		t.Errorf("%v after %d requests", err, len(cuts.requests))
	}
	isEmpty(t, to)
}

// A server that is silent is left, and asked anew, while one that is slow is waited for.
func TestFetchLeavesASilentServer(t *testing.T) {
	s := shelve(t, 100_000, artifact.Gzip)
	whole := artifacthttp.Handler(s, artifacthttp.HandlerOptions{})
	n := 0
	h, requests := counted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n++; n {
		case 1: // says nothing
			<-r.Context().Done()
		case 2: // stops in the middle
			w.Header().Set("ETag", `"`+string(s.Digest)+`"`)
			w.Header().Set("Content-Length", fmt.Sprint(s.Size))
			w.Write(s.data[:40_000])
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			whole.ServeHTTP(w, r)
		}
	}))
	client := hasty()
	client.StallTimeout = 200 * time.Millisecond
	to := emptyStore(t)
	if _, err := client.Fetch(t.Context(), serve(t, h)+"/"+string(s.Digest), only(s.Digest), to); err != nil || requests.Load() != 3 {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
	holds(t, to, s.Digest, s.data)

	n, client.Retries = 0, -1
	_, err := client.Fetch(t.Context(), serve(t, h)+"/"+string(s.Digest), only(s.Digest), emptyStore(t))
	if err == nil || !strings.Contains(err.Error(), "Client.StallTimeout") {
		t.Error(err)
	}
}
