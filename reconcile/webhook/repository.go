package webhook

import (
	"net/url"
	"strings"
)

// SameRepository reports whether two URLs are of one repository: the same host and the same path, whatever the scheme, user
// and port, with or without ".git" and a slash at the end, and whether it is written git@host:path or ssh://git@host/path.
// Hosts are compared without regard to case; paths with it, unless the host is github.com, gitlab.com, bitbucket.org or
// codeberg.org, which have none. The hosts at which GitHub and GitLab take SSH at port 443 are theirs.
func SameRepository(a, b string) bool {
	hostA, pathA := place(a)
	hostB, pathB := place(b)
	if hostA != hostB || pathA == "" {
		return false
	}
	switch hostA {
	case "github.com", "gitlab.com", "bitbucket.org", "codeberg.org":
		return strings.EqualFold(pathA, pathB)
	}
	return pathA == pathB
}

// place returns a repository's host, in lower case, and the path there.
func place(address string) (host, path string) {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		host, path = u.Hostname(), u.Path
	} else if before, after, ok := strings.Cut(address, ":"); ok && !strings.Contains(before, "/") {
		host, path = before[strings.LastIndexByte(before, '@')+1:], after // git@host:path
	} else {
		return "", ""
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	switch host = strings.ToLower(strings.TrimSuffix(host, ".")); host {
	case "ssh.github.com":
		host = "github.com"
	case "altssh.gitlab.com":
		host = "gitlab.com"
	}
	return host, strings.Trim(path, "/")
}
