package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// A daemon is the [Transport] to a repository of git daemon. There are no credentials and no secrets in its protocol.
type daemon struct{ site *site }

func newDaemon(s *site) (*daemon, error) { return &daemon{s}, nil }

// Format implements [fmt.Formatter]: it prints the repository's URL.
func (t *daemon) Format(f fmt.State, verb rune) { t.site.Format(f, verb) }

// Open implements [Transport].
func (t *daemon) Open(ctx context.Context, version int) (Conn, error) {
	w := newWatch(ctx, t.site.opts.StallTimeout)
	w.begin()
	defer w.done()
	conn, err := t.site.dial(w, t.site.address("9418"))
	if err != nil {
		defer w.end()
		return nil, t.site.secrets.Clean(w.blame(err))
	}
	s := &stream{site: t.site, watch: w, version: version, in: conn, out: conn}
	s.ended = func() error { return nil }
	s.close = func() error { return ignoreClosed(conn.Close()) }
	if _, err = conn.Write(t.request(version)); err == nil {
		err = s.greet()
	}
	if err != nil {
		err = t.site.secrets.Clean(w.blame(err))
		w.end()
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// request is the line that names the repository, and what follows it for versions above 0.
func (t *daemon) request(version int) []byte {
	line := service + " " + homePath(t.site.url.Path) + "\x00host=" + t.site.url.Host + "\x00"
	if version > 0 {
		line += fmt.Sprintf("\x00version=%d\x00", version)
	}
	return fmt.Appendf(nil, "%04x%s", len(line)+4, line)
}

// homePath is a URL's path as servers want it: ~user is not below the root.
func homePath(path string) string {
	if strings.HasPrefix(path, "/~") {
		return path[1:]
	}
	return path
}
