package bucket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/network"
	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// s3 is the [Driver] of S3 and what speaks its protocol.
type s3 struct {
	endpoint   url.URL
	bucket     string
	region     string // that of the options
	client     *minio.Core
	encryption encrypt.ServerSide // nil: none of ours
	anyETag    bool
	maxKeys    int
	secrets    *secret.Words // that no error tells, though servers may
	// connections are to the store, and to others; none where the transport is somebody else's.
	connections []*connections
}

// use says that a fetch runs, until what it returns is called.
func (d *s3) use() (end func()) {
	var ends []func()
	for _, c := range d.connections {
		ends = append(ends, c.use())
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// String implements [Driver].
func (d *s3) String() string {
	u := d.endpoint
	u.Path = "/" + d.bucket
	return u.String()
}

// List implements [Driver].
func (d *s3) List(ctx context.Context, list List) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Object{}, err)
			return
		}
		// Some servers send pages of fewer keys than were asked for, even empty ones, but not so many.
		c := &call{pages: int64(d.maxKeys)/100 + 100}
		inner, cancel := context.WithCancel(context.WithValue(ctx, callKey{}, c))
		defer cancel()
		owner := false
		options := minio.ListObjectsOptions{Prefix: list.Prefix, StartAfter: list.After, Recursive: true, WithVersions: list.Versions,
			FetchOwner: &owner}
		for info := range d.client.ListObjectsIter(inner, d.bucket, options) {
			if info.Err != nil {
				yield(Object{}, d.describe(ctx, c, info.Err))
				return
			}
			o := Object{Key: info.Key, ETag: info.ETag, Size: info.Size}
			if list.Versions {
				o.Version, o.Modified, o.Deleted, o.Latest = info.VersionID, info.LastModified, info.IsDeleteMarker, info.IsLatest
			}
			if !yield(o, nil) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(Object{}, c.ended(ctx, d.secrets)) // minio-go just ends then
		}
	}
}

// Get implements [Driver].
func (d *s3) Get(ctx context.Context, o Object) (io.ReadCloser, error) {
	c := &call{}
	options := minio.GetObjectOptions{VersionID: o.Version, ServerSideEncryption: d.encryption}
	if err := options.SetMatchETag(o.ETag); err != nil {
		return nil, err
	}
	options.Set("Accept-Encoding", asStored(d.endpoint))
	// The options' Checksum would have minio-go check as well, with an error of its own that says less.
	options.Set("X-Amz-Checksum-Mode", "ENABLED")
	stream, info, header, err := d.client.GetObject(context.WithValue(ctx, callKey{}, c), d.bucket, o.Key, options)
	answer := minio.ErrorResponse{}
	if c.odd.Load() == nil && errors.As(err, &answer) && (answer.StatusCode == http.StatusPreconditionFailed ||
		answer.Code == minio.NoSuchKey || answer.Code == minio.NoSuchVersion) {
		return nil, ErrMoved
	}
	if err != nil {
		return nil, d.suspectKey(answer, d.describe(ctx, c, err))
	}
	if strings.Trim(info.ETag, `"`) != o.ETag {
		_ = stream.Close()
		return nil, ErrMoved // some servers do not know If-Match
	}
	if info.Size >= 0 && info.Size != o.Size {
		_ = stream.Close()
		return nil, fmt.Errorf("%w: %d bytes are listed, and the answer has %d", ErrMoved, o.Size, info.Size)
	}
	body := &checkedBody{body: stream, ctx: ctx, secrets: d.secrets, ended: func() error { return c.ended(ctx, d.secrets) }}
	body.expect(d.sums(o, info, header))
	return body, nil
}

// asStored is the encoding to ask for so that content comes as it is stored, also with Content-Encoding: gzip. Go's transport
// decompresses what it has asked for itself, and Google what nobody asks for as gzip.
func asStored(endpoint url.URL) string {
	if s3utils.IsGoogleEndpoint(endpoint) {
		return "gzip"
	}
	return "identity"
}

// describe sorts failures into the errors that callers branch on.
func (d *s3) describe(ctx context.Context, c *call, err error) error {
	if asking := c.asking.Load(); asking != nil {
		return asking
	}
	if ctx.Err() != nil {
		return c.ended(ctx, d.secrets)
	}
	answer := minio.ErrorResponse{}
	switch {
	case errors.Is(err, errOdd):
		return c.temporary(errors.New(c.odd.Load().say(d.secrets)))
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("the server speaks plain HTTP: write http:// before Options.Endpoint, or set Insecure: %w", err)
	case d.wantsTLS(c, err):
		return errors.New("the server speaks TLS: write https:// before Options.Endpoint instead of http://, and leave " +
			"Insecure unset")
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return fmt.Errorf("the server's certificate is of an unknown authority, whose own belongs into Options.CA: %w", err)
	case errors.Is(err, source.ErrTooLarge) || errors.Is(err, errPageTooLong):
		return err
	case !errors.As(err, &answer):
		if refused := refusedOnTheWay(err); refused != nil {
			return d.secrets.Clean(refused)
		}
		if errors.As(err, new(*tls.CertificateVerificationError)) {
			return d.secrets.Clean(err) // to be mended by somebody, as in source/git
		}
		if failure := c.failure.Load(); failure != nil && (*failure == io.EOF || *failure == io.ErrUnexpectedEOF) {
			return c.temporary(d.hungUp())
		}
		return c.temporary(d.secrets.Clean(err))
	}
	return d.refused(c, answer)
}

// wantsTLS tells that something answered plain HTTP as servers of TLS do: in words, or with an alert.
func (d *s3) wantsTLS(c *call, err error) bool {
	if d.endpoint.Scheme != "http" {
		return false
	}
	odd := c.odd.Load()
	return isAlert(err) || odd != nil && odd.status == http.StatusBadRequest && strings.Contains(odd.start, "HTTPS")
}

// hungUp is of a server that closes the connection instead of answering, as some do that are asked for TLS.
func (d *s3) hungUp() error {
	text := "the server closes the connection and does not answer"
	if d.endpoint.Scheme == "http" {
		text += "; if it speaks TLS, write https:// before Options.Endpoint instead of http://"
	}
	return errors.New(text)
}

// refused sorts the store's refusals.
func (d *s3) refused(c *call, answer minio.ErrorResponse) error {
	said, odd := said(answer, d.secrets), c.odd.Load()
	if odd != nil {
		said = odd.say(d.secrets)
	}
	switch {
	case odd != nil && answer.StatusCode == http.StatusNotFound: // who says so cannot know about a bucket
		return c.temporary(errors.New(said))
	case answer.Code == "RequestTimeTooSkewed":
		return fmt.Errorf("%w: this machine's clock is more than 15 minutes off the server's: %s", source.ErrUnauthorized, said)
	case answer.StatusCode == http.StatusProxyAuthRequired:
		return network.ErrProxyAuth
	case refusedCredential(answer.Code):
		return fmt.Errorf("%w: %s", source.ErrUnauthorized, said)
	case answer.Code == "AuthorizationHeaderMalformed" || answer.StatusCode >= 300 && answer.StatusCode < 400:
		return fmt.Errorf("%s: %s", d.elsewhere(answer.Region), said)
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: %s", source.ErrUnauthorized, said)
	case answer.Code == minio.NoSuchBucket || answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("bucket %q: %w: %s", d.bucket, source.ErrNotFound, said)
	case passing(answer.StatusCode):
		return c.temporary(errors.New(said))
	}
	return errors.New(said)
}

// cleanNames hides in err what the store was sent, for it may list keys that tell it.
func (d *s3) cleanNames(err error) error { return d.secrets.CleanNames(err) }

// suspectKey says which option to look at where an object may be refused for how it is encrypted. Stores answer the same to
// a wrong key as to somebody without permission.
func (d *s3) suspectKey(answer minio.ErrorResponse, err error) error {
	invalid := answer.StatusCode == http.StatusBadRequest && answer.Code == "InvalidRequest"
	switch {
	case d.encryption == nil && invalid:
		return fmt.Errorf("perhaps it is encrypted with a key of the client's, which Options.CustomerKey is for: %w", err)
	case d.encryption != nil && (invalid || answer.StatusCode == http.StatusForbidden):
		return fmt.Errorf("perhaps it is not encrypted with Options.CustomerKey: %w", err)
	}
	return err
}

func (d *s3) elsewhere(region string) string {
	if region = d.secrets.Redact(region); region != "" && region != d.region {
		return fmt.Sprintf("the bucket is in region %.50q: set Options.Region to that, and Endpoint to that region's", region)
	}
	return "redirects are not followed; perhaps Options.Region or Endpoint is another one"
}
