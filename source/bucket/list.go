package bucket

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/minio/minio-go/v7"
	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
)

// An object is one line of a listing. Whatever has the same one has the same content.
type object struct {
	name string // the key without the prefix
	etag string
	size int64
}

// A listing is what a bucket had at one time, by name.
type listing struct {
	objects  []object
	revision source.Revision
}

// list holds the bucket to the limits before anything is downloaded.
func (s *Source) list(ctx context.Context) (listing, error) {
	if err := ctx.Err(); err != nil {
		return listing{}, err
	}
	pages := &pages{limits: s.opts.Limits}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, pagesKey{}, pages))
	defer cancel()
	var l listing
	trial := source.NewTree(s.opts.Limits)
	owner := false
	options := minio.ListObjectsOptions{Prefix: s.opts.Prefix, Recursive: true, FetchOwner: &owner}
	for info := range s.client.ListObjectsIter(ctx, s.opts.Bucket, options) {
		if info.Err != nil {
			return l, fmt.Errorf("listing the objects: %w", s.describe(info.Err))
		}
		o, err := s.admit(info, trial)
		if err != nil {
			return l, err
		}
		if o.name != "" {
			l.objects = append(l.objects, o)
		}
	}
	if err := ctx.Err(); err != nil {
		return l, err // the iterator just ends then
	}
	if len(l.objects) == 0 {
		return l, fmt.Errorf("bucket %q has no objects under the prefix %q: %w", s.opts.Bucket, s.opts.Prefix, source.ErrNotFound)
	}
	slices.SortFunc(l.objects, func(a, b object) int { return strings.Compare(a.name, b.name) })
	l.revision = revision(l.objects)
	return l, nil
}

// admit returns no object for a folder's placeholder.
func (s *Source) admit(info minio.ObjectInfo, trial *source.Tree) (object, error) {
	name, ok := strings.CutPrefix(info.Key, s.opts.Prefix)
	switch {
	case !ok:
		return object{}, &source.NameError{Name: info.Key, Reason: "is listed and does not have the prefix"}
	case info.Size == 0 && (name == "" || strings.HasSuffix(name, "/")):
		return object{}, nil
	case info.ETag == "":
		return object{}, fmt.Errorf("key %q: the server lists no ETag, without which a change cannot be seen", info.Key)
	}
	// Nobody opens a file of this tree. It is here for what it refuses.
	if err := trial.AddLazyFile(name, false, info.Size, nil); err != nil {
		return object{}, fmt.Errorf("key %q: %w", info.Key, err)
	}
	return object{name: name, etag: info.ETag, size: info.Size}, nil
}

func revision(objects []object) source.Revision {
	sum := sha256.New()
	for _, o := range objects {
		fmt.Fprintf(sum, "%q %q %d\n", o.name, o.etag, o.size)
	}
	return source.Revision{Digest: digest.NewDigest(digest.SHA256, sum)}
}

// snapshot is the listing with the contents that it names.
func (s *Source) snapshot(l listing, all contents) (*source.Snapshot, error) {
	tree := source.NewTree(s.opts.Limits)
	place := s.endpoint.String() + "/" + s.opts.Bucket + "/" + s.opts.Prefix
	for _, o := range l.objects {
		if err := tree.AddFile(o.name, false, all[o]); err != nil {
			return nil, err
		}
		if err := tree.Identify(o.name, o.identity(place)); err != nil {
			return nil, err
		}
	}
	return tree.Snapshot(l.revision), nil
}

// identity has the place in it, for an ETag is the server's word on one key: it is an MD5 of the content at best, and S3
// promises nothing of two keys that have the same one.
// The key is as it is and not escaped, so that no two keys make one text.
func (o object) identity(place string) string {
	return "etag:" + strconv.Quote(o.etag) + " " + strconv.FormatInt(o.size, 10) + " " + place + o.name
}

// pages counts the answers that a listing consists of.
type pages struct {
	limits source.Limits
	seen   atomic.Int64
}

type pagesKey struct{}

// maxPageBytes is ample for 1,000 keys of 1,024 bytes, percent-encoded and in XML.
const maxPageBytes = 16 << 20

// boundedTransport ends listings that do not end by themselves: minio-go reads a page whole, however long it is, and goes
// on as long as the server says that there is more.
type boundedTransport struct{ next http.RoundTripper }

func (t *boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	pages, listing := request.Context().Value(pagesKey{}).(*pages)
	if listing && pages.seen.Add(1) > int64(pages.limits.MaxFiles)+maxTries {
		return nil, &source.LimitError{Option: "Limits.MaxFiles", Max: int64(pages.limits.MaxFiles)}
	}
	response, err := t.next.RoundTrip(request)
	if err == nil && listing {
		response.Body = &boundedBody{ReadCloser: response.Body, left: maxPageBytes}
	}
	return response, err
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errors.New("a page of the listing is over 16 MiB")
	}
	return n, err
}
