package git_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// A cutCase is a fetch that is cut.
type cutCase struct {
	name   string
	scheme string
	opts   git.Options
	want   []string // the listing
	asks   int32    // for packs, of a fetch that nothing disturbs
}

func cutCases() []cutCase {
	all := []string{"README", "apps/api/b.yaml", "apps/web/a.yaml", "apps/web/run.sh"}
	var cases []cutCase
	for _, scheme := range []string{"http", "git", "ssh"} {
		cases = append(cases,
			cutCase{"whole over " + scheme, scheme, git.Options{}, all, 1},
			cutCase{"a path over " + scheme, scheme, git.Options{Paths: []string{"apps/web"}, Ignore: "*.sh"}, all[2:3], 3})
	}
	return cases
}

// each runs f with a server behind a cutter, and how many bytes a fetch takes from it and gives it.
func (tt cutCase) each(t *testing.T, f func(t *testing.T, r *handmade, c *testbed.Cutter, url string, opts git.Options, back, forth int)) {
	t.Run(tt.name, func(t *testing.T) {
		t.Parallel()
		r, _ := sample()
		site, _ := r.serve(t, tt.scheme)
		c := testbed.NewCutter(t, site.address)
		url, opts := tt.scheme+"://"+c.Address+"/repo.git", tt.opts
		opts.KnownHosts = slices.Concat([]byte("* "), site.knownHosts[bytes.IndexByte(site.knownHosts, 0x20)+1:])
		measure := func(back bool) int {
			c.Allow(testbed.Plenty, back, false)
			tt.check(t, fetch(t, newSource(t, url, opts), source.Revision{}))
			return c.Passed()
		}
		f(t, r, c, url, opts, measure(true), measure(false))
	})
}

func (tt cutCase) check(t *testing.T, snapshot *source.Snapshot) {
	t.Helper()
	var names []string
	for _, l := range listing(t, snapshot) {
		names = append(names, l[len("100644 blob ")+41:])
	}
	if slices.Sort(names); !slices.Equal(names, tt.want) {
		t.Errorf("got %q, want %q", names, tt.want)
	}
}

// farewell is how many bytes may lack at the end of what a server sends, and at the end of what it gets: the end of a
// chunked answer; that a program has ended, encrypted; that nothing more is wanted.
var farewell = map[string][2]int{"http": {8, 0}, "git": {0, 4}, "ssh": {250, 250}}

func TestCutAtEveryByte(t *testing.T) {
	for _, tt := range cutCases() {
		tt.each(t, func(t *testing.T, r *handmade, c *testbed.Cutter, url string, opts git.Options, back, forth int) {
			step := 1
			if tt.scheme == "ssh" {
				step = 23
			}
			for n := 0; n < back; n += step {
				tt.cut(t, r, c, url, opts, n, true, back-farewell[tt.scheme][0])
			}
			for n := 0; n < forth; n += 3 * step {
				tt.cut(t, r, c, url, opts, n, false, forth-farewell[tt.scheme][1])
			}
		})
	}
}

// cut has a fetch end after n bytes: before enough of them, that is an error.
func (tt cutCase) cut(t *testing.T, r *handmade, c *testbed.Cutter, url string, opts git.Options, n int, back bool, enough int) {
	t.Helper()
	s := newSource(t, url, opts)
	c.Allow(n, back, false)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	snapshot, err := s.Fetch(ctx, source.Revision{})
	switch {
	case err == nil && n < enough:
		t.Fatalf("%d bytes (back: %t) of %d were enough", n, back, enough)
	case err == nil:
		tt.check(t, snapshot)
	case ctx.Err() != nil:
		t.Fatalf("%d bytes (back: %t): the fetch hangs", n, back)
	case !errors.As(err, new(*source.Error)) || errors.Is(err, source.ErrNotFound) || errors.Is(err, source.ErrUnauthorized):
		t.Fatalf("%d bytes (back: %t): got %v", n, back, err)
	}
	if n%4 > 0 || err == nil {
		return
	}
	c.Allow(testbed.Plenty, back, false)
	before := r.rounds.Load()
	snapshot, err = s.Fetch(ctx, source.Revision{})
	if err != nil {
		t.Fatalf("after %d bytes (back: %t): %v", n, back, err)
	}
	tt.check(t, snapshot)
	// What ended by accident is no sign of what the server cannot do.
	if got := r.rounds.Load() - before; got != tt.asks {
		t.Fatalf("after %d bytes (back: %t): %d packs were asked for, want %d", n, back, got, tt.asks)
	}
}

func TestSilenceAtAnyByteEnds(t *testing.T) {
	for _, tt := range cutCases() {
		tt.each(t, func(t *testing.T, r *handmade, c *testbed.Cutter, url string, opts git.Options, back, forth int) {
			opts.StallTimeout = 400 * time.Millisecond
			for i := range 6 {
				n, counts := i*(back-farewell[tt.scheme][0])/6, true
				if i%3 == 2 {
					n, counts = i*(forth-farewell[tt.scheme][1])/6, false
				}
				s := newSource(t, url, opts)
				c.Allow(n, counts, true)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				_, err := s.Fetch(ctx, source.Revision{})
				if !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
					t.Errorf("%d bytes (back: %t): got %v", n, counts, err)
				}
				checkError(t, err, nil, "stalls")
				c.Allow(testbed.Plenty, true, false)
				snapshot, err := s.Fetch(ctx, source.Revision{})
				cancel()
				if err != nil {
					t.Fatalf("after %d bytes (back: %t): %v", n, counts, err)
				}
				tt.check(t, snapshot)
			}
		})
	}
}

func TestCancelAtAnyByteEnds(t *testing.T) {
	for _, tt := range cutCases() {
		tt.each(t, func(t *testing.T, r *handmade, c *testbed.Cutter, url string, opts git.Options, back, _ int) {
			for i := range 6 {
				n := i * (back - farewell[tt.scheme][0]) / 12
				s := newSource(t, url, opts)
				c.Allow(n, true, true)
				ctx, cancel := context.WithCancel(t.Context())
				waiting := make(chan struct{})
				go func() {
					defer close(waiting)
					for c.Passed() < n && ctx.Err() == nil {
						time.Sleep(time.Millisecond)
					}
					time.Sleep(time.Duration(i) * time.Millisecond)
					cancel()
				}()
				_, err := s.Fetch(ctx, source.Revision{})
				cancel()
				<-waiting
				checkError(t, err, context.Canceled, "")
				c.Allow(testbed.Plenty, true, false)
				tt.check(t, fetch(t, s, source.Revision{}))
			}
		})
	}
}
