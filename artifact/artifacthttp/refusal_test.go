package artifacthttp_test

import (
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
)

// What comes after the headers of an answer that is of no use is of no use either, and nobody waits for it.
func TestFetchWaitsForNoBodyThatItDoesNotNeed(t *testing.T) {
	s := shelve(t, 100, artifact.Gzip)
	for name, body := range map[string]func(w http.ResponseWriter, r *http.Request){
		"never comes": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"trickles": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.Write([]byte("x"))
				http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/from":
					w.Header().Set("Location", "/to")
					w.WriteHeader(http.StatusFound)
				case "/to":
					w.Write(s.data)
					return
				default:
					w.WriteHeader(http.StatusNotFound)
				}
				http.NewResponseController(w).Flush()
				body(w, r)
			}))
			client := hasty()
			client.StallTimeout = time.Hour
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := client.Fetch(ctx, url, only(s.Digest), &memory{}); !errors.Is(err, artifact.ErrNotFound) {
				t.Error(err)
			}
			if _, err := client.Fetch(ctx, url+"/from", only(s.Digest), &memory{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A proxy may pack what it passes on, although it was asked not to. The error says so.
func TestFetchTellsOfAnEncoding(t *testing.T) {
	s := shelve(t, 1000, artifact.Gzip)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		packed.Write(s.data)
		packed.Close()
	}))
	for name, want := range map[string]artifact.Descriptor{"the digest is known": only(s.Digest), "all is known": s.Descriptor} {
		_, err := hasty().Fetch(t.Context(), url, want, &memory{})
		if !errors.Is(err, artifact.ErrDigest) || !strings.Contains(err.Error(), "Content-Encoding: gzip") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An http.Client may be told to return redirects rather than to follow them.
func TestFetchTellsOfARedirectThatItMayNotFollow(t *testing.T) {
	s := shelve(t, 100, artifact.Gzip)
	url := serve(t, http.RedirectHandler("/elsewhere?sig=s1gnature", http.StatusFound))
	client := hasty()
	client.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	_, err := client.Fetch(t.Context(), url, only(s.Digest), &memory{})
	if err == nil || !strings.Contains(err.Error(), "the server redirects") || strings.Contains(err.Error(), "s1gnature") {
		t.Error(err)
	}
}
