package artifacthttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/artifact/artifacthttp"
)

// first sends the beginning of an artifact under a tag, and breaks off.
func first(w http.ResponseWriter, tag string, size int64, data []byte) {
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Length", fmt.Sprint(size))
	w.Write(data)
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// part answers with a part, whose Content-Range is as given.
func part(w http.ResponseWriter, contentRange string, data []byte) {
	w.Header().Set("Content-Range", contentRange)
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	w.WriteHeader(http.StatusPartialContent)
	w.Write(data)
}

// Each server sends half, breaks off, and then does what it should not. What is fetched in the end, if anything, is right.
func TestFetchIsNotDeceivedWhereItResumes(t *testing.T) {
	s := shelve(t, 100_000, artifact.Gzip)
	const half = 50_000
	rest := s.data[half:]
	other := make([]byte, len(rest))
	right := fmt.Sprintf("bytes %d-%d/%d", half, s.Size-1, s.Size)
	whole := artifacthttp.Handler(s, artifacthttp.HandlerOptions{})
	for name, test := range map[string]struct {
		second   func(w http.ResponseWriter)
		requests int
		is       error // nil: the third answer is whole, and is taken
	}{
		"other bytes":             {func(w http.ResponseWriter) { part(w, right, other) }, 3, nil},
		"one byte too many":       {func(w http.ResponseWriter) { part(w, right, append(rest[:len(rest):len(rest)], 0)) }, 3, nil},
		"bytes from the start":    {func(w http.ResponseWriter) { part(w, right, s.data[:len(rest)]) }, 3, nil},
		"another tag":             {func(w http.ResponseWriter) { w.Header().Set("ETag", `"b"`); part(w, right, rest) }, 3, nil},
		"another size":            {func(w http.ResponseWriter) { part(w, fmt.Sprintf("bytes %d-%d/%d", half, s.Size-1, s.Size+1), rest) }, 3, nil},
		"nothing of that":         {func(w http.ResponseWriter) { w.WriteHeader(416) }, 3, nil},
		"another whole":           {func(w http.ResponseWriter) { w.Write(make([]byte, s.Size)) }, 3, nil},
		"a shorter whole":         {func(w http.ResponseWriter) { w.Write(s.data[:100]) }, 3, nil},
		"a whole of another size": {func(w http.ResponseWriter) { w.Write(append(s.data[:s.Size:s.Size], 0)) }, 3, nil},
		"another part":            {func(w http.ResponseWriter) { part(w, fmt.Sprintf("bytes 0-%d/%d", s.Size-1, s.Size), s.data) }, 2, errAny},
		"a part of no place":      {func(w http.ResponseWriter) { part(w, "", rest) }, 2, errAny},
		"a part of an odd place":  {func(w http.ResponseWriter) { part(w, "bytes 50000-50/40", rest) }, 2, errAny},
		"several parts": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "multipart/byteranges; boundary=x")
			part(w, "", rest)
		}, 2, errAny},
		"gone": {func(w http.ResponseWriter) { w.WriteHeader(404) }, 2, artifact.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch n++; n {
				case 1:
					first(w, `"a"`, s.Size, s.data[:half])
				case 2:
					test.second(w)
				default:
					if r.Header.Get("Range") != "" {
						t.Errorf("asked for %s of what is not to be believed", r.Header.Get("Range"))
					}
					whole.ServeHTTP(w, r)
				}
			}))
			to := emptyStore(t)
			_, err := hasty().Fetch(t.Context(), url+"/"+string(s.Digest), only(s.Digest), to)
			if n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
			switch {
			case test.is == nil && err == nil:
				holds(t, to, s.Digest, s.data)
				return
			case test.is == nil, err == nil, test.is != errAny && !errors.Is(err, test.is):
				t.Errorf("%v, want %v", err, test.is)
			}
			isEmpty(t, to)
		})
	}
}

var errAny = errors.New("any")

// A server that changes its mind each time ends for the client, too.
func TestFetchGivesUpOnWhatAlwaysChanges(t *testing.T) {
	s := shelve(t, 1000, artifact.Gzip)
	h, requests := counted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			part(w, fmt.Sprintf("bytes 500-%d/%d", s.Size-1, s.Size), make([]byte, s.Size-500))
			return
		}
		first(w, `"a"`, s.Size, s.data[:500])
	}))
	to := emptyStore(t)
	_, err := hasty().Fetch(t.Context(), serve(t, h), only(s.Digest), to)
	if !errors.Is(err, artifact.ErrDigest) || requests.Load() != 1+artifacthttp.DefaultRetries {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
	isEmpty(t, to)
}

// endless counts what is written of an answer without an end.
func endless(w http.ResponseWriter, written *int64) {
	block := make([]byte, 32<<10)
	for {
		n, err := w.Write(block)
		*written += int64(n)
		if err != nil {
			return
		}
	}
}

func TestFetchStopsAtTheFirstByteTooMany(t *testing.T) {
	s := shelve(t, 100_000, artifact.Gzip)
	for name, test := range map[string]struct {
		length int64 // announced
		want   artifact.Descriptor
		is     error
	}{
		"no length":             {-1, only(s.Digest), artifact.ErrTooLarge},
		"no length, known size": {-1, s.Descriptor, artifact.ErrDigest},
		"a large length":        {1 << 40, only(s.Digest), artifact.ErrTooLarge},
		"another length":        {s.Size + 1, s.Descriptor, artifact.ErrDigest},
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan int64, 1)
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if test.length >= 0 {
					w.Header().Set("Content-Length", fmt.Sprint(test.length))
				}
				var written int64
				endless(w, &written)
				done <- written
			}))
			to := emptyStore(t)
			client := hasty()
			client.MaxBytes = 1 << 20
			_, err := client.Fetch(t.Context(), url, test.want, to)
			if !errors.Is(err, test.is) {
				t.Errorf("%v, want %v", err, test.is)
			}
			limit := new(artifact.LimitError)
			if test.is == artifact.ErrTooLarge && (!errors.As(err, &limit) || limit.Option != "Client.MaxBytes" || limit.Max != 1<<20) {
				t.Errorf("%v, want the option's name", err)
			}
			if written := <-done; written > 64<<20 {
				t.Errorf("%d bytes were taken", written)
			}
			isEmpty(t, to)
		})
	}
}

// The transport unpacks what it thinks was packed for the way. Neither may happen to an artifact.
func TestFetchTakesBytesAsTheyAre(t *testing.T) {
	s := shelve(t, 1000, artifact.Gzip)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Values("Accept-Encoding"); len(got) != 1 || got[0] != "identity" {
			t.Errorf("Accept-Encoding is %q", got)
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Encoding", "gzip") // as some servers say of each .gz
		w.Write(s.data)
	}))
	to := emptyStore(t)
	if got, err := hasty().Fetch(t.Context(), url, only(s.Digest), to); err != nil || got.MediaType != artifact.MediaTypeTarGzip {
		t.Errorf("%+v, %v", got, err)
	}
	holds(t, to, s.Digest, s.data)
}

// A store that believes all is no reason to say that the artifact is there.
func TestFetchBelievesNoCarelessStore(t *testing.T) {
	s := shelve(t, 1000, artifact.Gzip)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1000)) }))
	_, err := hasty().Fetch(t.Context(), url, only(s.Digest), careless{})
	if !errors.Is(err, artifact.ErrDigest) {
		t.Error(err)
	}
}

// careless reads all, and has no complaint.
type careless struct{}

func (careless) Put(_ context.Context, r io.Reader, _ artifact.Descriptor) error {
	io.Copy(io.Discard, r)
	return nil
}
