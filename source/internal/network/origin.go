package network

import (
	"net/url"
	"strings"
)

// SameOrigin reports whether two URLs have one scheme, host and port.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// IsUpgrade reports whether a URL goes to another one from HTTP to HTTPS on one host, where both have their usual ports.
func IsUpgrade(from, to *url.URL) bool {
	return from.Scheme == "http" && to.Scheme == "https" && port(from) == "80" && port(to) == "443" &&
		strings.EqualFold(from.Hostname(), to.Hostname())
}

func port(u *url.URL) string {
	if u.Port() != "" {
		return u.Port()
	}
	return map[string]string{"http": "80", "https": "443", "ssh": "22", "git": "9418"}[u.Scheme]
}
