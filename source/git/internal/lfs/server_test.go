package lfs

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

// A doer is a client that has no network.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func answer(r *http.Request, code int, kind, body string, header ...string) *http.Response {
	response := &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {kind}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
	for i := 0; i < len(header); i += 2 {
		response.Header.Set(header[i], header[i+1])
	}
	return response
}

// A scripted server answers batch requests by one function and all others by another.
type scripted struct {
	*httptest.Server
	batch, object http.HandlerFunc

	mu       sync.Mutex
	requests []*http.Request
}

// newScripted starts a server that is right until its functions are replaced.
func newScripted(t *testing.T, contents ...string) *scripted {
	s := new(scripted)
	s.batch = grantAll(func(o batchObject) any { return download("/object/"+o.OID, nil) })
	s.object = func(w http.ResponseWriter, r *http.Request) {
		for _, content := range contents {
			if strings.HasSuffix(r.URL.Path, pointerTo(content).OID) {
				_, _ = io.WriteString(w, content)
				return
			}
		}
		http.NotFound(w, r)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/objects/batch") {
			s.batch(w, r)
		} else {
			s.object(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *scripted) taken() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.requests
	s.requests = nil
	return taken
}

// fetch asks for contents, whose paths are a, b and so on.
func (s *scripted) fetch(t *testing.T, contents ...string) (map[string][]byte, error) {
	t.Helper()
	return Fetch(t.Context(), newPlainClient(t, nil), parseURL(t, s.URL+"/repo.git"), named(contents...), source.Limits{})
}

func named(contents ...string) map[string]Pointer {
	files := make(map[string]Pointer)
	for i, content := range contents {
		files[string(rune('a'+i))] = pointerTo(content)
	}
	return files
}

// download is the part of an answer that grants one, with more fields of the action.
func download(href string, more map[string]any) map[string]any {
	action := map[string]any{"href": href}
	for name, value := range more {
		action[name] = value
	}
	return map[string]any{"actions": map[string]any{"download": action}}
}

// grantAll answers a batch request with what the function says of each object, to which the hash and the size are added.
func grantAll(of func(batchObject) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", mediaType)
		_, _ = io.WriteString(w, grantText(body, of))
	}
}

func grantText(question []byte, of func(batchObject) any) string {
	var batch batchRequest
	if err := json.Unmarshal(question, &batch); err != nil {
		return "{}"
	}
	var objects []any
	for _, o := range batch.Objects {
		said := of(o)
		if fields, ok := said.(map[string]any); ok {
			fields = maps.Clone(fields)
			said = fields
			if fields["oid"] == nil {
				fields["oid"] = o.OID
			}
			if fields["size"] == nil {
				fields["size"] = o.Size
			}
		}
		objects = append(objects, said)
	}
	text, _ := json.Marshal(map[string]any{"transfer": "basic", "objects": objects})
	return string(text)
}
