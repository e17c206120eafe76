package bucket_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// While a bucket changes at random, each snapshot has exactly the objects whose listing its revision is the digest of.
func TestSnapshotsAreListingsThatExisted(t *testing.T) {
	b := testbed.S3(t)
	must(t, b.Put(t.Context(), "always", []byte("there")))
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 2 {
		random := rand.New(rand.NewPCG(6, uint64(w)))
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(random.IntN(6)) * time.Millisecond):
				}
				key := fmt.Sprintf("%d/%d", w, random.IntN(12))
				var err error
				if random.IntN(3) == 0 {
					err = b.Remove(t.Context(), key)
				} else {
					err = b.Put(t.Context(), key, fmt.Appendf(nil, "%d %d", w, n))
				}
				if err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
		})
	}
	var readers sync.WaitGroup
	got := make(map[source.Revision]bool)
	var mu sync.Mutex
	opts := options(b)
	opts.Ignore = "*.sgwtmp.*" // versitygw lists files that it is writing
	shared := newSource(t, opts)
	for _, s := range []*bucket.Source{shared, shared, newSource(t, opts)} {
		readers.Go(func() {
			known := source.Revision{}
			for range 40 {
				snapshot, err := s.Fetch(t.Context(), known)
				if errors.Is(err, source.ErrNotModified) || errors.Is(err, bucket.ErrMoved) && errors.As(err, new(*source.TemporaryError)) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				known = snapshot.Revision
				files := make(map[string][]byte)
				for _, name := range names(t, snapshot) {
					if files[name], err = fs.ReadFile(snapshot, name); err != nil {
						t.Error(err)
					}
				}
				if want := fluxRevision(files); known.Digest.Encoded() != want {
					t.Errorf("revision %s, and the content has %s", known, want)
				}
				mu.Lock()
				got[known] = true
				mu.Unlock()
			}
		})
	}
	readers.Wait()
	close(stop)
	writers.Wait()
	if len(got) < 10 {
		t.Errorf("only %d states were seen", len(got))
	}
}
