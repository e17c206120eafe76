package artifact

import (
	"bytes"
	"io"
	"strings"
)

// A tarReader reads the entries of an archive in the formats v7, ustar, star, PAX
// and GNU. Where those leave room for two readers to see two different trees,
// because an entry says one thing in its header and another in an extension, it
// takes neither and refuses the archive: archive/tar and others pick one.
type tarReader struct {
	from  *conveyor
	left  int64 // bytes of the entry's content that were not read yet
	pad   int64 // bytes up to the next header after it
	fault error // what stopped the reading of content
}

// A header is an entry without its content.
type header struct {
	flag       byte
	name       string
	target     string // of a link
	size       int64
	executable bool
}

// The types of entries, as POSIX and GNU tar number them.
const (
	flagFile         = '0'
	flagOldFile      = 0 // or a folder, if its name ends in a slash
	flagHardLink     = '1'
	flagSymlink      = '2'
	flagCharDevice   = '3'
	flagBlockDevice  = '4'
	flagFolder       = '5'
	flagPipe         = '6'
	flagSparse       = 'S'
	flagPAX          = 'x'
	flagPAXGlobal    = 'g'
	flagGNULongName  = 'L'
	flagGNULongLink  = 'K'
	record           = 512
	maxExtension     = 1 << 20
	maxOctalSize     = 1 << 33 // what eleven octal digits cannot say any more
	startOfPrefix    = 345
	endOfPrefix      = 500
	endOfStarsPrefix = 476
)

// next returns the next entry, or io.EOF after the archive's end, which must be
// there. With another error it returns what is known of the entry.
func (t *tarReader) next() (header, error) {
	if err := t.skip(); err != nil {
		return header{}, err
	}
	var ext extensions
	for {
		rec, err := t.record()
		if err != nil {
			return header{}, err
		}
		if isZero(rec) {
			return header{}, t.end(ext)
		}
		h, err := parseHeader(rec)
		if err != nil {
			return h, err
		}
		t.left, t.pad = h.size, -h.size&(record-1)
		switch h.flag {
		case flagPAX, flagPAXGlobal, flagGNULongName, flagGNULongLink:
			if err := t.extend(&ext, h); err != nil {
				return header{}, err
			}
			continue
		}
		err = ext.apply(&h)
		t.left, t.pad = h.size, -h.size&(record-1)
		return h, err
	}
}

// record returns the next 512 bytes.
func (t *tarReader) record() ([]byte, error) {
	rec, err := t.from.take(record)
	switch {
	case err == io.EOF:
		return nil, malformedf("archive without an end")
	case err != nil:
		return nil, err
	case len(rec) < record:
		// It is the archive that ends here, or a limit that does.
		if _, err := t.from.take(1); err != io.EOF {
			return nil, err
		}
		return nil, malformedf("archive cut within a header")
	}
	return rec, nil
}

// skip goes to the next header.
func (t *tarReader) skip() error {
	for left := t.left + t.pad; left > 0; {
		p, err := t.from.take(left)
		if err == io.EOF {
			return malformedf("archive cut within a file")
		}
		if err != nil {
			return err
		}
		left -= int64(len(p))
	}
	t.left, t.pad = 0, 0
	return nil
}

// end reads what follows the last entry: two records of zeros, of which the first
// is read, and padding with zeros. An archive that was cut before it was hashed
// would otherwise pass for a smaller tree, and one with more after its end be a
// different tree for a reader that goes on.
func (t *tarReader) end(ext extensions) error {
	if ext.any() {
		return malformedf("extension header without an entry")
	}
	zeros := int64(record)
	for {
		p, err := t.from.take(conveyedBlock)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if !isZero(p) {
			return malformedf("data after the archive's end")
		}
		zeros += int64(len(p))
	}
	if zeros < 2*record {
		return malformedf("archive without an end")
	}
	return io.EOF
}

func isZero(p []byte) bool {
	var zeros [record]byte
	for len(p) > record {
		if !bytes.Equal(p[:record], zeros[:]) {
			return false
		}
		p = p[record:]
	}
	return bytes.Equal(p, zeros[:len(p)])
}

// extend reads an extension header's content.
func (t *tarReader) extend(ext *extensions, h header) error {
	if h.size > maxExtension {
		return malformedf("extension header of %d bytes", h.size)
	}
	data := make([]byte, h.size)
	if _, err := io.ReadFull(t, data); err != nil {
		return t.fault
	}
	if err := t.skip(); err != nil {
		return err
	}
	return ext.add(h.flag, data)
}

// Read reads the entry's content.
func (t *tarReader) Read(p []byte) (int, error) {
	if t.left == 0 {
		return 0, io.EOF
	}
	got, err := t.content(int64(len(p)))
	return copy(p, got), err
}

// WriteTo writes what is left of the entry's content, without a copy.
func (t *tarReader) WriteTo(w io.Writer) (n int64, err error) {
	for t.left > 0 {
		p, err := t.content(t.left)
		if err != nil {
			return n, err
		}
		wrote, err := w.Write(p)
		n += int64(wrote)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (t *tarReader) content(max int64) ([]byte, error) {
	p, err := t.from.take(min(max, t.left))
	if err == io.EOF {
		err = malformedf("archive cut within a file")
	}
	if err != nil {
		t.fault = err
	}
	t.left -= int64(len(p))
	return p, err
}

func parseHeader(rec []byte) (h header, err error) {
	if !hasChecksum(rec) {
		return h, malformedf("no tar header, by its checksum")
	}
	h.flag, h.name, h.target = rec[156], text(rec[0:100]), text(rec[157:257])
	if err := h.addPrefix(rec); err != nil {
		return h, err
	}
	mode, ok := number(rec[100:108])
	size, sized := number(rec[124:136])
	if !ok || !sized {
		return h, malformedf("tar header with a mode or a size that is no number")
	}
	h.size, h.executable = size, mode&0o111 != 0
	return h, nil
}

// addPrefix puts in front of the name what the header's format keeps elsewhere. It
// refuses what that place holds where programs differ in whether they look there.
func (h *header) addPrefix(rec []byte) error {
	switch magic := string(rec[257:265]); {
	case strings.HasPrefix(magic, "ustar\x00"):
		end := endOfPrefix
		if string(rec[508:512]) == "tar\x00" {
			end = endOfStarsPrefix
			if rec[end-1] != 0 { // star ends it, and who does not know star reads on
				return unsafef("star header with a prefix that has no end")
			}
		}
		if prefix := text(rec[startOfPrefix:end]); prefix != "" {
			h.name = prefix + "/" + h.name
		}
	case magic == "ustar  \x00":
		// Two times, where others have the prefix and old writers put one.
		for _, field := range [][]byte{rec[345:357], rec[357:369]} {
			if _, ok := number(field); !ok {
				return unsafef("GNU header with a ustar prefix")
			}
		}
		// A sparse file's map and real size, which some heed in any file.
		if h.flag != flagSparse && !isZero(rec[386:495]) {
			return unsafef("GNU header with a sparse file's map or size, of no sparse file")
		}
	case strings.HasPrefix(magic, "ustar") && rec[startOfPrefix] != 0:
		// Some take the prefix where only these five letters are right.
		return unsafef("ustar header with a prefix and of version %q", magic[5:])
	}
	return nil
}

// hasChecksum takes the sum of unsigned bytes, and of signed ones, as some wrote.
func hasChecksum(rec []byte) bool {
	want, ok := number(rec[148:156])
	var unsigned, signed int64
	for i, b := range rec {
		if i >= 148 && i < 156 {
			b = ' '
		}
		unsigned += int64(b)
		signed += int64(int8(b))
	}
	return ok && (want == unsigned || want == signed)
}

// text ends at the first NUL, if there is one.
func text(field []byte) string {
	if i := bytes.IndexByte(field, 0); i >= 0 {
		field = field[:i]
	}
	return string(field)
}

// number reads octal digits, or the base 256 of GNU and star. No number is
// negative where this asks.
func number(field []byte) (n int64, ok bool) {
	if field[0]&0x80 != 0 {
		return bigNumber(field)
	}
	field = bytes.Trim(field, " \x00")
	for _, c := range field {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | int64(c-'0')
	}
	return n, true
}

func bigNumber(field []byte) (n int64, ok bool) {
	for i, c := range field {
		if i == 0 {
			c &= 0x7f
		}
		if n >= 1<<55 {
			return 0, false
		}
		n = n<<8 | int64(c)
	}
	return n, true
}
