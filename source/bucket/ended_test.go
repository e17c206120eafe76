package bucket_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

// Who sets a deadline learns what it was that took so long.
func TestEndedContextTellsTheLastCause(t *testing.T) {
	b := sampleBucket(t)
	refuse := func(*http.Request, int) (*http.Response, error) { return answer(503, "Retry-After", "1"), nil }
	broken := func(*http.Request, int) (*http.Response, error) { return nil, errors.New("the cable is cut") }
	silent := func(r *http.Request, _ int) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	onlyListed := func(r *http.Request, _ int) (*http.Response, error) {
		if r.URL.Query().Has("list-type") {
			return nil, nil
		}
		return silent(r, 0)
	}
	halfRead := func(r *http.Request, _ int) (*http.Response, error) {
		if r.URL.Query().Has("list-type") {
			return nil, nil
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			response.Body = silentBody{r.Context(), response.Body}
		}
		return response, err
	}
	for name, tt := range map[string]struct {
		fails   func(*http.Request, int) (*http.Response, error)
		timeout time.Duration
		text    string
	}{
		"refused": {refuse, 1200 * time.Millisecond, ", after 2 tries; the last: the server answers 503 Service Unavailable"},
		"once":    {refuse, 300 * time.Millisecond, ", after 1 try; the last: the server answers 503"},
		"broken":  {broken, 60 * time.Millisecond, "the last: the cable is cut"},
		"silent":  {silent, 300 * time.Millisecond, ": nothing came from the server for 300ms"},
		"a key":   {onlyListed, 300 * time.Millisecond, "nothing came from the server for "},
		"half":    {halfRead, 300 * time.Millisecond, "nothing came from the server for "},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(b)
			opts.Transport = &failing{fails: tt.fails}
			ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
			defer cancel()
			_, err := newSource(t, opts).Fetch(ctx, source.Revision{})
			checkError(t, err, context.DeadlineExceeded, tt.text)
			if name == "a key" || name == "half" {
				checkError(t, err, nil, "key ")
			}
		})
	}
}

// A silentBody says nothing until its request ends.
type silentBody struct {
	ctx context.Context
	io.Closer
}

func (b silentBody) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}
