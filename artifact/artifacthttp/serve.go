package artifacthttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
)

func (s selection) etag() string { return `"` + string(s.Digest) + `"` }

// freshness says what a cache may do: all that an answer without content tells besides the status.
func (s selection) freshness(header http.Header, nameAge time.Duration) {
	header.Set("ETag", s.etag())
	switch {
	case s.name == "":
		header.Set("Cache-Control", "max-age=31536000, immutable, no-transform")
		return
	case nameAge >= time.Second:
		header.Set("Cache-Control", fmt.Sprintf("max-age=%d, no-transform", nameAge/time.Second))
	default:
		header.Set("Cache-Control", "no-cache, no-transform")
	}
	// Where the same bytes are found for ever. It is relative, as the handler does not know where it is mounted. Without a
	// folder before it, the digest's colon would end a scheme.
	up := strings.Repeat("../", strings.Count(s.name, "/"))
	if up == "" {
		up = "./"
	}
	header.Set("Content-Location", up+string(s.Digest))
}

// describe tells what the bytes are.
func (s selection) describe(header http.Header) {
	header.Set("Content-Type", s.MediaType)
	header.Set("Accept-Ranges", "bytes")
	header.Set("Repr-Digest", digestField(s.Digest))
	header.Set("Docker-Content-Digest", string(s.Digest))
	header.Set("X-Content-Type-Options", "nosniff")
}

// serve returns an error if nothing was sent yet.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, found selection) error {
	switch status := precondition(r.Header, found.etag()); status {
	case http.StatusPreconditionFailed:
		refuse(w, status)
		return nil
	case http.StatusNotModified:
		found.freshness(w.Header(), h.opts.NameAge)
		w.WriteHeader(status)
		return nil
	}
	asked, status := span{0, found.Size}, http.StatusOK
	if r.Method == http.MethodGet { // a Range has no meaning for other methods
		asked, status = partial(r.Header, found.etag(), found.Size)
	}
	if status == http.StatusRequestedRangeNotSatisfiable {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", found.Size))
		refuse(w, status)
		return nil
	}
	return h.send(w, r, found, asked, status)
}

// firstBytes is how much is read before anything is sent: what fails until then, fails with a status.
const firstBytes = 64 << 10

// send returns an error if nothing was sent yet. Later, it breaks the connection off.
func (h *handler) send(w http.ResponseWriter, r *http.Request, found selection, asked span, status int) error {
	var from io.Reader
	var first []byte
	if r.Method == http.MethodGet {
		blob, err := h.store.Open(r.Context(), found.Digest)
		if err != nil {
			return err
		}
		defer blob.Close()
		from = part(blob, found.Size, asked)
		first = make([]byte, min(firstBytes, asked.length()))
		if _, err := io.ReadFull(from, first); err != nil {
			return cutShort(err)
		}
	}
	found.freshness(w.Header(), h.opts.NameAge)
	found.describe(w.Header())
	w.Header().Set("Content-Length", strconv.FormatInt(asked.length(), 10))
	switch {
	case status == http.StatusPartialContent:
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", asked.start, asked.end-1, found.Size))
	case r.Method == http.MethodGet:
		w.Header().Set("Content-Digest", digestField(found.Digest))
	}
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		h.stream(w, r, from, first, asked.length())
	}
	return nil
}

// stream sends length bytes, the first of which were read already.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, from io.Reader, first []byte, length int64) {
	sent, err := w.Write(first)
	for left := length - int64(sent); err == nil && left > 0; left -= int64(sent) {
		block := first[:min(int64(len(first)), left)]
		if _, err = io.ReadFull(from, block); err != nil {
			h.report(r, cutShort(err))
			break
		}
		sent, err = w.Write(block)
	}
	if err != nil {
		// Returning would do for HTTP/1.1, where fewer bytes than announced close the connection, but this is said for it.
		panic(http.ErrAbortHandler)
	}
}

// cutShort is the error of a blob that ends too early without an error of its own.
func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends too early", artifact.ErrDigest)
	}
	return err
}

// part returns a reader of some of the bytes of blob. It gives the last of all size bytes only after blob has ended without
// an error, which is where a store has verified it.
func part(blob io.Reader, size int64, asked span) io.Reader {
	if at, ok := blob.(io.ReaderAt); ok && asked.end < size {
		return io.NewSectionReader(at, asked.start, asked.length())
	}
	return &withheld{blob: blob, size: size, span: asked}
}

type withheld struct {
	blob io.Reader
	size int64
	span
	n int64 // bytes of blob read
}

func (p *withheld) Read(b []byte) (int, error) {
	if p.n < p.start {
		skipped, err := io.CopyN(io.Discard, p.blob, min(p.start, p.size-1)-p.n)
		p.n += skipped
		if err != nil {
			return 0, err
		}
	}
	switch {
	case p.n >= p.end:
		return 0, io.EOF
	case p.n == p.size-1:
		return p.last(b)
	}
	n, err := p.blob.Read(b[:min(int64(len(b)), min(p.end, p.size-1)-p.n)])
	p.n += int64(n)
	return n, err
}

// last reads the last byte, and on to see that it is.
func (p *withheld) last(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	var end [2]byte
	switch n, err := io.ReadFull(p.blob, end[:]); {
	case err == nil:
		return 0, fmt.Errorf("%w: more than %d bytes", artifact.ErrDigest, p.size)
	case n != 1 || !errors.Is(err, io.ErrUnexpectedEOF):
		return 0, err
	}
	p.n++
	b[0] = end[0]
	return 1, nil
}
