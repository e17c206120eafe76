package lfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/network"
)

const (
	// agent is what this client calls itself. Some servers answer only to names that they know.
	agent = "git-lfs/gitopskit"

	redirects = 5 // of one request

	// longestWait is how long a server may put off the one repetition of a request.
	longestWait = 30 * time.Second
)

// A call is a request that may be sent more than once.
type call struct {
	method string
	url    *url.URL // follows redirects
	header http.Header
	body   []byte
	leaves bool // may be redirected to another origin, where the header does not go
}

// send follows redirects and returns the first answer that is none.
func (f *fetcher) send(ctx context.Context, c *call) (*http.Response, error) {
	for range redirects + 1 {
		response, err := f.patiently(ctx, c)
		if err != nil {
			return nil, err
		}
		if !c.redirected(response.StatusCode) {
			return response, nil
		}
		_ = response.Body.Close() // nothing in it matters
		if err := c.follow(response.Header.Get("Location")); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s redirects more than %d times", show(c.url), redirects)
}

func (c *call) redirected(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return code == http.StatusSeeOther && c.method == http.MethodGet
}

// follow keeps the method and the body: an answer that turned a batch request into a GET would be of no use.
func (c *call) follow(location string) error {
	next, err := c.url.Parse(location)
	if err != nil || location == "" {
		return fmt.Errorf("%s redirects to nowhere", show(c.url))
	}
	if err := permitted(c.url, next); err != nil {
		return fmt.Errorf("%s redirects: %w", show(c.url), err)
	}
	if !network.SameOrigin(c.url, next) {
		if !c.leaves && !network.IsUpgrade(c.url, next) {
			return fmt.Errorf("%s redirects to %s, which is another origin: name that one if it is meant",
				show(c.url), show(next))
		}
		if c.leaves {
			c.header = http.Header{"User-Agent": {agent}, "Accept-Encoding": {"identity"}}
		}
	}
	c.url = bare(next)
	return nil
}

// patiently sends the request once more if the server says when that makes sense, and that is soon.
func (f *fetcher) patiently(ctx context.Context, c *call) (*http.Response, error) {
	response, err := f.once(ctx, c)
	if err != nil {
		return nil, err
	}
	wait, ok := again(response, time.Now())
	if !ok {
		return response, nil
	}
	if wait > longestWait {
		_ = response.Body.Close()
		return nil, &answerError{code: response.StatusCode, where: show(c.url),
			hint: "it wants to be asked again in " + wait.Round(time.Second).String()}
	}
	_ = response.Body.Close()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return f.once(ctx, c)
	}
}

func (f *fetcher) once(ctx context.Context, c *call) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, c.method, c.url.String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, c.conceal(err)
	}
	if c.body == nil {
		request.Body, request.GetBody = nil, nil
	}
	request.Header = c.header.Clone()
	response, err := f.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", show(c.url), c.conceal(err))
	}
	if r := response.Request; r != nil && r.URL != nil && !network.SameOrigin(r.URL, c.url) {
		_ = response.Body.Close()
		return nil, errors.New("the client follows redirects to other origins by itself, and may not")
	}
	return response, nil
}

// again reports whether an answer is not final, and after what time to ask for another.
func again(response *http.Response, now time.Time) (time.Duration, bool) {
	code := response.StatusCode
	if code != http.StatusRequestEntityTooLarge && code != http.StatusTooManyRequests && code < 500 {
		return 0, false
	}
	return network.RetryAfter(response.Header.Get("Retry-After"), now)
}

// permitted reports why one URL may not lead to another.
func permitted(from, to *url.URL) error {
	switch {
	case to.Scheme != "http" && to.Scheme != "https" || to.Hostname() == "":
		return fmt.Errorf("%q is no HTTP or HTTPS URL", show(to))
	case from.Scheme == "https" && to.Scheme == "http":
		return fmt.Errorf("%s is plain HTTP, and the server is asked over HTTPS", show(to))
	}
	return nil
}

// bare returns a URL without user and fragment. A user in it would become credentials, which the header is for.
func bare(u *url.URL) *url.URL {
	clean := *u
	clean.User, clean.Fragment, clean.RawFragment = nil, "", ""
	return &clean
}

// show is for errors: signed URLs have their signature in the query.
func show(u *url.URL) string {
	text := source.RedactURL(u.String())
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return strings.ToValidUTF8(text, "…")
}

// A concealed error is a client's error whose text had secrets. What it was made of cannot be had, only asked about.
type concealed struct {
	text string
	err  error
}

func (e *concealed) Error() string        { return e.text }
func (e *concealed) Is(target error) bool { return errors.Is(e.err, target) }

// conceal cuts the query and the values of headers out of the text of an error that is not our own: what net/http returns
// has the whole URL.
func (c *call) conceal(err error) error {
	inner := err
	for in := new(url.Error); errors.As(inner, &in); in = new(url.Error) {
		inner = in.Err
	}
	text := inner.Error()
	secrets := []string{c.url.RawQuery}
	for _, values := range c.header {
		secrets = append(secrets, values...)
	}
	for _, secret := range secrets {
		if len(secret) >= 4 { // shorter ones are in every text
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + "…"
	}
	return &concealed{text: text, err: err}
}
