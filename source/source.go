package source

import "context"

// A Source is an origin of desired state. Several goroutines may fetch at once.
type Source interface {
	// Fetch returns the origin's content now, which the caller closes. If its revision is known, Fetch moves no content
	// and returns [ErrNotModified]: one round trip. The zero Revision is never current, so it always gets content.
	//
	// A revision says what the origin has, and not what of it was asked for. So whoever starts with other options than those
	// that known was fetched with (other paths, ignore rules, limits, submodules or LFS where there are such), or does not
	// know which these were, passes the zero Revision.
	//
	// Fetch stops soon after ctx ends, with an error that wraps ctx's. It never returns a Snapshot along with an error.
	Fetch(ctx context.Context, known Revision) (*Snapshot, error)
}

// A Func is a Source by itself.
type Func func(ctx context.Context, known Revision) (*Snapshot, error)

// Fetch calls f.
func (f Func) Fetch(ctx context.Context, known Revision) (*Snapshot, error) { return f(ctx, known) }
