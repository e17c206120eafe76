package artifact

import (
	"archive/tar"
	"bytes"
	"time"
)

const tarBlock = 512

// plainHeader is what is the same in every header that needs no PAX record: no
// owner, time 0, and USTAR as archive/tar writes it.
var plainHeader = func() (h [tarBlock]byte) {
	copy(h[108:], "0000000\x000000000\x00") // owner
	copy(h[136:], "00000000000\x00")        // time
	copy(h[257:], "ustar\x0000")
	copy(h[329:], "0000000\x000000000\x00") // device
	return h
}()

// appendHeader appends the header of a file of that size or, with a target, of a
// link. archive/tar would take longer over it than over all else that is done to a
// small file, so it is asked only for what is not plain: a path or target that is
// long or not ASCII, and a size that has no room.
func appendHeader(dst []byte, name, target string, size, mode int64) ([]byte, error) {
	if !plain(name) || !plain(target) || size >= 1<<33 {
		return appendTarHeader(dst, name, target, size, mode)
	}
	at := len(dst)
	dst = append(dst, plainHeader[:]...)
	h := dst[at:]
	copy(h, name)
	octal(h[100:107], mode)
	octal(h[124:135], size)
	h[156] = tar.TypeReg
	if target != "" {
		h[156] = tar.TypeSymlink
		copy(h[157:], target)
	}
	seal(h)
	return dst, nil
}

// seal puts the checksum into a header. It counts itself as spaces.
func seal(h []byte) {
	copy(h[148:], "        ")
	sum := int64(0)
	for _, b := range h {
		sum += int64(b)
	}
	octal(h[148:154], sum)
	h[154] = 0
}

// plain tells whether s has room in a header, as it is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] == 0 || s[i] >= 0x80 {
			return false
		}
	}
	return len(s) <= 100
}

func octal(field []byte, n int64) {
	for i := len(field) - 1; i >= 0; i-- {
		field[i] = '0' + byte(n&7)
		n >>= 3
	}
}

// appendTarHeader leaves all that is not set here to zero, and the format to the
// tar writer: USTAR, and PAX where a name or size needs it.
func appendTarHeader(dst []byte, name, target string, size, mode int64) ([]byte, error) {
	h := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: mode, ModTime: time.Unix(0, 0)}
	if target != "" {
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
	}
	buf := bytes.NewBuffer(dst)
	err := tar.NewWriter(buf).WriteHeader(&h)
	dst = buf.Bytes()
	if last := dst[max(0, len(dst)-tarBlock):]; err == nil && target != "" && last[157] == 0 {
		// The tar writer leaves out what is not ASCII, and nothing was left. bsdtar
		// makes a file of such a link, although a PAX record has the target.
		last[157] = '_'
		seal(last)
	}
	return dst, err
}

// padding returns the zeros that follow n bytes of content.
func padding(n int64) []byte { return make([]byte, -n&(tarBlock-1)) }
