package artifact

import (
	"bytes"
	"strconv"
	"strings"
)

// extensions are what PAX and GNU headers say of the entry that follows them.
type extensions struct {
	path, linkpath string // of PAX
	name, link     string // of GNU
	size           int64
	seen           map[byte]bool
	sized, sparse  bool
}

func (x *extensions) any() bool { return len(x.seen) > 0 }

func (x *extensions) add(flag byte, data []byte) error {
	if flag == flagPAXGlobal {
		if x.any() {
			return malformedf("extension header without an entry")
		}
		return x.records(data, true)
	}
	if x.seen[flag] {
		return unsafef("two extension headers of type %q for one entry", flag)
	}
	if x.seen == nil {
		x.seen = make(map[byte]bool, 1)
	}
	x.seen[flag] = true
	if x.seen[flagPAX] && len(x.seen) > 1 {
		return unsafef("extension headers of PAX and of GNU for one entry")
	}
	switch flag {
	case flagGNULongName:
		return long(&x.name, data)
	case flagGNULongLink:
		return long(&x.link, data)
	}
	return x.records(data, false)
}

// long reads a name of GNU, which ends with NULs.
func long(to *string, data []byte) error {
	data = bytes.TrimRight(data, "\x00")
	if len(data) == 0 || bytes.IndexByte(data, 0) >= 0 {
		return unsafef("GNU long name %.4096q, which ends twice or is none", data)
	}
	*to = string(data)
	return nil
}

// records reads lines such as "19 path=some/file\n", whose number is their length.
func (x *extensions) records(data []byte, global bool) error {
	seen := make(map[string]bool)
	for len(data) > 0 {
		digits, _, spaced := bytes.Cut(data[:min(len(data), 8)], []byte(" "))
		n, err := strconv.ParseUint(string(digits), 10, 31)
		if err != nil || !spaced || int(n) > len(data) || int(n) < len(digits)+2 || data[n-1] != '\n' {
			return malformedf("PAX record of a wrong length")
		}
		key, value, ok := strings.Cut(string(data[len(digits)+1:n-1]), "=")
		if !ok || key == "" || strings.ContainsRune(key, 0) {
			return malformedf("PAX record without a key")
		}
		if seen[key] {
			return unsafef("two PAX records for %.100q", key)
		}
		seen[key] = true
		if err := x.record(key, value, global); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (x *extensions) record(key, value string, global bool) error {
	sparse := strings.HasPrefix(key, "GNU.sparse.") || key == "SCHILY.realsize" // star's
	if !sparse && key != "path" && key != "linkpath" && key != "size" {
		return nil
	}
	if global {
		return unsafef("PAX record for %.100q of all entries", key)
	}
	if !sparse && (value == "" || strings.ContainsRune(value, 0)) {
		return unsafef("PAX record for %q that has no value, or ends twice", key)
	}
	switch key {
	case "path":
		x.path = value
	case "linkpath":
		x.linkpath = value
	case "size":
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil {
			return malformedf("PAX record with size %.100q", value)
		}
		x.size, x.sized = int64(n), true
	default:
		x.sparse = true
	}
	return nil
}

// apply lets the extensions speak for h.
func (x *extensions) apply(h *header) error {
	for _, name := range []string{x.path, x.name} {
		if name != "" {
			h.name = name
		}
	}
	if x.link != "" && h.target == "" { // who writes one puts its beginning there
		return unsafef("GNU long link, and none in the header")
	}
	for _, target := range []string{x.linkpath, x.link} {
		if target != "" {
			h.target = target
		}
	}
	if h.flag == flagOldFile {
		h.flag = flagFile
		if strings.HasSuffix(h.name, "/") {
			h.flag = flagFolder
		}
	}
	if x.sparse || h.flag == flagSparse {
		return unsafef("sparse file")
	}
	if !x.sized {
		return nil
	}
	// A reader that knows no PAX would go on to read elsewhere, and see other
	// entries. Where the header has no room for the size there is no such reader.
	if x.size != h.size && x.size < maxOctalSize {
		return unsafef("%d bytes by its header, %d by its PAX record", h.size, x.size)
	}
	h.size = x.size
	return nil
}
