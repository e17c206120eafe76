package git

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/gitopskit/gitopskit/source/git/internal/transport"
	"github.com/gitopskit/gitopskit/source/internal/network"
)

// helperURL names a program for git to run, such as ext::sh.
var helperURL = regexp.MustCompile(`^[A-Za-z0-9+.-]+::`)

// moduleURL reads the URL that .gitmodules has. One that starts with ./ or ../ goes on from the parent's, element by
// element, as in git; other than there, it does not leave the parent's host.
func moduleURL(parent *url.URL, given string) (*url.URL, *url.Userinfo, error) {
	switch {
	case given == "":
		return nil, nil, errors.New("its entry in " + modulesFile + " has no URL")
	case strings.HasPrefix(given, "-"):
		return nil, nil, errors.New("its URL starts with a dash")
	case helperURL.MatchString(given):
		return nil, nil, errors.New("its URL names a program to run, and none is")
	case !strings.HasPrefix(given, "./") && !strings.HasPrefix(given, "../"):
		return parseURL(given)
	}
	// What SSH's short form has after its colon, below the user's home, is no part of a URL, and not escaped as one.
	path, rooted := parent.Path, strings.HasPrefix(parent.Path, "/")
	if rooted {
		path = parent.EscapedPath()
	}
	path = strings.TrimSuffix(path, "/")
	rest := given
	for {
		if after, ok := strings.CutPrefix(rest, "./"); ok {
			rest = after
			continue
		}
		after, ok := strings.CutPrefix(rest, "../")
		if !ok {
			break
		}
		if path == "" {
			return nil, nil, errors.New("its relative URL leads out of the host")
		}
		rest, path = after, path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
	if path != "" || rooted {
		path += "/"
	}
	path += strings.TrimSuffix(rest, "/")
	if rooted {
		at := url.URL{Scheme: parent.Scheme, User: parent.User, Host: parent.Host}
		return parseURL(at.String() + path)
	}
	at := &url.URL{Scheme: parent.Scheme, User: parent.User, Host: parent.Host, Path: path}
	return at, nil, checkURL(at)
}

// An access is the way to a repository. It has secrets: a Source has only a pointer to it, which nothing that prints
// follows.
type access struct {
	transport.Options
	url  url.URL
	asks bool // Credentials is the consumer's function, which is told where they go
}

func (a *access) transport() (transport.Transport, error) { return transport.New(&a.url, a.Options) }

// to returns the way to a submodule. What may only be shown to the parent's origin stays there. A password that .gitmodules
// has itself is no secret.
func (a *access) to(u *url.URL, inURL *url.Userinfo) *access {
	b := *a
	b.url = *u
	if !network.SameOrigin(&a.url, u) {
		b.ClientCertificate, b.ClientKey = nil, nil
		if !a.asks {
			b.Credentials = nil
		}
	}
	if password, ok := inURL.Password(); ok && !a.asks {
		b.CredentialsFrom = "the user and password in " + modulesFile
		c := transport.Credential{Username: inURL.Username(), Password: password}
		b.Credentials = func(context.Context, transport.Request) (transport.Credential, error) { return c, nil }
	}
	return &b
}
