package artifacthttp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// errChanged is of a server that gave bytes of one thing first, and then has another.
var errChanged = errors.New("changed while it was fetched")

// A download reads an artifact through as many answers as it takes. It gives io.EOF only where the bytes are those of
// want.Digest.
type download struct {
	ctx      context.Context
	target   *target
	tries    *tries
	want     artifact.Descriptor
	hash     hash.Hash // of what was given out
	n        int64     // how much that is
	size     int64     // of the whole; -1: nobody said
	tag      string    // the first answer's entity tag, or its time, with which a part may be asked for; may be ""
	body     io.ReadCloser
	framed   bool   // where body ends, the server has nothing more
	broken   error  // why there is no body; nil at first
	resumed  bool   // answers were put together
	encoding string // for errors: what else was done to the bytes, as the last whole answer says
	measured bool   // it was only measured
	err      error  // for good
}

func newDownload(ctx context.Context, t *target, tries *tries, want artifact.Descriptor) *download {
	d := &download{ctx: ctx, target: t, tries: tries, want: want, hash: sha256.New(), size: -1}
	if want.Size > 0 {
		d.size = want.Size
	}
	return d
}

func (d *download) Read(p []byte) (int, error) {
	for d.err == nil && len(p) > 0 {
		if d.body == nil {
			d.err = d.connect()
			continue
		}
		room := d.target.client.MaxBytes - d.n
		if d.size >= 0 {
			room = d.size - d.n
		}
		n, err := d.body.Read(p[:min(int64(len(p)), room+1)])
		if int64(n) > room {
			d.err = d.tooMuch()
			break
		}
		d.hash.Write(p[:n])
		d.n += int64(n)
		if err != nil {
			d.drop()
			d.err = d.ended(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	if d.err != nil {
		return 0, d.err
	}
	return 0, nil
}

func (d *download) tooMuch() error {
	if d.size >= 0 {
		return fmt.Errorf("%w: more than %d bytes", artifact.ErrDigest, d.size)
	}
	return d.target.client.tooLarge()
}

// drop lets go of the answer at hand.
func (d *download) drop() {
	if d.body != nil {
		d.body.Close()
		d.body = nil
	}
}

// ended says what the end of an answer is: io.EOF that of the artifact, nil that there has to be another answer.
func (d *download) ended(err error) error {
	got := digest.NewDigest(digest.SHA256, d.hash)
	switch {
	case d.n > 0 && got == d.want.Digest && (d.size < 0 || d.n == d.size):
		return io.EOF
	case d.n == d.size, d.framed && err == io.EOF:
		return fmt.Errorf("%w: digest is %s, not %s%s", artifact.ErrDigest, got, d.want.Digest, d.encoding)
	case err == io.EOF:
		// Less than there should be, or, where nobody said how much, other bytes: HTTP/1.0 knows no other sign of a cut.
		err = fmt.Errorf("%w: the answer ends after %d bytes", io.ErrUnexpectedEOF, d.n)
		if d.size < 0 {
			err = fmt.Errorf("%w: the answer ends after %d bytes, with digest %s", artifact.ErrDigest, d.n, got)
		}
	}
	d.broken = err
	return nil
}

// connect asks for what is missing until there is an answer with it.
func (d *download) connect() error {
	cause := d.broken
	for {
		if cause != nil {
			if err := d.tries.again(d.ctx, cause, d.n); err != nil {
				return err
			}
		}
		answer, err := d.target.do(d.ctx, http.MethodGet, d.missing())
		if err == nil {
			if err = d.accept(answer); err == nil {
				return nil
			}
			discard(answer)
		}
		cause = err
	}
}

// missing are the headers that ask for what is missing.
func (d *download) missing() http.Header {
	if d.n == 0 {
		return nil
	}
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-", d.n)}}
	if d.tag != "" {
		header.Set("If-Range", d.tag)
	}
	return header
}

// accept takes the body of an answer, from the byte on that is missing.
func (d *download) accept(answer *http.Response) error {
	switch status := answer.StatusCode; {
	case status == http.StatusOK:
		return d.acceptWhole(answer)
	case status == http.StatusPartialContent && d.n > 0:
		return d.acceptPart(answer)
	case status == http.StatusRequestedRangeNotSatisfiable && d.n > 0:
		if errors.Is(d.broken, artifact.ErrDigest) {
			return &permanentError{d.broken} // it was no cut: there is nothing more
		}
		return &permanentError{errChanged}
	}
	return refused(answer)
}

func (d *download) acceptWhole(answer *http.Response) error {
	if d.n == 0 {
		d.size = cmp.Or(d.want.Size, -1) // whatever an answer said that gave nothing
	}
	d.encoding = ""
	if encoding := answer.Header.Get("Content-Encoding"); encoding != "" {
		d.encoding = " (Content-Encoding: " + encoding + ")"
	}
	if err := d.learn(answer.ContentLength); err != nil {
		return err
	}
	// Only by the length of a body, chunks or frames can its end be told from a broken connection.
	d.framed = d.size < 0 && (answer.ProtoMajor > 1 || slices.Contains(answer.TransferEncoding, "chunked"))
	if d.n == 0 {
		d.tag = condition(answer.Header)
		d.body = answer.Body
		return nil
	}
	d.resumed = true
	before := sha256.New()
	if _, err := io.CopyN(before, answer.Body, d.n); err != nil {
		if err == io.EOF {
			return &permanentError{errChanged}
		}
		return err
	}
	if !bytes.Equal(before.Sum(nil), d.hash.Sum(nil)) {
		return &permanentError{errChanged}
	}
	d.body = answer.Body
	return nil
}

func (d *download) acceptPart(answer *http.Response) error {
	start, size, ok := parseContentRange(answer.Header.Get("Content-Range"))
	if !ok || start != d.n {
		return &permanentError{fmt.Errorf("asked for byte %d and on, the server sends another part", d.n)}
	}
	if tag := answer.Header.Get("ETag"); tag != "" && strings.HasPrefix(d.tag, `"`) && tag != d.tag {
		return &permanentError{errChanged}
	}
	if err := d.learn(size); err != nil {
		return err
	}
	d.resumed, d.framed = true, false
	d.body = answer.Body
	return nil
}

// learn takes in how large the server says that the whole is; less than zero: it does not say.
func (d *download) learn(size int64) error {
	switch {
	case size < 0 || size == d.size:
		return nil
	case d.want.Size > 0:
		err := fmt.Errorf("%w: the server has %d bytes, not %d%s", artifact.ErrDigest, size, d.want.Size, d.encoding)
		return &permanentError{err}
	case d.n > 0 && d.size >= 0, d.n > size:
		return &permanentError{errChanged}
	case size > d.target.client.MaxBytes:
		return &permanentError{d.target.client.tooLarge()}
	}
	d.size = size
	return nil
}

// condition returns what an If-Range may be made of: a strong entity tag, or a time that is over, as RFC 9110, section
// 8.8.2.2, wants it; or "". Without one, the digest of the whole tells whether the parts belong together.
func condition(header http.Header) string {
	if tag := header.Get("ETag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	modified, err := http.ParseTime(header.Get("Last-Modified"))
	if err != nil {
		return ""
	}
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil || date.Sub(modified) < time.Second {
		return ""
	}
	return header.Get("Last-Modified")
}

// parseContentRange returns where a part begins, and how large the whole is, or -1.
func parseContentRange(value string) (start, size int64, ok bool) {
	unit, value, _ := strings.Cut(strings.TrimSpace(value), " ")
	positions, whole, _ := strings.Cut(value, "/")
	first, last, _ := strings.Cut(positions, "-")
	start, firstErr := strconv.ParseInt(first, 10, 64)
	end, lastErr := strconv.ParseInt(last, 10, 64)
	if !strings.EqualFold(unit, "bytes") || firstErr != nil || lastErr != nil || start < 0 || end < start {
		return 0, 0, false
	}
	if whole == "*" {
		return start, -1, true
	}
	size, err := strconv.ParseInt(whole, 10, 64)
	return start, size, err == nil && end < size
}
