package bucket_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// Who gives credentials by a clock that is slow is not asked at each request, whether the store takes them or not.
func TestExpiredCredentialsAreNotAskedForAtEachRequest(t *testing.T) {
	b := testbed.S3(t)
	files := make(map[string][]byte)
	for i := range 60 {
		files[fmt.Sprint(i)] = []byte("x")
	}
	must(t, put(t.Context(), b, files))
	for _, right := range []bool{true, false} {
		var asked atomic.Int32
		s := newSource(t, asking(b, func(context.Context, bucket.CredentialRequest) (bucket.Credential, error) {
			asked.Add(1)
			c := credentialOf(b)
			c.Expires = time.Now().Add(-time.Minute)
			if !right {
				c.SecretKey = "wrong"
			}
			return c, nil
		}))
		began := time.Now()
		_, err := s.Fetch(t.Context(), source.Revision{})
		if (err == nil) != right {
			t.Errorf("got %v", err)
		}
		// Once at first, once more for each second that the machine took, and to tell of a refusal.
		most := 1 + int32(time.Since(began)/time.Second)
		if !right {
			most++
		}
		if got := asked.Load(); got < 1 || got > most {
			t.Errorf("it was asked %d times, and %d are enough", got, most)
		}
	}
}
