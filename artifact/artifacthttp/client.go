package artifacthttp

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// A Client fetches artifacts from servers such as [Handler] and Flux's source-controller. The zero value works, and several
// goroutines may use one.
type Client struct {
	// HTTP sends the requests. What it adds to them by itself, as a Jar or a Transport may, is its own matter, and so is its
	// Timeout, which then bounds each answer. Default: http.DefaultClient.
	HTTP *http.Client
	// Header is sent with each request to the scheme, host and port that the URL names, and to no other that is redirected
	// to: the place for Authorization. A user and password in the URL are sent likewise.
	Header http.Header
	// MaxBytes is how large an artifact may be, compressed, in bytes. Default: artifact.DefaultMaxStoredBytes.
	MaxBytes int64
	// Retries is how often one call sends another request because the last one failed, or its answer broke off. Less than
	// zero: never. Default: DefaultRetries.
	Retries int
	// RetryWait is how long it waits at most before the first of them, and then twice as long each time, up to MaxWait: a
	// random part of up to a half is taken off. After some progress it begins anew. Default: DefaultRetryWait.
	RetryWait time.Duration
	// MaxWait is how long it waits at most, also if a server asks for more by Retry-After: then it fails instead.
	// Default: DefaultMaxWait.
	MaxWait time.Duration
	// StallTimeout is how long a server may be silent before the request counts as failed. Default: DefaultStallTimeout.
	StallTimeout time.Duration
}

// What Client means where a field is zero.
const (
	DefaultRetries      = 5
	DefaultRetryWait    = 500 * time.Millisecond
	DefaultMaxWait      = 30 * time.Second
	DefaultStallTimeout = 30 * time.Second
)

func (c *Client) withDefaults() *Client {
	all := *c
	all.HTTP = cmp.Or(c.HTTP, http.DefaultClient)
	all.MaxBytes = cmp.Or(max(c.MaxBytes, 0), artifact.DefaultMaxStoredBytes)
	all.Retries = max(cmp.Or(c.Retries, DefaultRetries), 0)
	all.RetryWait = cmp.Or(max(c.RetryWait, 0), DefaultRetryWait)
	all.MaxWait = cmp.Or(max(c.MaxWait, 0), DefaultMaxWait)
	all.StallTimeout = cmp.Or(max(c.StallTimeout, 0), DefaultStallTimeout)
	return &all
}

// Fetch gets the artifact that want names from a URL, puts it into to, and returns its Descriptor. Of want only Digest has
// to be set: without a Size it is as large as it is, up to MaxBytes, and without a MediaType it is what its first bytes say.
// What want says of the content comes back as it is: it is verified where the artifact is opened.
//
// If to is a [Store] that has the artifact already, intact, there is no request. Otherwise the bytes go into to as they
// come, and to takes them only if they are those of want.Digest. Where an answer breaks off, Fetch asks for what is missing,
// and where the server has no parts to give, it begins anew and goes on where it was, if the bytes until there are the same.
// If to is no [artifact.Creator] and a server does not say how large its artifact is, Fetch gets it twice.
//
// Every error is an *Error. It is artifact.ErrNotFound if the server says so, ErrUnauthorized, artifact.ErrDigest if what
// the server has are other bytes, artifact.ErrTooLarge, ctx.Err(), and what to returns. Fetch waits without an end for a
// server that sends little but steadily: ctx bounds it.
func (c *Client) Fetch(
	ctx context.Context, url string, want artifact.Descriptor, to artifact.Putter,
) (artifact.Descriptor, error) {
	t, err := c.newTarget(url)
	if err == nil {
		want, err = fetch(ctx, t, want, to)
	}
	if err != nil {
		return artifact.Descriptor{}, t.in("fetch", err)
	}
	return want, nil
}

func fetch(ctx context.Context, t *target, want artifact.Descriptor, to artifact.Putter) (artifact.Descriptor, error) {
	if err := want.Digest.Validate(); err != nil || want.Digest.Algorithm() != digest.SHA256 {
		return want, fmt.Errorf("%w: %q is not a sha256 digest", artifact.ErrFormat, string(want.Digest))
	}
	if want.Size > t.client.MaxBytes {
		return want, t.client.tooLarge()
	}
	if have, ok := held(ctx, want, to); ok {
		return have, nil
	}
	tries := t.newTries()
	for {
		d := newDownload(ctx, t, tries, want)
		got, err := d.into(to)
		switch {
		case d.measured:
			want.Size = d.n
		case err == nil || ctx.Err() != nil:
			return got, err
		case errors.Is(err, errChanged):
			if err := tries.again(ctx, errChanged, 0); err != nil {
				return want, err
			}
		case d.resumed && errors.Is(d.err, artifact.ErrDigest):
			// What was put together is no artifact. Whole, it may be.
			if err := tries.again(ctx, err, 0); err != nil {
				return want, err
			}
		default:
			return want, err
		}
	}
}

// held returns the Descriptor in to of an artifact that is there intact, and is what want says.
func held(ctx context.Context, want artifact.Descriptor, to artifact.Putter) (artifact.Descriptor, bool) {
	store, ok := to.(Store)
	if !ok {
		return want, false
	}
	have, err := store.Stat(ctx, want.Digest)
	if err != nil || completed(want, have) != have {
		return want, false
	}
	blob, err := store.Open(ctx, want.Digest)
	if err != nil {
		return want, false
	}
	defer blob.Close()
	n, err := io.Copy(io.Discard, blob)
	return have, err == nil && n == have.Size
}

// completed returns want with what it leaves open taken from have.
func completed(want, have artifact.Descriptor) artifact.Descriptor {
	return artifact.Descriptor{
		MediaType:     cmp.Or(want.MediaType, have.MediaType),
		Digest:        want.Digest,
		Size:          cmp.Or(want.Size, have.Size),
		ContentDigest: cmp.Or(want.ContentDigest, have.ContentDigest),
		ContentSize:   cmp.Or(want.ContentSize, have.ContentSize),
		Files:         cmp.Or(want.Files, have.Files),
	}
}

// into downloads into a store, or only measures what is to be downloaded, if it has to know.
func (d *download) into(to artifact.Putter) (artifact.Descriptor, error) {
	defer d.drop()
	r := bufio.NewReaderSize(d, 64<<10)
	start, err := r.Peek(4)
	if err != nil && err != io.EOF {
		return d.want, err
	}
	got := d.want
	got.MediaType = cmp.Or(got.MediaType, sniff(start))
	got.Size = cmp.Or(got.Size, max(d.size, 0))
	creator, ok := to.(artifact.Creator)
	switch {
	case got.Size > 0:
		err = to.Put(d.ctx, r, got)
	case ok:
		got, err = creator.Create(d.ctx, func(w io.Writer) (artifact.Descriptor, error) {
			_, err := io.Copy(w, r)
			got.Size = d.n
			return got, err
		})
	default:
		_, err = io.Copy(io.Discard, r)
		d.measured = err == nil
	}
	if d.err != nil && d.err != io.EOF {
		err = d.err // rather than what to makes of it, if anything
	}
	return got, err
}

// sniff returns the media type of what begins so: with the magic number of gzip, of a zstd frame, or of a skippable one.
func sniff(start []byte) string {
	skippable := len(start) == 4 && start[0]&0xf0 == 0x50 && string(start[1:]) == "\x2a\x4d\x18"
	switch {
	case bytes.HasPrefix(start, []byte("\x1f\x8b")):
		return artifact.MediaTypeTarGzip
	case string(start) == "\x28\xb5\x2f\xfd", skippable:
		return artifact.MediaTypeTarZstd
	}
	return artifact.MediaTypeTar
}

// Resolve asks by HEAD which artifact is at a URL now, such as at a name of [Handler]. Nothing of the answer is verified: it
// is good for a question to [Client.Fetch]. Its MediaType is empty if the server does not tell it, and Size is 0.
//
// Every error is an *Error. It is artifact.ErrNotFound if the server says so, ErrUnauthorized, ErrNoDigest if the server
// does not tell it, as source-controller's does not, and ctx.Err().
func (c *Client) Resolve(ctx context.Context, url string) (artifact.Descriptor, error) {
	t, err := c.newTarget(url)
	if err != nil {
		return artifact.Descriptor{}, t.in("resolve", err)
	}
	tries := t.newTries()
	for {
		d, err := t.head(ctx)
		if err == nil {
			return d, nil
		}
		if err := tries.again(ctx, err, 0); err != nil {
			return artifact.Descriptor{}, t.in("resolve", err)
		}
	}
}

func (t *target) head(ctx context.Context) (artifact.Descriptor, error) {
	answer, err := t.do(ctx, http.MethodHead, nil)
	if err != nil {
		return artifact.Descriptor{}, err
	}
	defer discard(answer)
	if answer.StatusCode != http.StatusOK {
		return artifact.Descriptor{}, refused(answer)
	}
	d, agreed := announced(answer.Header)
	switch {
	case !agreed:
		return artifact.Descriptor{}, &permanentError{fmt.Errorf("%w: its headers contradict each other", ErrNoDigest)}
	case d == "":
		return artifact.Descriptor{}, &permanentError{ErrNoDigest}
	}
	return artifact.Descriptor{
		MediaType: mediaType(answer),
		Digest:    d,
		Size:      max(answer.ContentLength, 0),
	}, nil
}

// mediaType returns what an answer says that it holds, in the names that are in use, or "".
func mediaType(answer *http.Response) string {
	named, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	switch named = strings.ToLower(strings.TrimSpace(named)); named {
	case artifact.MediaTypeTar, artifact.MediaTypeTarGzip, artifact.MediaTypeTarZstd:
		return named
	case "application/gzip", "application/x-gzip", "application/tar+gzip", "application/x-gtar":
		return artifact.MediaTypeTarGzip
	case "application/zstd":
		return artifact.MediaTypeTarZstd
	case "application/x-tar":
		return artifact.MediaTypeTar
	}
	return ""
}

func (c *Client) tooLarge() error {
	return &artifact.LimitError{Option: "Client.MaxBytes", Max: c.MaxBytes}
}
