package artifact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isForeignEscape tells whether a path that is sound here is absolute, names a
// drive or climbs on a system where backslashes separate too. No tree has a use
// for such a name, and a later reader may be on that system.
func isForeignEscape(path string) bool {
	if len(path) >= 3 && path[1] == ':' && (path[2] == '/' || path[2] == '\\') && isLetter(path[0]) {
		return true
	}
	if strings.IndexByte(path, '\\') < 0 {
		return false
	}
	if path[0] == '\\' {
		return true
	}
	for elem := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if elem == ".." {
			return true
		}
	}
	return false
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// noteFolded refuses a path's last element where it is none on other systems, and
// a path that is another one there.
func (l *layout) noteFolded(name string) error {
	elem := name[strings.LastIndexByte(name, '/')+1:]
	if err := checkPortable(elem); err != nil {
		return err
	}
	key := fold(name)
	if other, ok := l.folded[key]; ok {
		return unsafef("the same name as %.4096q where case does not count", other)
	}
	l.folded[key] = name
	return nil
}

// fold maps names that differ by case only to one. It folds rune by rune, as
// NTFS and Go modules do.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		if 'A' <= least && least <= 'Z' { // such as the Kelvin sign
			least += 'a' - 'A'
		}
		return least
	}, name)
}

const maxPortableName = 255 // of ext4 in bytes, of NTFS and APFS in UTF-16

// checkPortable refuses an element of a path that is not the same name, or none,
// on Windows or macOS.
func checkPortable(elem string) error {
	if len(elem) > maxPortableName {
		return unsafef("name of %d bytes, which is over %d and not portable", len(elem), maxPortableName)
	}
	if i := strings.IndexFunc(elem, isOddRune); i >= 0 {
		for _, r := range elem[i:] {
			return unsafef("name with %U, which is not portable", r)
		}
	}
	if last := elem[len(elem)-1]; last == '.' || last == ' ' {
		return unsafef("name that ends in %q, which is not portable", last)
	}
	if isDevice(elem) {
		return unsafef("name of a device on Windows")
	}
	if i := strings.IndexByte(elem, '~'); i >= 0 && i+1 < len(elem) && elem[i+1] >= '0' && elem[i+1] <= '9' {
		return unsafef("name that may be short for another on Windows")
	}
	return nil
}

// isOddRune tells what Windows forbids, what HFS+ leaves out of comparisons, and
// what file systems that compose or decompose names take for another.
func isOddRune(r rune) bool {
	switch {
	case r < 0x20, r == 0x7f, strings.ContainsRune(`<>:"|?*\`, r), unicode.Is(unicode.Cf, r):
		return true
	case r >= 0x300 && r <= 0x36f, r == 0x3099, r == 0x309a: // accents that stand alone
		return true
	case r >= 0x1100 && r <= 0x11ff: // parts of Hangul syllables
		return true
	case r >= 0xfe00 && r <= 0xfe0f: // variation selectors
		return true
	}
	return false
}

// isDevice tells names such as "nul", "com1.txt" and "CON .x", which Windows
// takes for devices in any folder.
func isDevice(elem string) bool {
	base, _, _ := strings.Cut(elem, ".")
	switch base = strings.ToUpper(strings.TrimRight(base, " ")); base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	number, ok := strings.CutPrefix(base, "COM")
	if !ok {
		number, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && utf8.RuneCountInString(number) == 1 && strings.Contains("0123456789¹²³", number)
}

func checkPortableTarget(target string) error {
	for elem := range strings.SplitSeq(target, "/") {
		if elem == "" || elem == "." || elem == ".." {
			continue
		}
		if err := checkPortable(elem); err != nil {
			return unsafef("symbolic link to %q: %v", target, err)
		}
	}
	return nil
}
