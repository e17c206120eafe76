package lfs

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// headerCount and headerBytes bound the headers that a server gives for a download.
const (
	headerCount = 64
	headerBytes = 16 << 10
)

// An action is where a server says that an object can be had. Its fields are the batch API's.
type action struct {
	Href      string            `json:"href"`
	Header    map[string]string `json:"header"`
	ExpiresIn int64             `json:"expires_in"` // seconds from now
	ExpiresAt string            `json:"expires_at"` // RFC 3339
}

// A grant is an action that may be done.
type grant struct {
	url     *url.URL
	header  http.Header
	expires time.Time // zero: the server does not say
}

func (g grant) expired(now time.Time) bool { return !g.expires.IsZero() && !now.Before(g.expires) }

// grant resolves the action's URL at base, where the answer came from.
func (a *action) grant(base *url.URL) (grant, error) {
	if a.Href == "" {
		return grant{}, errors.New("the server names no URL for its download")
	}
	u, err := base.Parse(a.Href)
	if err != nil {
		return grant{}, errors.New("the server names no valid URL for its download") // err has it all, secrets too
	}
	if err := permitted(base, u); err != nil {
		return grant{}, fmt.Errorf("its download: %w", err)
	}
	header, err := a.header()
	if err != nil {
		return grant{}, fmt.Errorf("its download from %s: %w", show(u), err)
	}
	return grant{url: bare(u), header: header, expires: a.expiry(time.Now())}, nil
}

// expiry prefers the seconds, as the specification has it: they need no common clock. What is no time is as if it were not
// there, since the download will tell; so is the first second of the year 1, Go's zero, which some servers send.
func (a *action) expiry(now time.Time) time.Time {
	if a.ExpiresIn != 0 {
		const most = 1<<31 - 1 // the specification's, and no overflow
		return now.Add(time.Duration(min(max(a.ExpiresIn, -most), most)) * time.Second)
	}
	at, err := time.Parse(time.RFC3339, a.ExpiresAt)
	if err != nil {
		return time.Time{}
	}
	return at
}

func (a *action) header() (http.Header, error) {
	size := 0
	header := http.Header{"User-Agent": {agent}}
	for name, value := range a.Header {
		size += len(name) + len(value)
		if !validName(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, errors.New("the server gives a header for it that is none in HTTP")
		}
		if allowedHeader(name) {
			header.Set(name, value)
		}
	}
	if len(a.Header) > headerCount || size > headerBytes {
		return nil, fmt.Errorf("the server gives more than %d headers or %d bytes of them for it", headerCount, headerBytes)
	}
	// Otherwise Go would ask for compression: it is these bytes, as they are stored, that have the hash.
	header.Set("Accept-Encoding", "identity")
	return header, nil
}

// validName reports whether a name is a token, as HTTP has it.
func validName(name string) bool {
	return name != "" && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") == ""
}

// allowedHeader drops headers that choose another host, belong to the connection, ask for something else than the whole
// object, carry a session of somebody's browser, or are the proof by which cloud machines' metadata services know that a
// request is meant for them. All others pass: storage services have many of their own.
func allowedHeader(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "host", "forwarded", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "content-length", "upgrade",
		"expect", "http2-settings", "range", "accept-encoding", "cookie", "cookie2", "metadata", "metadata-flavor":
		return false
	}
	return !strings.HasPrefix(name, "proxy-") && !strings.HasPrefix(name, "if-") && !strings.HasPrefix(name, "x-forwarded-")
}
