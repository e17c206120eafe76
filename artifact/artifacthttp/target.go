package artifacthttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A target is a URL with what belongs to requests to it.
type target struct {
	client *Client // with defaults
	url    *url.URL
	header http.Header // for the URL's origin alone
	hidden hidden
}

// newTarget always returns a target, if only for in.
func (c *Client) newTarget(raw string) (*target, error) {
	t := &target{client: c.withDefaults(), header: c.Header.Clone()}
	u, err := url.Parse(raw)
	if err != nil {
		return t, errors.New("not a URL") // err quotes it, with its password
	}
	if t.header == nil {
		t.header = http.Header{}
	}
	t.url = u
	t.hidden = newHidden(u, t.header)
	if u.User != nil {
		password, _ := u.User.Password()
		t.header.Set("Authorization", basic(u.User.Username(), password))
		u.User = nil
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return t, errors.New("the URL has to begin with http:// or https:// and a host")
	}
	return t, nil
}

// maxRedirects is as many as net/http follows.
const maxRedirects = 10

// do sends a request and those to which its answers redirect. The answer's body fails once the server is silent for too
// long, and has to be closed.
func (t *target) do(ctx context.Context, method string, extra http.Header) (*http.Response, error) {
	var via []*http.Request
	for at := t.url; ; {
		watch := newWatch(ctx, t.client.StallTimeout)
		request, err := http.NewRequestWithContext(watch.ctx, method, at.String(), nil)
		if err != nil {
			watch.stop()
			return nil, &permanentError{t.hidden.clean(err)}
		}
		if sameOrigin(t.url, at) {
			request.Header = t.header.Clone()
		}
		request.Header.Set("Accept-Encoding", "identity") // or the transport would unpack what is a gzip file
		maps.Copy(request.Header, extra)
		if err := t.mayFollow(request, via); err != nil {
			watch.stop()
			return nil, &permanentError{t.hidden.clean(err)}
		}
		answer, location, err := watch.send(t.client.HTTP, request)
		if err != nil {
			return nil, t.hidden.clean(err)
		}
		next, err := redirected(answer, at, location)
		if err != nil {
			discard(answer)
			return nil, &permanentError{t.hidden.clean(err)}
		}
		if next == nil {
			return answer, nil
		}
		discard(answer)
		t.hidden.addQuery(next)
		via, at = append(via, request), next
	}
}

// mayFollow asks the consumer's client about a request to which others led.
func (t *target) mayFollow(request *http.Request, via []*http.Request) error {
	switch {
	case len(via) == 0:
		return nil
	case len(via) > maxRedirects:
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	case via[len(via)-1].URL.Scheme == "https" && request.URL.Scheme != "https":
		return fmt.Errorf("the server redirects from https to http, at %s", request.URL.Host)
	case t.client.HTTP.CheckRedirect != nil:
		err := t.client.HTTP.CheckRedirect(request, via)
		if errors.Is(err, http.ErrUseLastResponse) {
			err = fmt.Errorf("the server redirects to %s, and CheckRedirect of Client.HTTP says: %w", request.URL.Host, err)
		}
		return err
	}
	return nil
}

// redirected returns where an answer redirects to, or nil.
func redirected(answer *http.Response, from *url.URL, location string) (*url.URL, error) {
	statuses := []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect}
	if !slices.Contains(statuses, answer.StatusCode) || location == "" {
		return nil, nil
	}
	next, err := from.Parse(location)
	if err != nil || next.Scheme != "http" && next.Scheme != "https" || next.Hostname() == "" {
		return nil, errors.New("the server redirects to what is no URL of HTTP")
	}
	next.User, next.Fragment, next.RawFragment = nil, "", ""
	return next, nil
}

// drainTime is how long it may take to read what nobody needs.
const drainTime = 200 * time.Millisecond

// discard reads so much of an answer that the connection can be used again, if that is little and comes soon, and closes it.
func discard(answer *http.Response) {
	late := time.AfterFunc(drainTime, func() { answer.Body.Close() })
	defer late.Stop()
	_, _ = io.CopyN(io.Discard, answer.Body, 4<<10)
	answer.Body.Close()
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// errSilent is of a server of which nothing was heard for Client.StallTimeout.
var errSilent = errors.New("the server is silent")

// A watch ends a request whose server is silent while somebody waits for it. It is the body of the answer.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	after  time.Duration
	timer  *time.Timer
	body   io.ReadCloser
}

func newWatch(ctx context.Context, after time.Duration) *watch {
	w := &watch{after: after}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(after, func() {
		w.cancel(fmt.Errorf("%w: nothing came for %v, see Client.StallTimeout", errSilent, after))
	})
	return w
}

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// send returns the answer, and its Location.
func (w *watch) send(client *http.Client, request *http.Request) (*http.Response, string, error) {
	single, sender := &singleTransport{next: client.Transport}, *client
	sender.Transport = single
	answer, err := sender.Do(request)
	w.timer.Stop()
	if err != nil {
		defer w.stop()
		return nil, "", w.cause(err)
	}
	w.body, answer.Body = answer.Body, w
	return answer, single.location, nil
}

// A singleTransport takes the Location off an answer, so that an http.Client neither follows it nor quotes it in an error.
type singleTransport struct {
	next     http.RoundTripper
	location string
}

// RoundTrip implements [http.RoundTripper].
func (s *singleTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	next := s.next
	if next == nil {
		next = http.DefaultTransport
	}
	answer, err := next.RoundTrip(request)
	if err == nil {
		s.location = answer.Header.Get("Location")
		answer.Header.Del("Location")
	}
	return answer, err
}

func (w *watch) Read(p []byte) (int, error) {
	w.timer.Reset(w.after)
	n, err := w.body.Read(p)
	w.timer.Stop()
	if err != nil && err != io.EOF {
		err = w.cause(err)
	}
	return n, err
}

func (w *watch) cause(err error) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return err
}

func (w *watch) Close() error {
	w.stop()
	return w.body.Close()
}
