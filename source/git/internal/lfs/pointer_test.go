package lfs

import (
	"bytes"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
)

const (
	version = "version https://git-lfs.github.com/spec/v1\n"
	someOID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
	oidLine = "oid sha256:" + someOID + "\n"
)

func TestParseTakesPointers(t *testing.T) {
	extension := " sha256:" + someOID + "\n"
	for name, tt := range map[string]struct {
		blob string
		want Pointer
	}{
		"usual":       {version + oidLine + "size 12345\n", Pointer{OID: someOID, Size: 12345}},
		"largest":     {version + oidLine + "size 9223372036854775807\n", Pointer{OID: someOID, Size: math.MaxInt64}},
		"pre-release": {"version https://hawser.github.com/spec/v1\n" + oidLine + "size 1\n", Pointer{OID: someOID, Size: 1}},
		"nothing":     {version + "oid sha256:" + emptyOID + "\nsize 0\n", Pointer{OID: emptyOID}},
		"extension":   {version + "ext-0-foo" + extension + oidLine + "size 1\n", Pointer{someOID, 1, true}},
		"extensions": {version + "ext-0-foo" + extension + "ext-2-b.a-r" + extension + oidLine + "size 1\n",
			Pointer{someOID, 1, true}},
	} {
		if got, ok := Parse([]byte(tt.blob)); !ok || got != tt.want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, ok, tt.want)
		}
	}
}

// nearly are blobs that look like pointers and are none. Whether git-lfs checks them out all the same is another question:
// it says of each that it is not as it has to be.
func nearly() map[string]string {
	extension := " sha256:" + someOID + "\n"
	return map[string]string{
		"no version":            oidLine + "size 1\n",
		"version alone":         version,
		"other version":         strings.Replace(version, "v1", "v2", 1) + oidLine + "size 1\n",
		"version over HTTP":     strings.Replace(version, "https", "http", 1) + oidLine + "size 1\n",
		"version with a slash":  strings.Replace(version, "v1", "v1/", 1) + oidLine + "size 1\n",
		"version not first":     oidLine + "size 1\n" + version,
		"size first":            version + "size 1\n" + oidLine,
		"no oid":                version + "size 1\n",
		"no size":               version + oidLine,
		"two sizes":             version + oidLine + "size 1\nsize 1\n",
		"two oids":              version + oidLine + oidLine + "size 1\n",
		"sha1":                  version + "oid sha1:" + someOID + "\nsize 1\n",
		"no method":             version + "oid " + someOID + "\nsize 1\n",
		"short oid":             version + "oid sha256:" + someOID[1:] + "\nsize 1\n",
		"long oid":              version + "oid sha256:" + someOID + "0\nsize 1\n",
		"upper case oid":        version + strings.Replace(oidLine, "d7a", "D7A", 1) + "size 1\n",
		"oid of letters":        version + strings.Replace(oidLine, "d7a", "xyz", 1) + "size 1\n",
		"negative":              version + oidLine + "size -1\n",
		"plus":                  version + oidLine + "size +1\n",
		"zero in front":         version + oidLine + "size 01\n",
		"no digits":             version + oidLine + "size \n",
		"hexadecimal":           version + oidLine + "size 0x1\n",
		"underscore":            version + oidLine + "size 1_0\n",
		"over 63 bits":          version + oidLine + "size 9223372036854775808\n",
		"a fraction":            version + oidLine + "size 1.0\n",
		"no line break":         version + oidLine + "size 1",
		"two line breaks":       version + oidLine + "size 1\n\n",
		"space at the end":      version + oidLine + "size 1 \n",
		"two spaces":            version + oidLine + "size  1\n",
		"tab":                   version + oidLine + "size\t1\n",
		"CR LF":                 strings.ReplaceAll(version+oidLine+"size 1\n", "\n", "\r\n"),
		"byte order mark":       "\ufeff" + version + oidLine + "size 1\n",
		"blank line":            version + "\n" + oidLine + "size 1\n",
		"more text":             version + oidLine + "size 1\nhello\n",
		"unknown key":           version + "author ann\n" + oidLine + "size 1\n",
		"NUL":                   version + oidLine + "size 1\n\x00",
		"nothing by other hash": version + oidLine + "size 0\n",
		"extension after oid":   version + oidLine + "ext-0-foo" + extension + "size 1\n",
		"extension unsorted":    version + "ext-1-foo" + extension + "ext-0-foo" + extension + oidLine + "size 1\n",
		"priority twice":        version + "ext-0-bar" + extension + "ext-0-foo" + extension + oidLine + "size 1\n",
		"no priority":           version + "ext-foo" + extension + oidLine + "size 1\n",
		"long priority":         version + "ext-10-foo" + extension + oidLine + "size 1\n",
		"no extension's name":   version + "ext-0-" + extension + oidLine + "size 1\n",
		"extension's oid":       version + "ext-0-foo sha256:0\n" + oidLine + "size 1\n",
		"extension alone":       version + "ext-0-foo" + extension,
		"1,024 bytes":           version + "ext-0-" + strings.Repeat("a", 815) + extension + oidLine + "size 12345\n",
	}
}

func TestParseRefusesWhatIsNearlyAPointer(t *testing.T) {
	for name, blob := range nearly() {
		if got, ok := Parse([]byte(blob)); ok || got != (Pointer{}) {
			t.Errorf("%s: got %+v, %v", name, got, ok)
		}
	}
	for _, blob := range []string{"", "version", "version https://", "hello\n", strings.Repeat("\x00", 1023)} {
		if got, ok := Parse([]byte(blob)); ok || got != (Pointer{}) {
			t.Errorf("%q: got %+v, %v", blob, got, ok)
		}
	}
	if at := nearly()["1,024 bytes"]; len(at) != 1024 {
		t.Errorf("a pointer of %d bytes is tested", len(at))
	}
	if _, ok := Parse([]byte(strings.Replace(nearly()["1,024 bytes"], "aa", "a", 1))); !ok {
		t.Error("1,023 bytes are not taken")
	}
}

// What a write that was cut short leaves is no pointer, least of all to another size.
func TestParseTakesNoPrefix(t *testing.T) {
	whole := version + oidLine + "size 12345\n"
	for i := range whole {
		if got, ok := Parse([]byte(whole[:i])); ok {
			t.Errorf("the first %d bytes are %+v", i, got)
		}
	}
}

// gitLFS returns the program of that name.
func gitLFS(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("git-lfs")
	if err != nil {
		t.Skip("git-lfs is not on this machine")
	}
	return path
}

func TestParseAgreesWithGitLFS(t *testing.T) {
	program := gitLFS(t)
	blobs := nearly()
	for i, size := range []int64{1, 9, 10, 1 << 40, math.MaxInt64} {
		blobs[fmt.Sprint("size ", i)] = version + oidLine + fmt.Sprintf("size %d\n", size)
	}
	blobs["extension"] = version + "ext-0-foo sha256:" + someOID + "\n" + oidLine + "size 1\n"
	for name, blob := range blobs {
		if name == "1,024 bytes" {
			continue // git-lfs says so of files only
		}
		cmd := exec.CommandContext(t.Context(), program, "pointer", "--check", "--strict", "--stdin")
		cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(blob)
		err := cmd.Run()
		if _, ok := Parse([]byte(blob)); ok != (err == nil) {
			t.Errorf("%s: got %v, and git-lfs says %v", name, ok, err)
		}
	}
}

// What Parse takes can be written again from what it returns, so nothing else was in it.
func FuzzParse(f *testing.F) {
	for _, blob := range nearly() {
		f.Add([]byte(blob))
	}
	f.Add([]byte(version + oidLine + "size 12345\n"))
	f.Add([]byte(version + "ext-0-foo sha256:" + someOID + "\n" + oidLine + "size 1\n"))
	f.Fuzz(func(t *testing.T, blob []byte) {
		p, ok := Parse(blob)
		if !ok {
			if p != (Pointer{}) {
				t.Errorf("%q: %+v is returned", blob, p)
			}
			return
		}
		if !isOID(p.OID) || p.Size < 0 || len(blob) >= 1024 {
			t.Errorf("%q: got %+v", blob, p)
		}
		end := fmt.Appendf(nil, "oid sha256:%s\nsize %d\n", p.OID, p.Size)
		rest, ok := bytes.CutSuffix(blob, end)
		if !ok || !p.Extended && bytes.Count(rest, []byte("\n")) != 1 {
			t.Errorf("%q: got %+v", blob, p)
		}
	})
}
