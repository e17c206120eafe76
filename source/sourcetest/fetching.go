package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
)

func notModified(ctx context.Context, o Origin) error {
	s, snapshot, err := o.first(ctx, small())
	if err != nil {
		return err
	}
	other, err := o.New()
	if err != nil {
		return err
	}
	for _, s := range []source.Source{s, other} {
		again, err := s.Fetch(ctx, snapshot.Revision)
		if again != nil || !errors.Is(err, source.ErrNotModified) {
			return fmt.Errorf("fetching with the current revision %s known gives the error %v instead of %v",
				snapshot.Revision, err, source.ErrNotModified)
		}
	}
	return compare(snapshot, small())
}

func unknown(ctx context.Context, o Origin) error {
	s, snapshot, err := o.first(ctx, small())
	if err != nil {
		return err
	}
	now := snapshot.Revision
	algorithm, encoded, _ := strings.Cut(now.Digest.String(), ":")
	for _, known := range []source.Revision{
		{},
		{Name: now.Name},
		{Name: now.Name + "-other", Digest: now.Digest},
		{Name: now.Name, Digest: digest.Digest(algorithm + ":" + strings.Repeat("0", len(encoded)))},
	} {
		snapshot, err := fetch(ctx, s, known)
		if err != nil {
			return err
		}
		if snapshot.Revision != now {
			return fmt.Errorf("the revision is %s and was %s, with nothing changed", snapshot.Revision, now)
		}
		if err := compare(snapshot, small()); err != nil {
			return err
		}
	}
	return nil
}

func sameRevision(ctx context.Context, o Origin) error {
	_, snapshot, err := o.first(ctx, small())
	if err != nil {
		return err
	}
	other, err := o.New()
	if err != nil {
		return err
	}
	again, err := fetch(ctx, other, source.Revision{})
	if err != nil {
		return err
	}
	if again.Revision != snapshot.Revision {
		return fmt.Errorf("two Sources of one origin give the revisions %s and %s", snapshot.Revision, again.Revision)
	}
	return nil
}

func revisionText(ctx context.Context, o Origin) error {
	_, snapshot, err := o.first(ctx, small())
	if err != nil {
		return err
	}
	parsed, err := source.ParseRevision(snapshot.Revision.String())
	if err == nil && parsed != snapshot.Revision {
		err = fmt.Errorf("the revision %q is %+v, and read back from text %+v", snapshot.Revision, snapshot.Revision, parsed)
	}
	return err
}

func closing(ctx context.Context, o Origin) error {
	_, snapshot, err := o.first(ctx, small())
	if err != nil {
		return err
	}
	for range 2 {
		if err := snapshot.Close(); err != nil {
			return fmt.Errorf("closing: %w", err)
		}
	}
	_, opening := snapshot.Open("a.yaml")
	_, reading := fs.ReadFile(snapshot, "a.yaml")
	_, listing := fs.ReadDir(snapshot, ".")
	_, stat := fs.Stat(snapshot, "apps")
	_, identity := source.Identity(snapshot, "apps")
	for what, err := range map[string]error{
		"Open": opening, "ReadFile": reading, "ReadDir": listing, "Stat": stat, "Identity": identity,
	} {
		if !errors.Is(err, fs.ErrClosed) {
			return fmt.Errorf("%s on a closed snapshot gives the error %v instead of %v", what, err, fs.ErrClosed)
		}
	}
	return nil
}

func closingOne(ctx context.Context, o Origin) error {
	s, one, err := o.first(ctx, small())
	if err != nil {
		return err
	}
	other, err := fetch(ctx, s, source.Revision{})
	if err != nil {
		return err
	}
	if err := one.Close(); err != nil {
		return err
	}
	if err := compare(other, small()); err != nil {
		return fmt.Errorf("after another snapshot of the same revision was closed: %w", err)
	}
	again, err := fetch(ctx, s, source.Revision{})
	if err != nil {
		return err
	}
	return compare(again, small())
}

func concurrent(ctx context.Context, o Origin) error {
	s, err := o.start(ctx, small())
	if err != nil {
		return err
	}
	errs := make([]error, 8)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			snapshot, err := fetch(ctx, s, source.Revision{})
			if err == nil {
				err = errors.Join(compare(snapshot, small()), snapshot.Close())
			}
			errs[i] = err
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func ended(ctx context.Context, o Origin) error {
	s, err := o.start(ctx, small())
	if err != nil {
		return err
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	snapshot, err := s.Fetch(canceled, source.Revision{})
	if snapshot != nil || !errors.Is(err, context.Canceled) {
		return fmt.Errorf("fetching with an ended context gives the error %v instead of %v", err, context.Canceled)
	}
	return nil
}
