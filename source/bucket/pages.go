package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/gitopskit/gitopskit/source"
)

// pageKeys is how many keys S3 lists in one answer.
const pageKeys = 1000

// present returns what is under the prefix now. An answer says where the next one begins, so they come one after the other.
// But who has the last listing knows where they begin, and asks for all of them at once: the requests are no more as long as
// no page has grown.
func (s *Source) present(ctx context.Context) ([]Object, error) {
	s.mu.Lock()
	starts := s.pageStarts
	s.mu.Unlock()
	all, err := s.pages(ctx, starts)
	unordered := errors.Is(err, errUnordered)
	if unordered {
		all, err = s.pages(ctx, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the objects: %w", err)
	}
	sorted := slices.IsSortedFunc(all, func(a, b Object) int { return strings.Compare(a.Key, b.Key) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unordered = s.unordered || unordered
	if s.pageStarts = nil; sorted && !s.unordered {
		for i := pageKeys; i < len(all); i += pageKeys {
			s.pageStarts = append(s.pageStarts, all[i-1].Key)
		}
	}
	return all, nil
}

// errUnordered means that a store does not list by the order of bytes, or not from where it is asked to.
var errUnordered = errors.New("the keys are not in order")

// pages lists everything, at once what comes up to each of the keys, and what comes after the last one.
func (s *Source) pages(ctx context.Context, starts []string) ([]Object, error) {
	parts := make([][]Object, len(starts)+1)
	var count atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.opts.Concurrency)
	for i := range parts {
		part := span{inOrder: len(starts) > 0}
		if i > 0 {
			part.after = starts[i-1]
		}
		if i < len(starts) {
			part.last = starts[i]
		}
		group.Go(func() (err error) {
			parts[i], err = s.span(ctx, part, &count)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(parts...), nil
}

// A span is of keys: those after one and up to another; each may be empty.
type span struct {
	after, last string
	inOrder     bool // they have to be
}

func (s *Source) span(ctx context.Context, part span, count *atomic.Int64) ([]Object, error) {
	var objects []Object
	before := part.after
	for o, err := range s.driver.List(ctx, List{Prefix: s.opts.Prefix, After: part.after}) {
		switch {
		case err != nil:
			return nil, err
		case part.inOrder && o.Key <= before:
			return nil, errUnordered
		case part.last != "" && o.Key > part.last:
			return objects, nil
		case count.Add(1) > int64(s.opts.MaxKeys):
			return nil, &source.LimitError{Option: "Options.MaxKeys", Max: int64(s.opts.MaxKeys)}
		}
		before = o.Key
		if objects = append(objects, o); o.Key == part.last {
			return objects, nil // before the store is asked for what another one asks for
		}
	}
	return objects, ctx.Err() // a driver's listing may just end then
}
