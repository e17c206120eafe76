package git

import (
	"context"
	"errors"
	"strings"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/pack"
	"github.com/gitopskit/gitopskit/source/git/internal/transport"
)

// refused reports whether to ask for something else may help. Many servers say what they do not do by hanging up.
func refused(err error) bool {
	for _, final := range []error{context.Canceled, context.DeadlineExceeded, source.ErrTooLarge, source.ErrUnauthorized,
		transport.ErrStalled, transport.ErrBusy} {
		if errors.Is(err, final) {
			return false
		}
	}
	if busy := new(source.TemporaryError); errors.As(err, &busy) && busy.After > 0 {
		return false
	}
	return !errors.Is(err, errCut) && !errors.As(err, new(*pack.FormatError))
}

// Refusals are what a server does not do, so that it is asked no more. That something failed is no sign of it, until less
// was asked for and came; and since connections break, too, it takes a second time, with no success in between.
type refusals uint8

const (
	refusesV2 refusals = 1 << iota
	refusesDepth
	refusesBlobNone
	refusesHashes
)

func (s *Source) is(r refusals) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused&r != 0
}

func (s *Source) refuse(r refusals) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused |= s.doubted & r
	s.doubted |= r
}

// grant notes what worked.
func (s *Source) grant(r refusals) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubted &^= r
}

// refusalOf is what it is to refuse a filter.
func refusalOf(filter string) refusals {
	switch {
	case strings.HasPrefix(filter, "combine:"):
		return refusesDepth
	case filter == blobNone:
		return refusesBlobNone
	}
	return 0
}
