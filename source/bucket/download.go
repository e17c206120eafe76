package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"
)

// contents are bodies by what the listing said of them. Nobody changes a map or a body that has been handed on.
type contents map[object][]byte

// download returns the contents of all objects, reading those that have lacks. If an object has moved, it returns what there
// is along with errMoved.
func (s *Source) download(ctx context.Context, wanted []object, have contents) (contents, error) {
	all := make(contents, len(wanted))
	var missing []object
	for _, o := range wanted {
		if body, ok := have[o]; ok {
			all[o] = body
		} else {
			missing = append(missing, o)
		}
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.opts.Concurrency)
	for _, o := range missing {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			body, err := s.get(ctx, o)
			if err != nil {
				return err
			}
			mu.Lock()
			all[o] = body
			mu.Unlock()
			return nil
		})
	}
	err := group.Wait()
	if err == nil && len(all) < len(wanted) {
		err = ctx.Err() // the caller's context ended before all were asked for
	}
	return all, err
}

// get reads an object if it is the one that was listed.
func (s *Source) get(ctx context.Context, o object) ([]byte, error) {
	key := s.opts.Prefix + o.name
	options := minio.GetObjectOptions{}
	if err := options.SetMatchETag(o.etag); err != nil {
		return nil, err
	}
	// Go's transport would decompress what is stored with Content-Encoding: gzip.
	options.Set("Accept-Encoding", "identity")
	stream, info, _, err := s.client.GetObject(ctx, s.opts.Bucket, key, options)
	if answer := (minio.ErrorResponse{}); errors.As(err, &answer) &&
		(answer.StatusCode == http.StatusPreconditionFailed || answer.Code == minio.NoSuchKey) {
		return nil, errMoved
	}
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", key, s.describe(err))
	}
	defer stream.Close() // it was only read
	if strings.Trim(info.ETag, `"`) != o.etag {
		return nil, errMoved // some servers do not know If-Match
	}
	return read(stream, key, o.size)
}

func read(stream io.Reader, key string, size int64) ([]byte, error) {
	body := make([]byte, size) // at most Limits.MaxFileBytes, as the listing was checked
	n, err := io.ReadFull(stream, body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return nil, fmt.Errorf("key %q: %w", key, err)
	}
	more, _ := io.ReadFull(stream, make([]byte, 1))
	if int64(n) != size || more > 0 {
		return nil, fmt.Errorf("key %q: the server lists %d bytes and sends others: %w", key, size, io.ErrUnexpectedEOF)
	}
	return body, nil
}
