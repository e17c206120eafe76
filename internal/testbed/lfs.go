package testbed

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// lfsMedia is the media type of Git LFS's batch API.
const lfsMedia = "application/vnd.git-lfs+json"

// lfsStore is the Git LFS objects of a server's repositories. A repository has LFS once it is enabled, so that there are
// repositories without.
type lfsStore struct {
	mu      sync.Mutex
	objects map[string]map[string][]byte // by the repository's name and the SHA-256
}

// EnableLFS has the server answer to Git LFS clients of this repository, for downloads and uploads, over HTTP and HTTPS.
func (r *Repository) EnableLFS() {
	s := &r.lfs
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil {
		s.objects = make(map[string]map[string][]byte)
	}
	if s.objects[r.Name] == nil {
		s.objects[r.Name] = make(map[string][]byte)
	}
}

// PutLFS enables LFS, stores content there, and returns the pointer that the repository has in its place.
func (r *Repository) PutLFS(content []byte) (pointer []byte) {
	r.EnableLFS()
	oid := fmt.Sprintf("%x", sha256.Sum256(content))
	r.lfs.put(r.Name, oid, bytes.Clone(content))
	return fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid, len(content))
}

// RemoveLFS removes the content that has this SHA-256.
func (r *Repository) RemoveLFS(oid string) {
	r.lfs.mu.Lock()
	defer r.lfs.mu.Unlock()
	delete(r.lfs.objects[r.Name], oid)
}

func (s *lfsStore) put(name, oid string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[name][oid] = body
}

func (s *lfsStore) get(name, oid string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, ok := s.objects[name][oid]
	return body, ok
}

// serve answers requests below /name.git/info/lfs/ of repositories that have LFS, and tells whether this was one.
func (s *lfsStore) serve(w http.ResponseWriter, r *http.Request) bool {
	name, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".git/info/lfs/")
	s.mu.Lock()
	enabled := s.objects[name] != nil
	s.mu.Unlock()
	if !ok || !enabled {
		return false
	}
	oid, object := strings.CutPrefix(rest, "objects/")
	switch {
	case rest == "objects/batch" && r.Method == http.MethodPost:
		s.batch(w, r, name)
	case object && r.Method == http.MethodGet:
		s.download(w, name, oid)
	case object && r.Method == http.MethodPut:
		s.upload(w, r, name, oid)
	default: // locks, which clients do without
		http.NotFound(w, r)
	}
	return true
}

// An lfsObject is one in a batch request and in its answer.
type lfsObject struct {
	OID     string               `json:"oid"`
	Size    int64                `json:"size"`
	Actions map[string]lfsAction `json:"actions,omitempty"`
	Error   *lfsError            `json:"error,omitempty"`
}

type lfsAction struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header,omitempty"`
}

type lfsError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (s *lfsStore) batch(w http.ResponseWriter, r *http.Request, name string) {
	var batch struct {
		Operation string      `json:"operation"`
		Objects   []lfsObject `json:"objects"`
	}
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil || r.Header.Get("Accept") != lfsMedia {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	if len(batch.Objects) > 100 {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	for i := range batch.Objects {
		s.answer(&batch.Objects[i], r, name, batch.Operation)
	}
	w.Header().Set("Content-Type", lfsMedia)
	_ = json.NewEncoder(w).Encode(map[string]any{"transfer": "basic", "objects": batch.Objects})
}

func (s *lfsStore) answer(o *lfsObject, r *http.Request, name, operation string) {
	body, ok := s.get(name, o.OID)
	switch {
	case operation == "download" && !ok:
		o.Error = &lfsError{http.StatusNotFound, "there is no such object"}
		return
	case operation == "download" && int64(len(body)) != o.Size:
		o.Error = &lfsError{http.StatusUnprocessableEntity, "it has another size"}
		return
	case operation == "upload" && ok:
		return // no action: there is nothing to do
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	action := lfsAction{Href: scheme + "://" + r.Host + "/" + name + ".git/info/lfs/objects/" + o.OID}
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		action.Header = map[string]string{"Authorization": authorization}
	}
	o.Actions = map[string]lfsAction{operation: action}
}

func (s *lfsStore) download(w http.ResponseWriter, name, oid string) {
	body, ok := s.get(name, oid)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(body)
}

func (s *lfsStore) upload(w http.ResponseWriter, r *http.Request, name, oid string) {
	body, err := io.ReadAll(r.Body)
	if err != nil || fmt.Sprintf("%x", sha256.Sum256(body)) != oid {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.put(name, oid, body)
}
