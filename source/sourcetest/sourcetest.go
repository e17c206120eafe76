package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

// An Origin is where a Source gets content from, with a way to change it. Each of its functions has to be set.
type Origin struct {
	// New returns another Source of the same origin.
	New func() (source.Source, error)
	// Write puts files at the origin by their slash-separated paths, over what is there; a nil body removes the file. Once
	// it has returned, a Fetch that starts has to see them.
	Write func(ctx context.Context, files map[string][]byte) error
}

// Test runs every check as a subtest, against a fresh, empty origin each.
func Test(t *testing.T, fresh func(t *testing.T) Origin) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t.Context(), fresh(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Check runs every check, against a fresh, empty origin each, and returns all that is wrong.
func Check(ctx context.Context, fresh func() (Origin, error)) error {
	var errs []error
	for _, c := range checks {
		o, err := fresh()
		if err == nil {
			err = c.run(ctx, o)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errors.Join(errs...)
}

type check struct {
	name string
	run  func(context.Context, Origin) error
}

var checks = []check{
	{"ContentIsWhatWasWritten", content},
	{"BigFile", big},
	{"KnownRevisionIsNotModified", notModified},
	{"UnknownRevisionIsFetched", unknown},
	{"RevisionIsOfTheContent", sameRevision},
	{"RevisionIsText", revisionText},
	{"ChangeIsSeen", change},
	{"RevertIsSeen", revert},
	{"SnapshotOutlivesLaterFetch", outlives},
	{"SnapshotIsImmutable", immutable},
	{"CloseEndsTheSnapshot", closing},
	{"CloseLeavesOtherSnapshots", closingOne},
	{"IdentityIsOfTheContent", identities},
	{"FetchesAtOnce", concurrent},
	{"EndedContextIsHeeded", ended},
}

// start returns a Source of an origin that holds files.
func (o Origin) start(ctx context.Context, files map[string][]byte) (source.Source, error) {
	if err := o.Write(ctx, files); err != nil {
		return nil, fmt.Errorf("the origin cannot be written to: %w", err)
	}
	return o.New()
}

// first returns a Source of an origin that holds files, and what it fetches.
func (o Origin) first(ctx context.Context, files map[string][]byte) (source.Source, *source.Snapshot, error) {
	s, err := o.start(ctx, files)
	if err != nil {
		return nil, nil, err
	}
	snapshot, err := fetch(ctx, s, source.Revision{})
	return s, snapshot, err
}

// next changes the origin and fetches what is new since the known revision.
func (o Origin) next(ctx context.Context, s source.Source, known source.Revision, files map[string][]byte) (*source.Snapshot, error) {
	if err := o.Write(ctx, files); err != nil {
		return nil, fmt.Errorf("the origin cannot be written to: %w", err)
	}
	return fetch(ctx, s, known)
}

// fetch wants content.
func fetch(ctx context.Context, s source.Source, known source.Revision) (*source.Snapshot, error) {
	snapshot, err := s.Fetch(ctx, known)
	switch {
	case err != nil && snapshot != nil:
		return nil, fmt.Errorf("fetching with %q known gives both a snapshot and an error: %w", known, err)
	case err != nil:
		return nil, fmt.Errorf("fetching with %q known: %w", known, err)
	case snapshot == nil:
		return nil, fmt.Errorf("fetching with %q known gives neither a snapshot nor an error", known)
	case snapshot.Revision.Digest == "":
		return nil, fmt.Errorf("the snapshot's revision %q has no digest", snapshot.Revision)
	}
	return snapshot, nil
}
