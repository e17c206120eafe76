package artifact_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
)

// raw is a header and content as nobody's writer would put them together.
type raw struct {
	flag    byte
	name    string
	link    string
	content string
	size    string // of the header's field, if not that of content
	edit    func(header []byte)
}

func (r raw) bytes() []byte {
	header := make([]byte, 512)
	copy(header[0:100], r.name)
	copy(header[100:], "0000644\x000000000\x000000000\x00")
	copy(header[124:], fmt.Sprintf("%011o\x00", len(r.content)))
	if r.size != "" {
		copy(header[124:136], r.size)
	}
	copy(header[136:], "00000000000\x00")
	header[156] = r.flag
	copy(header[157:257], r.link)
	copy(header[257:], "ustar\x0000")
	if r.edit != nil {
		r.edit(header)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", checksum(header)))
	data := append(header, r.content...)
	return append(data, make([]byte, -len(data)&511)...)
}

func rawTarOf(entries ...raw) []byte {
	var data []byte
	for _, e := range entries {
		data = append(data, e.bytes()...)
	}
	return append(data, make([]byte, 1024)...)
}

// paxRecord returns a record with its right length.
func paxRecord(key, value string) string {
	for n := len(key) + len(value) + 3; ; n++ {
		if s := fmt.Sprintf("%d %s=%s\n", n, key, value); len(s) == n {
			return s
		}
	}
}

func paxHeader(records ...string) raw {
	return raw{flag: 'x', name: "PaxHeaders/f", content: strings.Join(records, "")}
}

func gnuEdit(header []byte) { copy(header[257:], "ustar  \x00") }

// TestReadRefusesExtensionsThatLie has what makes two readers see two trees.
func TestReadRefusesExtensionsThatLie(t *testing.T) {
	f := raw{flag: '0', name: "f", content: "content"}
	hidden := string(raw{flag: '0', name: "hidden", content: "x"}.bytes())
	long := func(flag byte, content string) raw {
		return raw{flag: flag, name: "././@LongLink", content: content, edit: gnuEdit}
	}
	tests := map[string]struct {
		entries []raw
		cause   error
		at      string
	}{
		"a PAX size that hides an entry":    {[]raw{paxHeader(paxRecord("size", "1024")), {flag: '0', name: "f", content: hidden, size: "00000000000\x00"}}, artifact.ErrUnsafe, "f"},
		"a PAX size that shows one":         {[]raw{paxHeader(paxRecord("size", "0")), {flag: '0', name: "f", content: hidden}}, artifact.ErrUnsafe, "f"},
		"a PAX size that is negative":       {[]raw{paxHeader(paxRecord("size", "-1")), f}, artifact.ErrFormat, ""},
		"a PAX size that is no number":      {[]raw{paxHeader(paxRecord("size", "7x")), f}, artifact.ErrFormat, ""},
		"a PAX size over all limits":        {[]raw{paxHeader(paxRecord("size", "9223372036854775807")), f}, artifact.ErrTooLarge, "f"},
		"a PAX path out of the tree":        {[]raw{paxHeader(paxRecord("path", "../f")), f}, artifact.ErrUnsafe, "../f"},
		"an absolute PAX path":              {[]raw{paxHeader(paxRecord("path", "/f")), f}, artifact.ErrUnsafe, "/f"},
		"a PAX path with a NUL":             {[]raw{paxHeader(paxRecord("path", "f\x00/../x")), f}, artifact.ErrUnsafe, ""},
		"an empty PAX path":                 {[]raw{paxHeader(paxRecord("path", "")), f}, artifact.ErrUnsafe, ""},
		"a PAX link path out of the tree":   {[]raw{paxHeader(paxRecord("linkpath", "../../x")), {flag: '2', name: "l", link: "f"}}, artifact.ErrUnsafe, "l"},
		"two PAX paths":                     {[]raw{paxHeader(paxRecord("path", "a"), paxRecord("path", "b")), f}, artifact.ErrUnsafe, ""},
		"two PAX headers":                   {[]raw{paxHeader(paxRecord("path", "a")), paxHeader(paxRecord("path", "b")), f}, artifact.ErrUnsafe, ""},
		"a PAX path for all entries":        {[]raw{{flag: 'g', name: "g", content: paxRecord("path", "evil")}, f}, artifact.ErrUnsafe, ""},
		"a PAX size for all entries":        {[]raw{{flag: 'g', name: "g", content: paxRecord("size", "7")}, f}, artifact.ErrUnsafe, ""},
		"a PAX header before a global one":  {[]raw{paxHeader(paxRecord("path", "a")), {flag: 'g', name: "g"}, f}, artifact.ErrFormat, ""},
		"a PAX header without an entry":     {[]raw{f, paxHeader(paxRecord("path", "a"))}, artifact.ErrFormat, ""},
		"a PAX record that is too long":     {[]raw{paxHeader("99 path=a\n"), f}, artifact.ErrFormat, ""},
		"a PAX record that is too short":    {[]raw{paxHeader("5 path=a\n"), f}, artifact.ErrFormat, ""},
		"a PAX record of no length":         {[]raw{paxHeader("0 path=a\n"), f}, artifact.ErrFormat, ""},
		"a PAX record of a negative length": {[]raw{paxHeader("-9 path=a\n"), f}, artifact.ErrFormat, ""},
		"a PAX record of a huge length":     {[]raw{paxHeader("99999999999999999999 path=a\n"), f}, artifact.ErrFormat, ""},
		"a PAX record without a space":      {[]raw{paxHeader("00000016Xpath=a\n"), f}, artifact.ErrFormat, ""},
		"a PAX record without a key":        {[]raw{paxHeader("5 =a\n"), f}, artifact.ErrFormat, ""},
		"a PAX record without a value":      {[]raw{paxHeader("7 path\n"), f}, artifact.ErrFormat, ""},
		"a PAX record without an end":       {[]raw{paxHeader("9 path=ab"), f}, artifact.ErrFormat, ""},
		"a PAX header of 2 MiB":             {[]raw{paxHeader(paxRecord("comment", strings.Repeat("x", 2<<20))), f}, artifact.ErrFormat, ""},
		"a PAX header over the archive's":   {[]raw{{flag: 'x', name: "x", size: "00003000000\x00"}, f}, artifact.ErrFormat, ""},
		"a GNU long name out of the tree":   {[]raw{long('L', "../f\x00"), f}, artifact.ErrUnsafe, "../f"},
		"a GNU long name with a second end": {[]raw{long('L', "a\x00/../../x\x00"), f}, artifact.ErrUnsafe, ""},
		"an empty GNU long name":            {[]raw{long('L', "\x00"), f}, artifact.ErrUnsafe, ""},
		"two GNU long names":                {[]raw{long('L', "a\x00"), long('L', "b\x00"), f}, artifact.ErrUnsafe, ""},
		"a GNU long link out of the tree":   {[]raw{long('K', "../../x\x00"), {flag: '2', name: "l", link: "f"}}, artifact.ErrUnsafe, "l"},
		"a GNU long name and a PAX path":    {[]raw{long('L', "a\x00"), paxHeader(paxRecord("path", "b")), f}, artifact.ErrUnsafe, ""},
		"a PAX path and a GNU long name":    {[]raw{paxHeader(paxRecord("path", "b")), long('L', "a\x00"), f}, artifact.ErrUnsafe, ""},
		"a GNU long name without an entry":  {[]raw{f, long('L', "a\x00")}, artifact.ErrFormat, ""},
		"a GNU header with a ustar prefix":  {[]raw{{flag: '0', name: "f", edit: func(h []byte) { gnuEdit(h); copy(h[345:], "prefix") }}}, artifact.ErrUnsafe, "f"},
		"sparse 1.0":                        {[]raw{paxHeader(paxRecord("GNU.sparse.major", "1"), paxRecord("GNU.sparse.name", "../x")), f}, artifact.ErrUnsafe, "f"},
		"a ustar prefix of no version": {[]raw{{flag: '0', name: "f", edit: func(h []byte) {
			copy(h[257:], "ustar   ")
			copy(h[345:], "prefix")
		}}}, artifact.ErrUnsafe, "f"},
		"a GNU long link for an empty one": {[]raw{long('K', "ok\x00"), {flag: '2', name: "l"}}, artifact.ErrUnsafe, "l"},
		"a GNU header with a real size":    {[]raw{{flag: '0', name: "f", content: "x", edit: func(h []byte) { gnuEdit(h); copy(h[483:], "00000000000") }}}, artifact.ErrUnsafe, "f"},
		"a GNU header with a sparse map":   {[]raw{{flag: '0', name: "f", content: "x", edit: func(h []byte) { gnuEdit(h); copy(h[386:], "00000000001") }}}, artifact.ErrUnsafe, "f"},
		"star's real size":                 {[]raw{paxHeader(paxRecord("SCHILY.realsize", "0")), f}, artifact.ErrUnsafe, "f"},
		"sparse 0.1, a name that lies":     {[]raw{paxHeader(paxRecord("GNU.sparse.name", "../../x")), f}, artifact.ErrUnsafe, "f"},
		"a folder with content":            {[]raw{{flag: '5', name: "d/", content: hidden}}, artifact.ErrUnsafe, "d/"},
		"a symbolic link with content":     {[]raw{{flag: '2', name: "l", link: "f", content: hidden}}, artifact.ErrUnsafe, "l"},
		"a hard link with content":         {[]raw{f, {flag: '1', name: "h", link: "f", content: hidden}}, artifact.ErrUnsafe, "h"},
		"a negative size in base 256":      {[]raw{{flag: '0', name: "f", size: strings.Repeat("\xff", 12)}}, artifact.ErrFormat, "f"},
		"a huge size in base 256":          {[]raw{{flag: '0', name: "f", size: "\x80\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00"}}, artifact.ErrTooLarge, "f"},
		"a size that is no number":         {[]raw{{flag: '0', name: "f", size: "0000000009x\x00"}}, artifact.ErrFormat, "f"},
		"a size with digits after its end": {[]raw{{flag: '0', name: "f", size: "0000\x0000007\x00"}}, artifact.ErrFormat, "f"},
		"a wrong checksum":                 {[]raw{f, {flag: '0', name: "g", edit: func(h []byte) { h[0] = 'g' }, size: "x"}}, artifact.ErrFormat, "g"},
		"a star prefix that has no end": {[]raw{{flag: '0', name: "f", edit: func(h []byte) {
			copy(h[345:], strings.Repeat("p", 155))
			copy(h[508:], "tar\x00")
		}}}, artifact.ErrUnsafe, "f"},
		"a prefix that climbs":               {[]raw{{flag: '0', name: "f", edit: func(h []byte) { copy(h[345:], "a/../..") }}}, artifact.ErrUnsafe, "a/../../f"},
		"an absolute prefix":                 {[]raw{{flag: '0', name: "f", edit: func(h []byte) { copy(h[345:], "/etc") }}}, artifact.ErrUnsafe, "/etc/f"},
		"an old folder that climbs":          {[]raw{{name: "../"}}, artifact.ErrUnsafe, "../"},
		"a volume header":                    {[]raw{{flag: 'V', name: "v"}}, artifact.ErrUnsafe, "v"},
		"a continued file of another volume": {[]raw{{flag: 'M', name: "f"}}, artifact.ErrUnsafe, "f"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			data := rawTarOf(append([]raw{{flag: '0', name: "ok", content: "ok"}}, tt.entries...)...)
			reject(t, data, describe(artifact.MediaTypeTar, data), artifact.UnpackOptions{}, tt.cause, tt.at)
		})
	}
}

func TestReadTakesExtensionsThatAreTrue(t *testing.T) {
	f := raw{flag: '0', name: "f", content: "content"}
	tests := map[string]struct {
		entries []raw
		want    fstest.MapFS
	}{
		"a PAX size that is the header's":   {[]raw{paxHeader(paxRecord("size", "7")), f}, fstest.MapFS{"f": file("content")}},
		"PAX records that say nothing here": {[]raw{paxHeader(paxRecord("mtime", "1.5"), paxRecord("SCHILY.xattr.user.x", "a\x00b=c\n")), f}, fstest.MapFS{"f": file("content")}},
		"a PAX path":                        {[]raw{paxHeader(paxRecord("path", "d/g")), f}, fstest.MapFS{"d/g": file("content")}},
		"a global comment between":          {[]raw{f, {flag: 'g', name: "g", content: paxRecord("comment", "c")}}, fstest.MapFS{"f": file("content")}},
		"a GNU long name and link":          {[]raw{{flag: 'K', content: "x/y\x00", edit: gnuEdit}, {flag: 'L', content: "d/l\x00", edit: gnuEdit}, {flag: '2', name: "l", link: "x", edit: gnuEdit}}, fstest.MapFS{"d/l": link("x/y")}},
		"the size in base 256":              {[]raw{{flag: '0', name: "f", content: "content", size: "\x80" + strings.Repeat("\x00", 10) + "\x07"}}, fstest.MapFS{"f": file("content")}},
		"the size padded with spaces":       {[]raw{{flag: '0', name: "f", content: "content", size: "          7 "}}, fstest.MapFS{"f": file("content")}},
		"star's prefix": {[]raw{{flag: '0', name: "f", edit: func(h []byte) {
			copy(h[345:], "d")
			copy(h[476:], "00000000000 00000000000 ")
			copy(h[508:], "tar\x00")
		}}}, fstest.MapFS{"d/f": file("")}},
		"old files and folders":      {[]raw{{name: "d/"}, {name: "d/f", content: "content"}}, fstest.MapFS{"d/f": file("content")}},
		"a hard link to a hard link": {[]raw{f, {flag: '1', name: "g", link: "./f"}, {flag: '1', name: "d/h", link: "g"}}, fstest.MapFS{"f": file("content"), "g": file("content"), "d/h": file("content")}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			readPacked(t, artifact.MediaTypeTar, rawTarOf(tt.entries...), tt.want)
		})
	}
}

// TestHardLinksCountAgainstLimits wants no tree of gigabytes from an archive of
// kilobytes.
func TestHardLinksCountAgainstLimits(t *testing.T) {
	entries := []raw{{flag: '0', name: "f", content: strings.Repeat("x", 100_000)}}
	for i := range 50 {
		entries = append(entries, raw{flag: '1', name: fmt.Sprint("h", i), link: "f"})
	}
	data := rawTarOf(entries...)
	d := describe(artifact.MediaTypeTar, data)
	reject(t, data, d, artifact.UnpackOptions{Limits: artifact.Limits{MaxBytes: 1 << 20}}, artifact.ErrTooLarge, "h9")
	reject(t, data, d, artifact.UnpackOptions{Limits: artifact.Limits{MaxFiles: 20}}, artifact.ErrTooLarge, "h19")
	d.Files = 51
	if err := artifact.Unpack(t.Context(), bytes.NewReader(data), d, openRoot(t, t.TempDir()), artifact.UnpackOptions{}); err != nil {
		t.Error(err)
	}
}

func TestReadBoundsTheRatio(t *testing.T) {
	content := tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Size: 66 << 20})
	for mediaType, data := range map[string][]byte{artifact.MediaTypeTarGzip: gzipOf(t, content), artifact.MediaTypeTarZstd: zstdOf(t, content)} {
		d := describe(mediaType, data)
		tests := map[string]struct {
			limits artifact.Limits
			option string
		}{
			"the default":         {artifact.Limits{}, "Limits.MaxRatio"},
			"one":                 {artifact.Limits{MaxRatio: 1}, "Limits.MaxRatio"},
			"another limit first": {artifact.Limits{MaxBytes: 65 << 20, MaxRatio: 1 << 20}, "Limits.MaxBytes"},
			"one that is enough":  {artifact.Limits{MaxRatio: 1 << 20}, ""},
		}
		for name, tt := range tests {
			t.Run(mediaType+" "+name, func(t *testing.T) {
				_, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{Limits: tt.limits})
				var limit *artifact.LimitError
				if tt.option == "" && err != nil || tt.option != "" && (!errors.As(err, &limit) || limit.Option != tt.option) {
					t.Errorf("error %v, want the limit %q", err, tt.option)
				}
			})
		}
		d.ContentSize = int64(len(content))
		_, err := artifact.Open(t.Context(), failing{t}, d, artifact.UnpackOptions{})
		if !errors.Is(err, artifact.ErrTooLarge) {
			t.Errorf("error %v before a byte is read", err)
		}
	}
	_, err := artifact.Pack(t.Context(), io.Discard, fstest.MapFS{"zeros": file(string(make([]byte, 66<<20)))}, artifact.PackOptions{})
	if !errors.Is(err, artifact.ErrTooLarge) {
		t.Errorf("Pack's error is %v, for what Open would refuse", err)
	}
}

// failing must not be read from.
type failing struct{ t *testing.T }

func (f failing) Read([]byte) (int, error) {
	f.t.Error("the artifact was read")
	return 0, io.EOF
}
