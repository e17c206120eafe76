package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket/internal/cache"
)

// contents are bodies by what the listing said of them. Nobody changes a map that has been handed on.
type contents map[content]*cache.Body

// A content is what of an object decides on its content.
type content struct {
	key, etag string
	size      int64
}

// at returns the object's content if it is there.
func (c contents) at(o Object) *cache.Body {
	if body := c[o.content()]; body != nil && !body.Lost() {
		return body
	}
	return nil
}

func (o Object) content() content { return content{o.Key, o.ETag, o.Size} }

// identity has the place in it, for an ETag is the server's word on one key: it is an MD5 of the content at best, and S3
// promises nothing of two keys that have the same one.
// The key is as it is and not escaped, so that no two keys make one text.
func (o Object) identity(place string) string {
	return "etag:" + strconv.Quote(o.ETag) + " " + strconv.FormatInt(o.Size, 10) + " " + place + "/" + o.Key
}

// download returns the contents of all objects, reading those that have lacks. With an error comes what there is, of have
// too.
func (s *Source) download(ctx context.Context, l listing, have contents) (contents, error) {
	all := make(contents, len(l.objects))
	var missing []Object
	for _, o := range l.objects {
		if body := cmp.Or(have.at(o), l.read.at(o)); body != nil {
			all[o.content()] = body
		} else {
			missing = append(missing, o)
		}
	}
	var mu sync.Mutex
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(s.opts.Concurrency)
	for _, o := range missing {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error {
			body, err := s.body(inner, o)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			all[o.content()] = body
			return nil
		})
	}
	err := group.Wait()
	if err == nil && len(all) < len(l.objects) {
		err = ctx.Err() // it ended before all were asked for
	}
	return all, err
}

// get reads an object if it is the one that was listed. What begins to come and does not come whole is read again: what the
// driver cannot open, it has tried again itself.
func (s *Source) get(ctx context.Context, o Object, key cache.Key) (*cache.Body, error) {
	take := s.take
	for try := 1; ; try++ {
		stream, err := s.driver.Get(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", o.Key, err)
		}
		body, err := take(ctx, key, o, stream)
		_ = stream.Close() // it was only read
		switch {
		case body != nil:
			return body, nil
		case err == nil:
			take, try = takeInMemory, try-1
			continue
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return nil, fmt.Errorf("key %q: %w", o.Key, err)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case try < maxTries:
			continue
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, cache.ErrLong):
			err = fmt.Errorf("%d bytes are listed, and others come: %w", o.Size, err)
		}
		return nil, fmt.Errorf("key %q: %w", o.Key, &source.TemporaryError{Err: err})
	}
}
