package git

import (
	"strings"
	"unicode"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// forbidden returns why no entry of a tree may have its name, or nothing. What is called .git, or becomes it on some file
// system, has had work trees run somebody else's hooks; git refuses the same ones.
func forbidden(e object.Entry) string {
	const reason = "is a name that no entry of a Git tree may have"
	switch {
	case e.Name == "" || e.Name == "." || e.Name == ".." || strings.ContainsAny(e.Name, "/\x00"):
		return reason
	case isDotGit(e.Name):
		return reason
	case e.Mode == object.ModeSymlink && isDotGitFile(e.Name, "gitmodules"):
		return "is a symbolic link, which it may not be"
	}
	return ""
}

// isDotGit reports whether a name is .git to HFS+, which ignores some characters, or to NTFS, which ignores dots and spaces
// at the end, what follows a colon, and knows it as git~1.
func isDotGit(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if ignoredByHFS(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	if plain == ".git" {
		return true
	}
	plain = ntfsName(name)
	return plain == ".git" || plain == "git~1"
}

// isDotGitFile is isDotGit for ".gitmodules", given without its dot.
func isDotGitFile(name, file string) bool {
	plain := strings.Map(func(r rune) rune {
		if ignoredByHFS(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	return plain == "."+file || ntfsName(name) == "."+file || strings.HasPrefix(ntfsName(name), file[:6]+"~")
}

func ntfsName(name string) string {
	name, _, _ = strings.Cut(name, ":")
	if i := strings.IndexByte(name, '\\'); i >= 0 {
		name = name[:i]
	}
	return strings.ToLower(strings.TrimRight(name, " ."))
}

// ignoredByHFS reports whether HFS+ compares names without the character.
func ignoredByHFS(r rune) bool {
	return r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff
}
