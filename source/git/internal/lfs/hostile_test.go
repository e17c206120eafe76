package lfs

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

func writer(code int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// endless writes text until nobody reads it. It gives up in the end, so that a client that reads on fails in time.
func endless(kind, text string, wrote *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		for wrote.Load() < 256<<20 {
			n, err := io.WriteString(w, text)
			if wrote.Add(int64(n)); err != nil {
				return
			}
		}
	}
}

func TestFetchRefusesWrongContent(t *testing.T) {
	for name, tt := range map[string]struct {
		object http.HandlerFunc
		text   string
		want   error
	}{
		"other":           {writer(200, "", "onf"), "other content", nil},
		"shorter":         {writer(200, "", "on"), "it sends 2 bytes, and the pointer says 3", nil},
		"longer":          {writer(200, "", "onetwo"), "it sends 6 bytes", nil},
		"nothing":         {writer(200, "", ""), "it sends 0 bytes", nil},
		"HTML":            {writer(200, "text/html", "<html>please log in</html>"), "bytes", nil},
		"a part":          {writer(206, "", "one"), "answers 206", nil},
		"missing":         {writer(404, "text/html", "planted"), "answers 404", source.ErrNotFound},
		"removed":         {writer(410, "", "planted"), "answers 410", source.ErrNotFound},
		"forbidden":       {writer(403, "application/xml", "<Error>planted</Error>"), "answers 403", source.ErrUnauthorized},
		"a server's bug":  {writer(500, "", "planted"), "answers 500", nil},
		"an odd redirect": {writer(304, "", ""), "answers 304", nil},
		"shorter, in chunks": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "on")
			w.(http.Flusher).Flush()
		}, "it sends 2 bytes", io.ErrUnexpectedEOF},
		"longer, in chunks": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "one")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "!")
		}, "more than the 3 bytes", nil},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			_, _ = io.WriteString(w, "o")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "it sends 1 bytes", io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t, "two")
			right := s.object
			s.object = func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, pointerTo("one").OID) {
					tt.object(w, r)
				} else {
					right(w, r)
				}
			}
			got, err := s.fetch(t, "one", "two")
			var wrong *ObjectError
			if !errors.As(err, &wrong) || wrong.Path != "a" || wrong.OID != pointerTo("one").OID || got != nil {
				t.Fatalf("got %v, %v, want an ObjectError about a", got, err)
			}
			if !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "planted") {
				t.Errorf("got %q, want %q", err, tt.text)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// One byte past the pointer's size is looked at, and not more than the connection brings by itself.
func TestFetchLeavesEndlessContent(t *testing.T) {
	s := newScripted(t)
	var wrote atomic.Int64
	s.object = endless("", strings.Repeat("one", 1000), &wrote)
	if got, err := s.fetch(t, "one"); err == nil || got != nil || !strings.Contains(err.Error(), "more than the 3 bytes") {
		t.Errorf("got %v, %v", got, err)
	}
	s.Close() // which waits for the handler
	if n := wrote.Load(); n >= 64<<20 {
		t.Errorf("%d bytes were taken from the server", n)
	}
}

func TestFetchRefusesWrongBatchAnswers(t *testing.T) {
	text := func(body string) http.HandlerFunc { return writer(200, mediaType, body) }
	object := func(fields map[string]any) http.HandlerFunc { return grantAll(func(batchObject) any { return fields }) }
	action := func(href string) http.HandlerFunc {
		return grantAll(func(batchObject) any { return download(href, nil) })
	}
	failed := func(code int) http.HandlerFunc {
		return object(map[string]any{"error": map[string]any{"code": code, "message": "planted"}})
	}
	renamed := func(oid string) http.HandlerFunc {
		return grantAll(func(o batchObject) any {
			if o.OID == pointerTo("one").OID {
				return map[string]any{"oid": oid}
			}
			return download("/x", nil)
		})
	}
	whole := map[string]any{"oid": pointerTo("one").OID, "size": 3}
	twice, _ := json.Marshal(map[string]any{"objects": []any{whole, whole}})
	for name, tt := range map[string]struct {
		batch  http.HandlerFunc
		text   string
		want   error
		object bool // an ObjectError about "a"
	}{
		"HTML":               {writer(200, "text/html", "<html>planted"), `answers "text/html"`, ErrNoServer, false},
		"no type":            {writer(200, "", "planted"), "answers", ErrNoServer, false},
		"401":                {writer(401, mediaType, "planted"), "401", source.ErrUnauthorized, false},
		"403":                {writer(403, mediaType, "planted"), "quota", source.ErrUnauthorized, false},
		"404":                {writer(404, mediaType, "planted"), "no Git LFS", ErrNoServer, false},
		"405":                {writer(405, mediaType, "planted"), "no Git LFS", ErrNoServer, false},
		"422":                {writer(422, mediaType, "planted"), "answers 422", nil, false},
		"500":                {writer(500, mediaType, "planted"), "answers 500", nil, false},
		"509":                {writer(509, mediaType, "planted"), "answers 509", nil, false},
		"204":                {writer(204, mediaType, ""), "answers 204", nil, false},
		"no JSON":            {text(`planted`), "malformed JSON", nil, false},
		"cut JSON":           {text(`{"objects":[{"oid":"planted`), "malformed JSON", nil, false},
		"two answers":        {text(`{} {}`), "malformed JSON", nil, false},
		"deep JSON":          {text(strings.Repeat(`[`, 20_000)), "malformed JSON", nil, false},
		"a list":             {text(`["planted"]`), "malformed JSON", nil, false},
		"objects no list":    {text(`{"objects":"planted"}`), "malformed JSON", nil, false},
		"a number as object": {text(`{"objects":[12345]}`), "malformed JSON", nil, false},
		"a text as size":     {object(map[string]any{"size": "planted"}), "malformed JSON", nil, false},
		"no objects":         {text(`{}`), "leaves it out", nil, true},
		"null":               {text(`null`), "leaves it out", nil, true},
		"empty":              {text(``), "malformed JSON", nil, false},
		"another object":     {renamed(someOID), "leaves it out", nil, true},
		"upper case":         {renamed(strings.ToUpper(pointerTo("one").OID)), "leaves it out", nil, true},
		"more objects":       {text(`{"objects":[{"oid":"1"},{"oid":"2"},{"oid":"3"}]}`), "about 3 objects", nil, false},
		"one twice":          {text(string(twice)), "answers twice", nil, false},
		"other transfer":     {text(`{"transfer":"tus","objects":[]}`), `"tus"`, nil, false},
		"other hash":         {text(`{"hash_algo":"md5","objects":[]}`), `"md5"`, nil, false},
		"other size":         {object(map[string]any{"size": 4}), "the server that it has 4", nil, true},
		"no action":          {object(map[string]any{}), "neither", nil, true},
		"upload":             {object(map[string]any{"actions": map[string]any{"upload": map[string]any{"href": "/x"}}}), "neither", nil, true},
		"missing":            {failed(404), "never pushed", source.ErrNotFound, true},
		"removed":            {failed(410), "removed", source.ErrNotFound, true},
		"invalid":            {failed(422), "422", nil, true},
		"forbidden":          {failed(403), "403", source.ErrUnauthorized, true},
		"unknown error":      {failed(-7), "-7", nil, true},
		"no href":            {action(""), "no URL", nil, true},
		"no URL":             {action("http://[planted"), "no valid URL", nil, true},
		"control bytes":      {action("http://example.com/\x00planted"), "no valid URL", nil, true},
		"file":               {action("file:///etc/passwd?planted"), "is no HTTP or HTTPS URL", nil, true},
		"ssh":                {action("ssh://git@example.com/x"), "is no HTTP or HTTPS URL", nil, true},
		"opaque":             {action("http:example.com"), "is no HTTP or HTTPS URL", nil, true},
		"no host":            {action("http:///x"), "is no HTTP or HTTPS URL", nil, true},
		"no host but a port": {action("http://:80/x"), "is no HTTP or HTTPS URL", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t, "one", "two")
			s.batch = tt.batch
			got, err := s.fetch(t, "one", "two")
			if got != nil || !saysOnly(err, tt.text) {
				t.Errorf("got %v, %v, want %q", got, err, tt.text)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			var wrong *ObjectError
			if errors.As(err, &wrong) != tt.object || wrong != nil && wrong.Path != "a" {
				t.Errorf("got %#v, want an ObjectError: %v", err, tt.object)
			}
			if n := len(s.taken()); n != 1 {
				t.Errorf("%d requests, want the batch request alone", n)
			}
		})
	}
}

func TestFetchLeavesEndlessBatchAnswers(t *testing.T) {
	for name, text := range map[string]string{"objects": `{},`, "spaces": "    ", "digits": "1"} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t)
			var wrote atomic.Int64
			s.batch = endless(mediaType, strings.Repeat(text, 4000), &wrote)
			if got, err := s.fetch(t, "one"); got != nil || !saysOnly(err, "more than 81920 bytes") {
				t.Errorf("got %v, %v", got, err)
			}
			s.Close()
			if n := wrote.Load(); n >= 64<<20 {
				t.Errorf("%d bytes were taken from the server", n)
			}
		})
	}
}

func TestFetchEndsInTheMiddle(t *testing.T) {
	before := runtime.NumGoroutine()
	s := newScripted(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.object = func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "o")
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	}
	client := newPlainClient(t, nil)
	got, err := Fetch(ctx, client, parseURL(t, s.URL), named("one", "two", "three"), source.Limits{})
	if !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("got %v, %v, want context.Canceled", got, err)
	}
	s.Close()
	client.CloseIdleConnections()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, and %d before", runtime.NumGoroutine(), before)
}

// Whatever a server answers, there is no panic, no plain HTTP, and no content but the right one.
func FuzzBatchAnswer(f *testing.F) {
	question := []byte(`{"objects":[{"oid":"` + pointerTo("one").OID + `","size":3}]}`)
	for _, href := range []string{onS3, "x", "http://s3.example/x", "file:///x", "//s3.example:80/x", "https://a:b@c/?d#e"} {
		f.Add(grantText(question, func(batchObject) any {
			header := map[string]string{"X-A": "b"}
			return download(href, map[string]any{"header": header, "expires_in": 5, "expires_at": "2000-01-01T00:00:00Z"})
		}))
	}
	f.Add(grantText(question, func(batchObject) any { return map[string]any{"error": map[string]any{"code": 404}} }))
	f.Fuzz(func(t *testing.T, text string) {
		client := doer(func(r *http.Request) (*http.Response, error) {
			if r.URL.Scheme != "https" || r.URL.Host == "" || r.URL.User != nil {
				t.Errorf("asked %s", r.URL)
			}
			if r.Method == http.MethodPost {
				return answer(r, 200, mediaType, text), nil
			}
			return content(r), nil
		})
		got, err := Fetch(t.Context(), client, parseURL(t, gitRepo), named("one"), source.Limits{})
		if (err == nil) != (string(got[pointerTo("one").OID]) == "one") || err != nil && len(err.Error()) > 2000 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}
