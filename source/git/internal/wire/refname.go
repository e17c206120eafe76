package wire

import "strings"

// maxRefName is the longest path that git could keep a reference under.
const maxRefName = 4096

// isRefName reports whether git would let a reference have the name, as git-check-ref-format says. What names a revision goes
// into logs and on screens, and servers may send anything. Git too passes over the others.
func isRefName(name string) bool {
	if len(name) > maxRefName || !strings.HasPrefix(name, "refs/") || strings.HasSuffix(name, ".") ||
		strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.ContainsAny(name, " ~^:?*[\\\x7f") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' })
}

func isKept(name string, keep func(string) bool) bool {
	return (name == "HEAD" || isRefName(name)) && keep(name)
}
