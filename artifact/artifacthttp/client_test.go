package artifacthttp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/artifact/artifacthttp"
)

// hasty is a client that does not wait between tries, to speak of.
func hasty() *artifacthttp.Client {
	return &artifacthttp.Client{RetryWait: time.Nanosecond, MaxWait: time.Minute}
}

// only is what source-controller's status tells, besides the URL.
func only(d digest.Digest) artifact.Descriptor { return artifact.Descriptor{Digest: d} }

// A putter is a Putter and nothing else.
type putter struct{ artifact.Putter }

func TestFetchNeedsNothingButURLAndDigest(t *testing.T) {
	for _, compression := range []artifact.Compression{artifact.Gzip, artifact.Zstd, artifact.None} {
		s := shelve(t, 300_000, compression)
		h, requests := counted(artifacthttp.Handler(s, artifacthttp.HandlerOptions{}))
		url := serve(t, h)
		for _, path := range []string{"/apps/podinfo", "/" + string(s.Digest)} {
			to := emptyStore(t)
			requests.Store(0)
			got, err := new(artifacthttp.Client).Fetch(t.Context(), url+path, only(s.Digest), to)
			want := artifact.Descriptor{MediaType: s.MediaType, Digest: s.Digest, Size: s.Size}
			if err != nil || got != want || requests.Load() != 1 {
				t.Errorf("%v%s: %+v, %v after %d requests", compression, path, got, err, requests.Load())
			}
			holds(t, to, s.Digest, s.data)
			tree, err := artifact.Open(t.Context(), bytes.NewReader(bytesOf(t, to, s.Digest)), got, artifact.UnpackOptions{})
			if err != nil || tree == nil {
				t.Errorf("%v%s: %v", compression, path, err)
			}
		}
	}
}

func TestFetchKeepsWhatIsKnown(t *testing.T) {
	s := shelve(t, 1000, artifact.Gzip)
	url := serve(t, artifacthttp.Handler(s, artifacthttp.HandlerOptions{}))
	for _, to := range []artifact.Putter{emptyStore(t), putter{emptyStore(t)}} {
		got, err := new(artifacthttp.Client).Fetch(t.Context(), url+"/"+string(s.Digest), s.Descriptor, to)
		if err != nil || got != s.Descriptor {
			t.Errorf("%T: %+v, %v", to, got, err)
		}
	}
}

func TestFetchAsksForNothingThatIsThere(t *testing.T) {
	s := shelve(t, 100_000, artifact.Gzip)
	h, requests := counted(artifacthttp.Handler(s, artifacthttp.HandlerOptions{}))
	url := serve(t, h) + "/" + string(s.Digest)
	to := shelve(t, 100_000, artifact.Gzip)
	fetch := func(want artifact.Descriptor, count int64) {
		t.Helper()
		requests.Store(0)
		got, err := new(artifacthttp.Client).Fetch(t.Context(), url, want, to)
		if err != nil || got.Digest != s.Digest || got.Size != s.Size || requests.Load() != count {
			t.Errorf("%+v, %v after %d requests, want %d", got, err, requests.Load(), count)
		}
		holds(t, to, s.Digest, s.data)
	}
	fetch(only(s.Digest), 0)
	fetch(s.Descriptor, 0)
	to.damage(t, 50_000)
	fetch(only(s.Digest), 1)
	fetch(only(s.Digest), 0)
	other := s.Descriptor
	other.ContentDigest = digest.FromString("other") // not verified here, so it may not be forgotten either
	fetch(other, 1)
}

func TestFetchFailsAtOnce(t *testing.T) {
	s := shelve(t, 1000, artifact.Gzip)
	other := digest.FromString("other")
	answers := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	chunks := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(s.data[:100])
		http.NewResponseController(w).Flush()
	})
	handler := artifacthttp.Handler(s, artifacthttp.HandlerOptions{})
	for name, test := range map[string]struct {
		from     http.Handler
		path     string
		want     artifact.Descriptor
		client   artifacthttp.Client
		is       error
		status   int
		requests int64
	}{
		"not there":         {handler, "/nowhere", only(s.Digest), artifacthttp.Client{}, artifact.ErrNotFound, 404, 1},
		"gone":              {answers(410), "/", only(s.Digest), artifacthttp.Client{}, artifact.ErrNotFound, 410, 1},
		"unauthorized":      {answers(401), "/", only(s.Digest), artifacthttp.Client{}, artifacthttp.ErrUnauthorized, 401, 1},
		"forbidden":         {answers(403), "/", only(s.Digest), artifacthttp.Client{}, artifacthttp.ErrUnauthorized, 403, 1},
		"bad request":       {answers(400), "/", only(s.Digest), artifacthttp.Client{}, nil, 400, 1},
		"no content":        {answers(204), "/", only(s.Digest), artifacthttp.Client{}, nil, 204, 1},
		"a part, unasked":   {answers(206), "/", only(s.Digest), artifacthttp.Client{}, nil, 206, 1},
		"empty":             {answers(200), "/", only(s.Digest), artifacthttp.Client{}, artifact.ErrDigest, 0, 1},
		"other digest":      {handler, "/podinfo", only(other), artifacthttp.Client{}, artifact.ErrDigest, 0, 1},
		"other, in chunks":  {chunks, "/", only(s.Digest), artifacthttp.Client{}, artifact.ErrDigest, 0, 1},
		"too small a size":  {handler, "/podinfo", sized(s, -1), artifacthttp.Client{}, artifact.ErrDigest, 0, 1},
		"too large a size":  {handler, "/podinfo", sized(s, 1), artifacthttp.Client{}, artifact.ErrDigest, 0, 1},
		"too large":         {handler, "/podinfo", only(s.Digest), artifacthttp.Client{MaxBytes: s.Size - 1}, artifact.ErrTooLarge, 0, 1},
		"known to be large": {handler, "/podinfo", sized(s, 0), artifacthttp.Client{MaxBytes: s.Size - 1}, artifact.ErrTooLarge, 0, 0},
		"no digest":         {handler, "/podinfo", artifact.Descriptor{}, artifacthttp.Client{}, artifact.ErrFormat, 0, 0},
		"odd digest":        {handler, "/podinfo", only("sha256:abc"), artifacthttp.Client{}, artifact.ErrFormat, 0, 0},
		"other algorithm":   {handler, "/podinfo", only(digest.SHA512.FromString("x")), artifacthttp.Client{}, artifact.ErrFormat, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h, requests := counted(test.from)
			url := serve(t, h) + test.path
			for _, to := range []artifact.Putter{emptyStore(t), putter{emptyStore(t)}} {
				requests.Store(0)
				_, err := test.client.Fetch(t.Context(), url, test.want, to)
				e := new(artifacthttp.Error)
				if !errors.As(err, &e) || e.Op != "fetch" || e.URL != url || e.Status != test.status || test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("%v, want %v with status %d", err, test.is, test.status)
				}
				if requests.Load() != test.requests {
					t.Errorf("%d requests, want %d", requests.Load(), test.requests)
				}
				if store, ok := to.(artifact.Lister); ok {
					isEmpty(t, store)
				}
			}
		})
	}
}

func sized(s *shelf, more int64) artifact.Descriptor {
	d := s.Descriptor
	d.Size += more
	return d
}

func TestFetchRefusesOddURLs(t *testing.T) {
	for _, url := range []string{"", "podinfo", "/podinfo", "ftp://host/podinfo", "file:///etc/passwd", "http://", "http://%zz", "://"} {
		_, err := new(artifacthttp.Client).Fetch(t.Context(), url, only(digest.FromString("x")), emptyStore(t))
		if e := new(artifacthttp.Error); !errors.As(err, &e) || e.Status != 0 {
			t.Errorf("%q: %v", url, err)
		}
	}
}

var errFull = errors.New("the disk is full")

// brittle fails after some bytes, as a full disk does.
type brittle struct{ after int64 }

func (b brittle) Put(_ context.Context, r io.Reader, _ artifact.Descriptor) error {
	io.CopyN(io.Discard, r, b.after)
	return errFull
}

func TestFetchTellsWhatTheStoreReturns(t *testing.T) {
	s := shelve(t, 200_000, artifact.Gzip)
	h, requests := counted(artifacthttp.Handler(s, artifacthttp.HandlerOptions{}))
	url := serve(t, h)
	for _, after := range []int64{0, 1, 100_000} {
		requests.Store(0)
		_, err := hasty().Fetch(t.Context(), url+"/"+string(s.Digest), only(s.Digest), brittle{after})
		if !errors.Is(err, errFull) || requests.Load() != 1 {
			t.Errorf("after %d bytes: %v, %d requests", after, err, requests.Load())
		}
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	s := shelve(t, 200_000, artifact.Gzip)
	arrived := make(chan struct{}, 10)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			w.Write(s.data[:1000])
			http.NewResponseController(w).Flush()
		}
		arrived <- struct{}{}
		if r.URL.Path == "/busy" {
			w.Header().Set("Retry-After", "50")
			w.WriteHeader(503)
			return
		}
		<-r.Context().Done()
	}))
	for _, path := range []string{"/silent", "/begun", "/busy"} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-arrived
			cancel()
		}()
		to := emptyStore(t)
		_, err := hasty().Fetch(ctx, url+path, only(s.Digest), to)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", path, err)
		}
		isEmpty(t, to)
		cancel()
	}
}

func TestResolve(t *testing.T) {
	s := shelve(t, 1000, artifact.Zstd)
	h, requests := counted(artifacthttp.Handler(s, artifacthttp.HandlerOptions{}))
	url := serve(t, h)
	want := artifact.Descriptor{MediaType: s.MediaType, Digest: s.Digest, Size: s.Size}
	for _, path := range []string{"/podinfo", "/" + string(s.Digest) + ".tar.zst"} {
		requests.Store(0)
		got, err := new(artifacthttp.Client).Resolve(t.Context(), url+path)
		if err != nil || got != want || requests.Load() != 1 {
			t.Errorf("%s: %+v, %v after %d requests", path, got, err, requests.Load())
		}
	}
	_, err := new(artifacthttp.Client).Resolve(t.Context(), url+"/nowhere")
	if e := new(artifacthttp.Error); !errors.Is(err, artifact.ErrNotFound) || !errors.As(err, &e) || e.Op != "resolve" || e.Status != 404 {
		t.Error(err)
	}
	if _, err := new(artifacthttp.Client).Resolve(t.Context(), "nowhere"); err == nil {
		t.Error("resolved nowhere")
	}
}

func TestResolveBelievesOneDigest(t *testing.T) {
	a, b := digest.FromString("a"), digest.FromString("b")
	const fieldOfA = "sha-256=:ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=:"
	for name, test := range map[string]struct {
		header []string
		want   digest.Digest
		is     error
	}{
		"nothing":      {nil, "", artifacthttp.ErrNoDigest},
		"tag":          {[]string{"ETag", `"` + string(a) + `"`}, a, nil},
		"weak tag":     {[]string{"ETag", `W/"` + string(a) + `"`}, a, nil},
		"other tag":    {[]string{"ETag", `"abc"`}, "", artifacthttp.ErrNoDigest},
		"docker":       {[]string{"Docker-Content-Digest", string(a)}, a, nil},
		"repr":         {[]string{"Repr-Digest", fieldOfA}, a, nil},
		"repr of many": {[]string{"Repr-Digest", "sha-512=:AAAA:, " + fieldOfA + ";q=1"}, a, nil},
		"repr damaged": {[]string{"Repr-Digest", "sha-256=:AAAA:"}, "", artifacthttp.ErrNoDigest},
		"all":          {[]string{"Repr-Digest", fieldOfA, "ETag", `"` + string(a) + `"`, "Docker-Content-Digest", string(a)}, a, nil},
		"contradicted": {[]string{"Repr-Digest", fieldOfA, "Docker-Content-Digest", string(b)}, "", artifacthttp.ErrNoDigest},
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for i := 0; i < len(test.header); i += 2 {
					w.Header().Set(test.header[i], test.header[i+1])
				}
			}))
			got, err := new(artifacthttp.Client).Resolve(t.Context(), url)
			if got.Digest != test.want || !errors.Is(err, test.is) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
