package lfs

import (
	"bytes"
	"strconv"
	"strings"
)

// A Pointer is what a repository has in place of a large file.
type Pointer struct {
	OID  string // the SHA-256 of the content, 64 lower-case hexadecimal digits
	Size int64  // of the content, in bytes
	// Extended says that programs of the repository's users, LFS extensions, changed the file before it was stored. What
	// has this OID and this size is their output, which is not the file.
	Extended bool
}

const (
	PointerBytes = 1024 // every pointer is shorter

	oidDigits = 64

	// emptyOID is the SHA-256 of nothing.
	emptyOID = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// Parse reads a pointer as the specification has it, to the byte: there is one way to write each. It also takes the version
// that Git LFS had before its release, and the pointer to nothing, which the specification leaves out and which clients
// check out. What has other keys, another order, or bytes more or less is a file like any other. Whether .gitattributes
// says that a path is in LFS is the caller's question.
func Parse(blob []byte) (Pointer, bool) {
	if len(blob) >= PointerBytes || !bytes.HasPrefix(blob, []byte("version https://")) {
		return Pointer{}, false
	}
	var p Pointer
	text, ok := cutVersion(string(blob))
	for priority := byte(0); ok && strings.HasPrefix(text, "ext-"); p.Extended = true {
		text, priority, ok = cutExtension(text, priority)
	}
	if ok {
		p.OID, text, ok = cutOID(text, "oid ")
	}
	if ok {
		p.Size, ok = parseSize(text)
	}
	if !ok || p.Size == 0 && p.OID != emptyOID {
		return Pointer{}, false
	}
	return p, true
}

func cutVersion(text string) (string, bool) {
	rest, ok := strings.CutPrefix(text, "version https://git-lfs.github.com/spec/v1\n")
	if !ok {
		rest, ok = strings.CutPrefix(text, "version https://hawser.github.com/spec/v1\n") // before the release
	}
	return rest, ok
}

// cutExtension reads "ext-0-name sha256:…". The digit has to come after that of the line before, since keys are sorted and
// no two extensions have one priority.
func cutExtension(text string, after byte) (rest string, priority byte, ok bool) {
	key, _, _ := strings.Cut(text, " ")
	name := strings.TrimPrefix(key, "ext-")
	if len(name) < 3 || name[0] < '0' || name[0] > '9' || name[0] <= after || name[1] != '-' || name[2] == '-' {
		return "", 0, false
	}
	if strings.Trim(name[2:], "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return "", 0, false
	}
	_, rest, ok = cutOID(text, key+" ")
	return rest, name[0], ok
}

// cutOID reads a line of the key, with its space, and a hash.
func cutOID(text, key string) (oid, rest string, ok bool) {
	text, ok = strings.CutPrefix(text, key+"sha256:")
	if !ok || len(text) <= oidDigits || text[oidDigits] != '\n' || !isOID(text[:oidDigits]) {
		return "", "", false
	}
	return text[:oidDigits], text[oidDigits+1:], true
}

func isOID(s string) bool {
	return len(s) == oidDigits && strings.Trim(s, "0123456789abcdef") == ""
}

// parseSize reads the last line.
func parseSize(text string) (int64, bool) {
	digits, ok := strings.CutPrefix(text, "size ")
	if !ok {
		return 0, false
	}
	digits, ok = strings.CutSuffix(digits, "\n")
	size, err := strconv.ParseInt(digits, 10, 64)
	return size, ok && err == nil && size >= 0 && strconv.FormatInt(size, 10) == digits // no sign, no zeros in front
}
