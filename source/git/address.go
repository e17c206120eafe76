package git

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/gitopskit/gitopskit/source"
)

var errBoth = errors.New("both the URL and Options have credentials")

var errUnsupported = fmt.Errorf("only http://, https://, ssh:// and git:// URLs can be fetched from: %w",
	errors.ErrUnsupported)

// errPassword is for what would be a path with a password in it, which is printed.
var errPassword = errors.New("there is no password in user@host:path: write it as ssh://user:password@host/~/path, " +
	"or https:// with both slashes")

// scpLike is "user@host:path", which Git takes for SSH where no slash comes before the colon.
var scpLike = regexp.MustCompile(`^(?:([^/@:]+)@)?([^/@:\[\]]+|\[[^/@\]]+\]):(.*)$`)

// parseURL returns the repository's URL without credentials, and these. The user of SSH is no credential and stays. Errors
// quote nothing, for url.Parse's may quote a piece of a password.
func parseURL(raw string) (*url.URL, *url.Userinfo, error) {
	if raw == "" {
		return nil, nil, errors.New("the URL is empty")
	}
	if trimmed := strings.TrimSpace(raw); trimmed != raw {
		start, end, _ := strings.Cut(raw, trimmed)
		return nil, nil, fmt.Errorf("the URL starts with %q and ends with %q, which are no part of it", start, end)
	}
	if parts := scpLike.FindStringSubmatch(raw); parts != nil && !strings.Contains(raw, "://") {
		if first, _, _ := strings.Cut(parts[3], "/"); parts[1] == "" && strings.Contains(first, "@") {
			return nil, nil, errPassword
		}
		// What follows the colon is below the user's home, unless it starts with a slash.
		u := &url.URL{Scheme: "ssh", Host: strings.Trim(parts[2], "[]"), Path: parts[3]}
		if strings.Contains(u.Host, ":") {
			u.Host = "[" + u.Host + "]"
		}
		if parts[1] != "" {
			u.User = url.User(parts[1])
		}
		return u, nil, checkURL(u)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil && strings.Contains(raw, "://"):
		return nil, nil, errors.New("not a URL; user and password in it have to be percent-encoded")
	case err != nil:
		return nil, nil, errors.New("not a URL")
	}
	if u.Scheme == "git+ssh" || u.Scheme == "ssh+git" {
		u.Scheme = "ssh"
	}
	user := u.User
	u.User = nil
	if password, ok := user.Password(); u.Scheme == "ssh" && user != nil && (!ok || password == "") {
		u.User, user = url.User(user.Username()), nil
	}
	if u.Scheme == "" && u.Host == "" || u.Scheme == "file" {
		return nil, nil, noScheme(u)
	}
	return u, user, checkURL(u)
}

// noScheme is for folders, and for what browsers show of a URL.
func noScheme(u *url.URL) error {
	host, path, _ := strings.Cut(u.Path, "/")
	if u.Scheme == "" && strings.Contains(strings.Trim(host, "."), ".") && path != "" {
		return fmt.Errorf("the URL has no scheme: give https://%s: %w", source.RedactURL(u.Path), errUnsupported)
	}
	return fmt.Errorf("a folder of this machine, for which source.Dir is: scheme %q: %w", u.Scheme, errUnsupported)
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ssh" && u.Scheme != "git":
		return fmt.Errorf("scheme %q: %w", u.Scheme, errUnsupported)
	case u.Hostname() == "":
		return errors.New("the URL has no host")
	case strings.HasPrefix(u.Path, ":"): // transport::address, which git would start a program for
		return fmt.Errorf("a remote helper: %w", errUnsupported)
	case strings.HasPrefix(u.Hostname(), "-"):
		return errors.New("the URL's host starts with a dash")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("the URL has a query or a fragment, which no repository has")
	case strings.Trim(u.Path, "/") == "":
		return errors.New("the URL has no path: no repository is named")
	}
	return nil
}

// cacheKey is a repository's URL, whichever way that is written. Over SSH a path below a home stands for another repository
// with each user.
func cacheKey(u url.URL, username string) string {
	below, home := strings.CutPrefix(u.Path, "/~/")
	if u.Scheme == "ssh" && (home || !strings.HasPrefix(u.Path, "/")) {
		if u.User != nil {
			username = u.User.Username()
		}
		// A source keeps the key, and must not print the user.
		u.Path, u.RawPath = fmt.Sprintf("/~%x/%s", sha256.Sum256([]byte(username)), below), ""
	}
	usual := map[string]string{"http": ":80", "https": ":443", "ssh": ":22", "git": ":9418"}[u.Scheme]
	u.User, u.Host = nil, strings.TrimSuffix(strings.ToLower(u.Host), usual)
	return strings.TrimSuffix(strings.TrimRight(u.String(), "/"), ".git")
}
