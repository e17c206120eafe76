package bucket_test

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// checkForGood wants an error that says how to mend it, and that no further request mends.
func checkForGood(t *testing.T, opts bucket.Options, text string) {
	t.Helper()
	sent := 0
	direct := &http.Transport{}
	defer direct.CloseIdleConnections()
	counted := opts
	counted.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		sent++
		return direct.RoundTrip(r)
	})
	for _, opts := range []bucket.Options{opts, counted} {
		_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, nil, text)
		if errors.As(err, new(*source.TemporaryError)) {
			t.Errorf("%v is temporary", err)
		}
	}
	if sent != 1 {
		t.Errorf("got %d requests", sent)
	}
}

func TestPlainHTTPToTLSSaysHowToMendIt(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	opts := bucket.Options{Endpoint: "http://" + server.Listener.Addr().String(), Bucket: "fleet"}
	checkForGood(t, opts, "the server speaks TLS: write https://")

	// Some only hang up, which others do, too.
	b := testbed.S3(t)
	opts = options(b)
	opts.Endpoint = "http://" + b.SecureEndpoint
	_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, "does not answer; if it speaks TLS, write https://")
	if !errors.As(err, new(*source.TemporaryError)) || strings.Contains(err.Error(), "foreign host") {
		t.Errorf("got %v", err)
	}

	// Servers that are not written in Go answer with an alert.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte{0x15, 3, 1, 0, 2, 2, 70})
			_ = conn.Close()
		}
	}()
	opts.Endpoint = "http://" + listener.Addr().String()
	checkForGood(t, opts, "the server speaks TLS: write https://")
}

func TestAnUnknownAuthorityNamesTheOption(t *testing.T) {
	b := testbed.S3(t)
	opts := options(b)
	opts.Endpoint = "https://" + b.SecureEndpoint
	checkForGood(t, opts, "Options.CA")
}

// A bucket may be called as something else's name begins.
func TestEndpointsThatOnlyLookLikeTheBuckets(t *testing.T) {
	for _, endpoint := range []string{"fleet.example.com", "bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com", "s3.amazonaws.com"} {
		for _, name := range []string{"fleet", "bucket"} {
			newSource(t, bucket.Options{Endpoint: endpoint, Bucket: name})
		}
	}
}
