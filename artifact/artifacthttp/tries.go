package artifacthttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// A permanentError is one that another request would not mend.
type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// A statusError is an answer without an artifact.
type statusError struct {
	error
	status int
	after  time.Duration // that the server asks to wait; less than zero: it does not
}

func (e *statusError) Unwrap() error { return e.error }

// refused returns the error of an answer whose status is not one that is of use.
func refused(answer *http.Response) error {
	err := fmt.Errorf("the server answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	switch answer.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		err = errNotFound
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		err = fmt.Errorf("%w: %w", ErrUnauthorized, err)
	}
	after := retryAfter(answer.Header.Get("Retry-After"), time.Now())
	refusal := &statusError{error: err, status: answer.StatusCode, after: after}
	switch answer.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return refusal
	}
	return &permanentError{refusal}
}

// retryAfter returns how long after now the value of a Retry-After header is, or -1.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return -1
}

// tries are those that one call has left.
type tries struct {
	client *Client
	used   int
	wait   time.Duration
	at     int64 // how far the last one came
}

func (t *target) newTries() *tries { return &tries{client: t.client, wait: t.client.RetryWait} }

// again waits and returns nil if there may be another try after one that failed, and otherwise why it failed. at is how
// many bytes there are by now.
func (t *tries) again(ctx context.Context, failure error, at int64) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if permanent(failure) {
		return failure
	}
	if t.used >= t.client.Retries {
		if t.used > 0 {
			failure = fmt.Errorf("%w, after %d retries", failure, t.used)
		}
		return failure
	}
	t.used++
	if at > t.at { // it works, if not for long
		t.at, t.wait = at, t.client.RetryWait
	}
	wait := min(t.wait, t.client.MaxWait)
	t.wait = 2 * wait
	wait -= rand.N(wait/2 + 1) // many clients may have met the same failure
	if refusal := new(statusError); errors.As(failure, &refusal) && refusal.after >= 0 {
		wait = refusal.after
	}
	if wait > t.client.MaxWait {
		return fmt.Errorf("%w, and asks to wait for %v, longer than Client.MaxWait allows", failure, wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// permanent reports whether another try is of no use. What changed is begun anew by who knows how.
func permanent(err error) bool {
	untrusted := new(tls.CertificateVerificationError)
	return errors.As(err, new(*permanentError)) || errors.As(err, &untrusted)
}
