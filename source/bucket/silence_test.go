package bucket

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answering is a transport that answers with a body, which ends with its request.
type answering func(ctx context.Context) io.Reader

// RoundTrip implements [http.RoundTripper].
func (f answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {"e"}}, Body: io.NopCloser(f(r.Context()))}, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// It is the server whose silence ends a request, and not that of who reads: a cache's disk may be slow.
func TestReadersMayTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &persistentTransport{stall: time.Second, next: answering(func(ctx context.Context) io.Reader {
			return io.MultiReader(strings.NewReader("ab"), readerFunc(func([]byte) (int, error) {
				select {
				case <-time.After(900 * time.Millisecond):
					return 0, io.EOF
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			}))
		})}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		time.Sleep(time.Hour)
		got, err := io.ReadAll(response.Body)
		if string(got) != "ab" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestServersMayNotBeSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &persistentTransport{stall: time.Second, next: answering(func(ctx context.Context) io.Reader {
			return readerFunc(func([]byte) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
		})}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.ReadAll(response.Body); err == nil || !strings.Contains(err.Error(), "stalls") {
			t.Errorf("got %v", err)
		}
	})
}
