package lfs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gitopskit/gitopskit/source"
)

const (
	batchObjects = 100 // in one request, as other clients do; many servers refuse more
	downloads    = 8   // at once
)

// A Client sends a request and returns its answer, whatever its status. It follows no redirect, since that is decided here,
// and adds the credentials of the repository to requests for the repository's origin, unless they have an Authorization
// header already. [http.Client] with a CheckRedirect that returns [http.ErrUseLastResponse] is one without credentials.
type Client interface {
	Do(*http.Request) (*http.Response, error)
}

// Fetch takes pointers by the paths of their files and returns the files' content by the pointers' OIDs. Content that
// several files have is fetched once, and that of an empty file not at all. The repository is an HTTP or HTTPS URL, with or
// without .git at its end; its user, password, query and fragment are not used.
//
// Before anything is asked, the sizes that the pointers tell are held against Limits.MaxFileBytes and, all files together,
// Limits.MaxBytes: crossing one is a [*source.LimitError]. What is about one object is an [*ObjectError] with the path of a
// file. A server that wants other credentials is a [source.ErrUnauthorized], one without LFS an [ErrNoServer]. With an
// error there is no content.
func Fetch(
	ctx context.Context, client Client, repository *url.URL, files map[string]Pointer, limits source.Limits,
) (map[string][]byte, error) {
	wanted, err := plan(files, limits.WithDefaults())
	if err != nil {
		return nil, err
	}
	f := &fetcher{client: client, contents: make(map[string][]byte, len(wanted))}
	if i := slices.IndexFunc(wanted, func(o object) bool { return o.Size == 0 }); i >= 0 { // no two hashes are of nothing
		f.contents[emptyOID], wanted = []byte{}, slices.Delete(wanted, i, i+1)
	}
	if len(wanted) == 0 {
		return f.contents, nil
	}
	if f.endpoint, err = batchURL(repository); err != nil {
		return nil, err
	}
	late, err := f.all(ctx, wanted, false)
	if err != nil {
		return nil, err
	}
	if _, err := f.all(ctx, late, true); err != nil {
		return nil, err
	}
	return f.contents, nil
}

// An object is content to fetch, and a path for errors about it.
type object struct {
	Pointer
	path string
}

func (o object) wrong(err error) error { return &ObjectError{Path: o.path, OID: o.OID, Err: err} }

// plan returns each content once, in the order of the paths. The total is of all files, as it is for a snapshot.
func plan(files map[string]Pointer, limits source.Limits) ([]object, error) {
	var wanted []object
	seen := make(map[string]int64, len(files))
	left := limits.MaxBytes
	for _, path := range slices.Sorted(maps.Keys(files)) {
		o := object{files[path], path}
		size, known := seen[o.OID]
		switch {
		case !isOID(o.OID) || o.Size < 0 || o.Size == 0 && o.OID != emptyOID:
			return nil, fmt.Errorf("%q: a pointer that Parse does not return", path)
		case o.Extended:
			return nil, o.wrong(errors.New("it was stored through LFS extensions, programs that only git-lfs runs"))
		case o.Size > limits.MaxFileBytes:
			return nil, &source.LimitError{Option: "Limits.MaxFileBytes", Max: limits.MaxFileBytes, Name: path}
		case o.Size > left:
			return nil, &source.LimitError{Option: "Limits.MaxBytes", Max: limits.MaxBytes}
		case known && size != o.Size:
			return nil, o.wrong(fmt.Errorf("one pointer says that it has %d bytes, another that it has %d", size, o.Size))
		case !known:
			wanted = append(wanted, o)
		}
		seen[o.OID], left = o.Size, left-o.Size
	}
	return wanted, nil
}

// batchURL returns where LFS is asked about a repository, whichever way that one's path is escaped.
func batchURL(repository *url.URL) (*url.URL, error) {
	if repository.Scheme != "http" && repository.Scheme != "https" || repository.Host == "" {
		return nil, fmt.Errorf("LFS content comes over HTTP and HTTPS only: %s has no LFS server",
			source.RedactURL(repository.String()))
	}
	whole := func(path string) string {
		return strings.TrimSuffix(strings.TrimRight(path, "/"), ".git") + ".git/info/lfs/objects/batch"
	}
	return &url.URL{Scheme: repository.Scheme, Host: repository.Host,
		Path: whole(repository.Path), RawPath: whole(repository.EscapedPath())}, nil
}

// A fetcher is one call of Fetch.
type fetcher struct {
	client   Client
	endpoint *url.URL // of the batch API; stays where a redirect led
	contents map[string][]byte
}

// all fetches objects, batch by batch, so that what the server grants is used soon. It returns those for which the grant had
// run out; the last time there are none.
func (f *fetcher) all(ctx context.Context, wanted []object, last bool) ([]object, error) {
	var late []object
	for batch := range slices.Chunk(wanted, batchObjects) {
		grants, err := f.batch(ctx, batch)
		if err != nil {
			return nil, err
		}
		bodies, err := f.bodies(ctx, batch, grants, last)
		if err != nil {
			return nil, err
		}
		for i, o := range batch {
			if bodies[i] == nil {
				late = append(late, o)
			} else {
				f.contents[o.OID] = bodies[i]
			}
		}
	}
	return late, nil
}

// bodies downloads at most so many objects at once as the constant says. Where the grant had run out the body is nil.
func (f *fetcher) bodies(ctx context.Context, batch []object, grants []grant, last bool) ([][]byte, error) {
	bodies := make([][]byte, len(batch))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(downloads)
	for i, o := range batch {
		group.Go(func() (err error) {
			bodies[i], err = f.granted(ctx, o, grants[i], last)
			return err
		})
	}
	return bodies, group.Wait()
}

// granted returns no body if the grant has run out, except the last time: a clock that is wrong here must not be the end of
// it, and the server knows better.
func (f *fetcher) granted(ctx context.Context, o object, g grant, last bool) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // another failed while this one waited for its turn
	}
	if !last && g.expired(time.Now()) {
		return nil, nil
	}
	body, err := f.download(ctx, o, g)
	if err != nil && ctx.Err() == nil && !last && g.expired(time.Now()) {
		return nil, nil
	}
	return body, err
}
