package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/gitopskit/gitopskit/source"
)

// A Session sends requests over connections of its own, which Close ends. Several goroutines may use it at once.
type Session struct {
	site  *site
	next  http.RoundTripper
	close func()
}

// Session returns one without connections.
func (t *HTTP) Session() *Session {
	s := &Session{site: t.site}
	s.next, s.close = t.site.roundTripper(t.tls.Clone())
	return s
}

// Format implements [fmt.Formatter]: it prints the repository's URL.
func (s *Session) Format(f fmt.State, verb rune) { s.site.Format(f, verb) }

// Close ends the session's idle connections; others end when their answer's body is closed.
func (s *Session) Close() error {
	s.close()
	return nil
}

// Do sends a request, such as one of LFS, and returns the answer whatever its status is. Where it goes to the repository's
// own origin and has no Authorization, it gets the repository's credentials. No redirect is followed: it is an answer like
// any other. The request's context has to last as long as the answer is read.
func (s *Session) Do(request *http.Request) (*http.Response, error) {
	ours := sameOrigin(&s.site.url, request.URL) && request.Header.Get("Authorization") == ""
	again := request.Body == nil || request.GetBody != nil
	first := true
	send := func(authorize func(*http.Request)) (*http.Response, error) {
		r := request.Clone(request.Context())
		if !first && request.GetBody != nil {
			body, err := request.GetBody()
			if err != nil {
				return nil, err
			}
			r.Body = body
		}
		first = false
		authorize(r)
		return s.send(r, leave)
	}
	var response *http.Response
	var err error
	if ours {
		response, err = s.authorized(request.Context(), again, send)
	} else {
		response, err = send(func(*http.Request) {})
	}
	return response, s.site.secrets.Clean(err)
}

// authorized has send make a request with credentials, and make it again with others where they are refused.
func (s *Session) authorized(
	ctx context.Context, again bool, send func(authorize func(*http.Request)) (*http.Response, error),
) (*http.Response, error) {
	credential, err := s.site.keeper.credential(ctx, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.sendAs(credential, send)
	if err == nil && response.StatusCode == http.StatusUnauthorized && again {
		next, err := s.site.keeper.credential(ctx, &credential)
		if err != nil {
			return nil, errors.Join(s.judge(response, ""), err, response.Body.Close())
		}
		if !next.same(credential) {
			finish(ctx, response.Body)
			credential = next
			if response, err = s.sendAs(credential, send); err != nil {
				return nil, err
			}
		}
	}
	if err != nil {
		return nil, err
	}
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		s.site.keeper.forget(credential)
	}
	return response, nil
}

// ErrPlainHTTP means that credentials would have to go over plain HTTP.
var ErrPlainHTTP = errors.New("credentials would go over plain http:// where everybody on the way can read them: " +
	"use https://, or allow it by Options.AllowPlainHTTP")

func (s *Session) sendAs(c Credential, send func(func(*http.Request)) (*http.Response, error)) (*http.Response, error) {
	basic := c.Username+c.Password != ""
	switch {
	case c.Token != "" && basic:
		return nil, errors.New("the credentials have both a token and a user or password: one of them is to be sent")
	case c.Token == "" && !basic && (len(c.PrivateKey) > 0 || c.Agent):
		return nil, errors.New("the credentials are those of SSH: over HTTP they are a token, or a user and a password")
	case strings.ContainsAny(c.Token, "\r\n"): // no header can have it
		return nil, fmt.Errorf("%s: the token has a line break, as a file's content has at its end",
			cmp.Or(s.site.opts.CredentialsFrom, "the credentials"))
	case (c.Token != "" || basic) && s.site.url.Scheme == "http" && !s.site.opts.AllowPlainHTTP:
		return nil, ErrPlainHTTP
	}
	return send(func(r *http.Request) {
		switch {
		case c.Token != "":
			r.Header.Set("Authorization", "Bearer "+c.Token)
		case basic:
			r.SetBasicAuth(c.Username, c.Password)
		}
	})
}

// send sends a request under a watch of its own, which ends with the body of the answer.
func (s *Session) send(request *http.Request, redirect func(*http.Request, []*http.Request) error) (*http.Response, error) {
	w := newWatch(request.Context(), s.site.opts.StallTimeout)
	w.begin()
	defer w.done()
	request = request.WithContext(httptrace.WithClientTrace(w.ctx, w.trace()))
	if request.Body != nil && request.Body != http.NoBody {
		request.Body = &watchedBody{ReadCloser: request.Body, watch: w, site: s.site, sends: true}
	}
	client := http.Client{Transport: s.next, CheckRedirect: redirect}
	response, err := client.Do(request)
	if err != nil {
		defer w.end()
		return nil, refusedByTLS(s.explain(w.blame(withoutURL(err))))
	}
	response.Body = &watchedBody{ReadCloser: response.Body, watch: w, site: s.site}
	return response, nil
}

// explain says more of errors whose words tell little.
func (s *Session) explain(err error) error {
	if err == io.EOF {
		return fmt.Errorf("the server closes the connection without an answer: %w", io.ErrUnexpectedEOF)
	}
	if errors.As(err, new(x509.UnknownAuthorityError)) && s.site.opts.RoundTripper == nil {
		return fmt.Errorf("%w; if that authority is to be trusted, its certificate belongs into Options.CA", err)
	}
	return err
}

// withoutURL takes the URL out of what went wrong: the repository's is told by the caller.
func withoutURL(err error) error {
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// refusedByTLS tells servers that want another client certificate; their alerts have no type.
func refusedByTLS(err error) error {
	for _, alert := range []string{"certificate required", "bad certificate", "unknown certificate authority"} {
		if strings.Contains(err.Error(), "remote error: tls: "+alert) {
			return fmt.Errorf("%w: the server wants another client certificate: %w", source.ErrUnauthorized, err)
		}
	}
	return err
}

// trace tells the watch about each step on the way to an answer.
func (w *watch) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:              func(httptrace.GotConnInfo) { w.touch() },
		DNSDone:              func(httptrace.DNSDoneInfo) { w.touch() },
		ConnectDone:          func(string, string, error) { w.touch() },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { w.touch() },
		WroteHeaders:         w.touch,
		WroteRequest:         func(httptrace.WroteRequestInfo) { w.touch() },
		Got1xxResponse:       func(int, textproto.MIMEHeader) error { w.touch(); return nil },
		GotFirstResponseByte: w.touch,
	}
}

// A watchedBody tells its watch when bytes come or go. A request's is read by the transport, an answer's by somebody who
// waits.
type watchedBody struct {
	io.ReadCloser
	watch *watch
	site  *site
	sends bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	if b.sends {
		b.watch.touch()
		return b.ReadCloser.Read(p)
	}
	b.watch.begin()
	n, err := b.ReadCloser.Read(p)
	b.watch.done()
	if err != nil && err != io.EOF {
		err = b.site.secrets.Clean(b.watch.blame(err))
	}
	return n, err
}

func (b *watchedBody) Close() error {
	if !b.sends {
		defer b.watch.end()
	}
	return b.ReadCloser.Close()
}
