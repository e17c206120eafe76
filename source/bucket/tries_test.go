package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A failing transport answers some requests itself.
type failing struct {
	mu    sync.Mutex
	seen  map[string]int // requests by path
	fails func(r *http.Request, n int) (*http.Response, error)
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	if f.seen == nil {
		f.seen = make(map[string]int)
	}
	f.seen[r.URL.Path]++
	n := f.seen[r.URL.Path]
	f.mu.Unlock()
	if response, err := f.fails(r, n); response != nil || err != nil {
		return response, err
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (f *failing) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := 0
	for _, n := range f.seen {
		sum += n
	}
	clear(f.seen)
	return sum
}

func answer(status int, header, value string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{header: {value}}, Body: io.NopCloser(strings.NewReader(
		"<Error><Code>SlowDown</Code><Message>not now</Message></Error>")), ProtoMajor: 1, ProtoMinor: 1}
}

// sampleBucket has three objects.
func sampleBucket(t *testing.T) *testbed.Bucket {
	b := testbed.S3(t)
	must(t, put(t.Context(), b, map[string][]byte{"a": []byte("aaaa"), "b/c": []byte("bbbb"), "b/d": bytes.Repeat([]byte("c"), 3000)}))
	return b
}

func TestWhatFailsForAWhileIsTriedAgain(t *testing.T) {
	broken := errors.New("the network is down")
	for name, fails := range map[string]func(r *http.Request, n int) (*http.Response, error){
		"500 once":      func(_ *http.Request, n int) (*http.Response, error) { return failUntil(n, 1, 500) },
		"503 twice":     func(_ *http.Request, n int) (*http.Response, error) { return failUntil(n, 2, 503) },
		"429 twice":     func(_ *http.Request, n int) (*http.Response, error) { return failUntil(n, 2, 429) },
		"504 twice":     func(_ *http.Request, n int) (*http.Response, error) { return failUntil(n, 2, 504) },
		"no connection": func(_ *http.Request, n int) (*http.Response, error) { return nil, map[bool]error{true: broken}[n < 3] },
	} {
		t.Run(name, func(t *testing.T) {
			b := sampleBucket(t)
			f := &failing{fails: fails}
			opts := options(b)
			opts.Transport = f
			if got := names(t, fetch(t, newSource(t, opts), source.Revision{})); len(got) != 3 {
				t.Errorf("got %q", got)
			}
			want := 4 * 3
			if name == "500 once" {
				want = 4 * 2
			}
			if got := f.count(); got != want {
				t.Errorf("got %d requests, want %d", got, want)
			}
		})
	}
}

func failUntil(n, until, code int) (*http.Response, error) {
	if n > until {
		return nil, nil
	}
	return answer(code, "Retry-After", "0"), nil
}

func TestWhatKeepsFailingIsATemporaryError(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func() (*http.Response, error)
		after  time.Duration
		tries  int
	}{
		"503":          {func() (*http.Response, error) { return answer(503, "X", ""), nil }, 0, 3},
		"for a second": {func() (*http.Response, error) { return answer(503, "Retry-After", "1"), nil }, time.Second, 1},
		"for an hour":  {func() (*http.Response, error) { return answer(429, "Retry-After", "3600"), nil }, time.Hour, 1},
		"without end":  {func() (*http.Response, error) { return answer(429, "Retry-After", "99999999999"), nil }, 1 << 30 * time.Second, 1},
		"nonsense":     {func() (*http.Response, error) { return answer(500, "Retry-After", "-7 moons"), nil }, 0, 3},
		"no network":   {func() (*http.Response, error) { return nil, errors.New("the network is down") }, 0, 3},
		"a date gone by": {func() (*http.Response, error) {
			return answer(503, "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"), nil
		}, 0, 3},
		"half an answer":  {func() (*http.Response, error) { return halfPage(), nil }, 0, 3},
		"half an answer2": {func() (*http.Response, error) { return answer(502, "X", ""), nil }, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			b := sampleBucket(t)
			f := &failing{fails: func(r *http.Request, _ int) (*http.Response, error) {
				if r.URL.Query().Has("list-type") == (name != "half an answer2") {
					return tt.answer()
				}
				return nil, nil
			}}
			opts := options(b)
			opts.Transport, opts.MaxWait, opts.Concurrency = f, 500*time.Millisecond, 1
			s := newSource(t, opts)
			_, err := s.Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, "")
			temporary := new(source.TemporaryError)
			if !errors.As(err, &temporary) || temporary.After != tt.after {
				t.Errorf("got %v, %+v, want to wait for %s", err, temporary, tt.after)
			}
			want := tt.tries
			if name == "half an answer2" {
				want++ // the LIST
			}
			if got := f.count(); got != want {
				t.Errorf("got %d requests, want %d", got, want)
			}
			f.mu.Lock()
			f.fails = func(*http.Request, int) (*http.Response, error) { return nil, nil }
			f.mu.Unlock()
			fetch(t, s, source.Revision{})
		})
	}
}

func halfPage() *http.Response {
	r := answer(200, "X", "")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("<ListBucketResult><Contents><Key>a</Key>"), brokenReader{}))
	return r
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestRetryAfterIsObeyed(t *testing.T) {
	b := sampleBucket(t)
	var first, second time.Time
	opts := options(b)
	opts.Transport = &failing{fails: func(r *http.Request, n int) (*http.Response, error) {
		if !r.URL.Query().Has("list-type") {
			return nil, nil
		}
		if n == 1 {
			first = time.Now()
			return answer(503, "Retry-After", "1"), nil
		}
		second = time.Now()
		return nil, nil
	}}
	fetch(t, newSource(t, opts), source.Revision{})
	if got := second.Sub(first); got < time.Second {
		t.Errorf("the server asked for a second and was left alone for %s", got)
	}
	// The context ends a wait.
	opts.Transport = &failing{fails: func(*http.Request, int) (*http.Response, error) { return answer(503, "Retry-After", "15"), nil }}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := newSource(t, opts).Fetch(ctx, source.Revision{})
	checkError(t, err, context.DeadlineExceeded, "")
}

func TestRefusalsAreNotTriedAgain(t *testing.T) {
	b := sampleBucket(t)
	for name, tt := range map[string]struct {
		status     int
		code, more string
		want       error
		text       string
	}{
		"no permission":  {403, "AccessDenied", "", source.ErrUnauthorized, "403"},
		"clock":          {403, "RequestTimeTooSkewed", "", source.ErrUnauthorized, "this machine's clock"},
		"region":         {400, "AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>", nil, `"eu-west-3": set Options.Region`},
		"region, by 301": {301, "PermanentRedirect", "<Endpoint>fleet.s3.eu-west-3.amazonaws.com</Endpoint>", nil, "Options.Region"},
		"no bucket":      {404, "NoSuchBucket", "", source.ErrNotFound, "fleet"},
		"what is that":   {400, "InvalidArgument", "", nil, "InvalidArgument"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{fails: func(*http.Request, int) (*http.Response, error) {
				r := answer(tt.status, "Location", "http://nonexistent.invalid/")
				r.Body = io.NopCloser(strings.NewReader(fmt.Sprintf("<Error><Code>%s</Code><Message>no</Message>%s</Error>", tt.code, tt.more)))
				return r, nil
			}}
			opts := options(b)
			opts.Transport, opts.Bucket = f, "fleet"
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
			if errors.As(err, new(*source.TemporaryError)) {
				t.Errorf("%v is temporary", err)
			}
			if got := f.count(); got != 1 {
				t.Errorf("got %d requests", got)
			}
		})
	}
}

// One object cannot be had: nothing is returned, its key is named, and the next call reads only what lacks.
func TestWhatCameIsUsedAgain(t *testing.T) {
	b := sampleBucket(t)
	refused := true
	f := &failing{}
	f.fails = func(r *http.Request, _ int) (*http.Response, error) {
		if refused && strings.HasSuffix(r.URL.Path, "/b/d") {
			r := answer(403, "X", "")
			r.Body = io.NopCloser(strings.NewReader("<Error><Code>AccessDenied</Code></Error>"))
			return r, nil
		}
		return nil, nil
	}
	opts := options(b)
	opts.Transport, opts.Concurrency = f, 1
	s := newSource(t, opts)
	snapshot, err := s.Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrUnauthorized, `key "b/d"`)
	if snapshot != nil {
		t.Error("something was returned")
	}
	f.count()
	refused = false
	fetch(t, s, source.Revision{})
	if got := f.count(); got != 2 {
		t.Errorf("got %d requests, want a LIST and a GET", got)
	}
}

// checkSample holds a snapshot against what sampleBucket put.
func checkSample(t *testing.T, snapshot fs.FS) {
	t.Helper()
	if got := names(t, snapshot); len(got) != 3 || read(t, snapshot, "a") != "aaaa" || read(t, snapshot, "b/c") != "bbbb" ||
		read(t, snapshot, "b/d") != strings.Repeat("c", 3000) {
		t.Errorf("got %q", got)
	}
}

// Each try of a request costs a pause, so not every byte is cut at, and many are at once.
func TestCutAtAnyByte(t *testing.T) {
	b := sampleBucket(t)
	const groups, each = 8, 12
	for group := range groups {
		t.Run(fmt.Sprint(group), func(t *testing.T) {
			t.Parallel()
			c := testbed.NewCutter(t, b.Endpoint)
			transport := &http.Transport{}
			opts := options(b)
			opts.Endpoint, opts.Concurrency, opts.Transport = "http://"+c.Address, 1, transport
			checkSample(t, fetch(t, newSource(t, opts), source.Revision{}))
			whole := c.Passed()
			for i := range each {
				s := newSource(t, opts)
				n := (i*groups + group) * whole / (groups * each)
				c.Allow(n, true, false)
				snapshot, err := s.Fetch(t.Context(), source.Revision{})
				if !errors.As(err, new(*source.TemporaryError)) || snapshot != nil {
					t.Fatalf("after %d bytes of %d: got %v", n, whole, err)
				}
				c.Allow(testbed.Plenty, true, false)
				snapshot, err = s.Fetch(t.Context(), source.Revision{})
				must(t, err)
				checkSample(t, snapshot)
				transport.CloseIdleConnections()
			}
		})
	}
}

func TestSilenceAtAnyByteEnds(t *testing.T) {
	b := sampleBucket(t)
	c := testbed.NewCutter(t, b.Endpoint)
	opts := options(b)
	opts.Endpoint, opts.Concurrency, opts.StallTimeout = "http://"+c.Address, 1, 50*time.Millisecond
	fetch(t, newSource(t, opts), source.Revision{})
	whole := c.Passed()
	for i := range 6 {
		transport := &http.Transport{}
		opts.Transport = transport
		s := newSource(t, opts)
		c.Allow(i*whole/6, true, true)
		_, err := s.Fetch(t.Context(), source.Revision{})
		checkError(t, err, nil, "stalls")
		c.Allow(testbed.Plenty, true, false)
		snapshot, err := s.Fetch(t.Context(), source.Revision{})
		must(t, err)
		checkSample(t, snapshot)
		transport.CloseIdleConnections()
	}
}

func TestWhatAServerNeverDoesIsNotTemporary(t *testing.T) {
	requests := 0
	opts := bucket.Options{Endpoint: "example.com", Bucket: "fleet"}
	opts.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		requests++
		body := "<Error><Code>NotImplemented</Code><Message>no versions here</Message></Error>"
		return &http.Response{StatusCode: http.StatusNotImplemented, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})
	_, err := newSource(t, opts).History(t.Context(), 1)
	checkError(t, err, nil, "no versions here")
	if errors.As(err, new(*source.TemporaryError)) || requests != 1 {
		t.Errorf("got %v after %d requests", err, requests)
	}
}
