package bucket_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// An object that is elsewhere is not followed, and neither the keys nor the client's key go there.
func TestObjectsElsewhereAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("it was followed with %v", r.Header) }))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		opts := oddStore(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL+"/fleet/a", code) })
		for _, ask := range []bucket.CredentialFunc{nil, bucket.Static(bucket.Credential{AccessKey: "a", SecretKey: "s"})} {
			opts.Credentials = ask
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, fmt.Sprint(code))
		}
	}
}

func TestOddCredentialFunctions(t *testing.T) {
	var requests, signed, asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("Authorization") != "" {
			signed.Add(1)
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<Error><Code>ExpiredToken</Code></Error>")
	}))
	defer server.Close()
	some := bucket.Credential{AccessKey: "planted1", SecretKey: "planted2", SessionToken: "planted3"}
	old := some
	old.Expires = time.Unix(1, 0)
	for name, tt := range map[string]struct {
		ask                     func(n int64) bucket.Credential
		requests, signed, asked int64
	}{
		"the same":  {func(int64) bucket.Credential { return some }, 1, 1, 2},
		"none":      {func(int64) bucket.Credential { return bucket.Credential{} }, 1, 0, 2},
		"a new one": {func(n int64) bucket.Credential { c := some; c.AccessKey += fmt.Sprint(n); return c }, 2, 2, 2},
		"expired":   {func(int64) bucket.Credential { return old }, 1, 1, 2},
	} {
		requests.Store(0)
		signed.Store(0)
		asked.Store(0)
		ask := func(context.Context, bucket.CredentialRequest) (bucket.Credential, error) {
			return tt.ask(asked.Add(1)), nil
		}
		_, err := newSource(t, bucket.Options{Endpoint: server.URL, Bucket: "fleet", Credentials: ask}).Fetch(t.Context(), source.Revision{})
		checkError(t, err, source.ErrUnauthorized, "")
		if strings.Contains(err.Error(), "planted") || requests.Load() != tt.requests || signed.Load() != tt.signed || asked.Load() != tt.asked {
			t.Errorf("%s: got %v by %d requests, %d signed, %d asked", name, err, requests.Load(), signed.Load(), asked.Load())
		}
	}
}

// Who waits for another's credentials leaves when its own context ends, while that one goes on.
func TestWhoWaitsForCredentialsLeaves(t *testing.T) {
	began, open := make(chan struct{}), make(chan struct{})
	opts := oddStore(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "abc") })
	opts.Credentials = func(context.Context, bucket.CredentialRequest) (bucket.Credential, error) {
		close(began) // so it is asked once
		<-open
		return bucket.Credential{AccessKey: "a", SecretKey: "s"}, nil
	}
	s := newSource(t, opts)
	first := make(chan error, 1)
	go func() {
		_, err := s.Fetch(t.Context(), source.Revision{})
		first <- err
	}()
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Fetch(ctx, source.Revision{})
	checkError(t, err, context.DeadlineExceeded, "")
	close(open)
	must(t, <-first)
}

// A certificate for another name is no store's, and nothing is sent to whoever has it.
func TestACertificateForAnotherName(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	must(t, err)
	opts := bucket.Options{Endpoint: "https://localhost:" + port, Bucket: "fleet", AccessKey: "a", SecretKey: "s", CustomerKey: make([]byte, 32),
		CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})}
	_, err = newSource(t, opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, "localhost")
	if errors.As(err, new(*source.TemporaryError)) {
		t.Errorf("%v is temporary", err)
	}
}
