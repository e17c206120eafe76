package bucket_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// What a function for credentials says is told as its own, whatever is in the error's chain.
func TestErrorsOfCredentialsAreNotTheStores(t *testing.T) {
	b := sampleBucket(t)
	mine := errors.New("the vault is sealed")
	for name, cause := range map[string]error{
		"EOF": io.EOF, "short": io.ErrUnexpectedEOF, "canceled": context.Canceled, "deadline": context.DeadlineExceeded,
		"a URL": &url.Error{Op: "Get", URL: "https://vault.example.com", Err: io.EOF}, "TLS": x509.UnknownAuthorityError{},
		"not found": source.ErrNotFound, "not modified": source.ErrNotModified, "moved": bucket.ErrMoved,
	} {
		t.Run(name, func(t *testing.T) {
			said := errors.Join(mine, fmt.Errorf("asking the vault: %w", cause))
			opts := asking(b, func(context.Context, bucket.CredentialRequest) (bucket.Credential, error) {
				return bucket.Credential{}, said
			})
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, "asking for credentials: ")
			if !strings.Contains(err.Error(), mine.Error()) || strings.Contains(err.Error(), "foreign host") ||
				errors.As(err, new(*source.TemporaryError)) {
				t.Errorf("got %v", err)
			}
			for _, word := range []error{source.ErrNotFound, source.ErrNotModified, bucket.ErrMoved} {
				if errors.Is(err, word) {
					t.Errorf("%v is %v of the bucket", err, word)
				}
			}
		})
	}
}

// A function that waits until the context ends is what was waited for.
func TestCredentialsThatDoNotComeAreNamed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	opts := asking(sampleBucket(t), func(ctx context.Context, _ bucket.CredentialRequest) (bucket.Credential, error) {
		cancel()
		<-ctx.Done()
		return bucket.Credential{}, ctx.Err()
	})
	_, err := newSource(t, opts).Fetch(ctx, source.Revision{})
	checkError(t, err, context.Canceled, "asking for credentials: ")
}
