package git

import (
	"bytes"
	"strings"
	"unicode/utf8"

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
	case e.Mode == object.ModeSymlink && isDotGitModules(e.Name):
		return "is a symbolic link, which it may not be"
	}
	return ""
}

// repeated returns a name that a tree has more than once: which entry counts would be anybody's guess. Nearly all trees are
// sorted so that none can be.
func repeated(tree []byte) (string, bool) {
	if isAscending(tree) {
		return "", false
	}
	seen := make(map[string]bool)
	for len(tree) > 0 {
		e, rest, err := object.NextEntry(tree)
		if err != nil || seen[e.Name] {
			return e.Name, err == nil
		}
		seen[e.Name] = true
		tree = rest
	}
	return "", false
}

// isAscending reports whether each name sorts after the one before. Git sorts a folder as if a slash followed.
func isAscending(tree []byte) bool {
	var last []byte
	for first := true; len(tree) > 0; first = false {
		_, rest, _ := bytes.Cut(tree, []byte(" "))
		name, rest, _ := bytes.Cut(rest, []byte{0})
		if !first && bytes.Compare(last, name) >= 0 {
			return false
		}
		last, tree = name, rest[min(len(object.Hash{}), len(rest)):]
	}
	return true
}

// isDotGit reports whether a name is .git to HFS+, which ignores some characters, or to NTFS, which ignores dots and spaces at
// the end, what follows a colon, and knows it as git~1. To Windows a backslash is a slash, so that any part may be .git.
func isDotGit(name string) bool {
	if hfsName(name) == ".git" {
		return true
	}
	for part := range strings.SplitSeq(name, `\`) {
		if plain := ntfsName(part); plain == ".git" || plain == "git~1" {
			return true
		}
	}
	return false
}

// isDotGitModules is isDotGit for .gitmodules. Git looks at what follows a backslash, and not at what comes before one.
func isDotGitModules(name string) bool {
	if hfsName(name) == ".gitmodules" {
		return true
	}
	for rest, more := name, true; more; _, rest, more = strings.Cut(rest, `\`) {
		if plain := ntfsName(rest); plain == ".gitmodules" || isShortGitModules(plain) {
			return true
		}
	}
	return false
}

// isShortGitModules reports whether NTFS may have made up a name of eight characters for .gitmodules: six of its letters, a
// tilde and a number up to 4; when those are taken, some of the six characters that its hash gives, and a longer number.
func isShortGitModules(name string) bool {
	start, number, ok := strings.Cut(name, "~")
	if !ok || len(name) != len("gitmod~1") || number == "" || number[0] == '0' || strings.Trim(number, "0123456789") != "" {
		return false
	}
	return start == "gitmod" && number[0] <= '4' || strings.HasPrefix("gi7eba", start)
}

// ntfsName is what is left of a name for NTFS.
func ntfsName(name string) string {
	name, _, _ = strings.Cut(name, ":")
	return lowerASCII(strings.TrimRight(name, " ."))
}

// hfsName is what is left of a name for HFS+, where what is not UTF-8 ends it, as Git has it.
func hfsName(name string) string {
	for i, r := range name {
		if r == utf8.RuneError && !strings.HasPrefix(name[i:], string(utf8.RuneError)) {
			name = name[:i]
			break
		}
	}
	return lowerASCII(strings.Map(func(r rune) rune {
		if ignoredByHFS(r) {
			return -1
		}
		return r
	}, name))
}

// lowerASCII leaves other letters alone: none of them is one of .git's to a file system.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// ignoredByHFS reports whether HFS+ compares names without the character.
func ignoredByHFS(r rune) bool {
	return r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff
}
