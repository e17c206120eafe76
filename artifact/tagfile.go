package artifact

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
)

// A tagFile is a tag as it is stored: as one line of JSON, and one with the
// digest of the first, as a disk that lies could change it into another's.
type tagFile struct {
	Name    string     `json:"name"`
	History []tagEntry `json:"history"` // newest first, at least one
}

type tagEntry struct {
	Digest   digest.Digest `json:"digest"`
	Revision string        `json:"revision,omitempty"`
	Time     time.Time     `json:"time"`
}

const (
	maxTagBytes      = 240
	maxRevisionBytes = 1024
	// maxTagFileBytes is more than 1024 entries take, with each byte of their
	// revisions escaped.
	maxTagFileBytes = 8 << 20
)

// tagged returns the history as the API has it.
func (f tagFile) tagged(i int) Tagged {
	e := f.History[i]
	return Tagged{Name: f.Name, Digest: e.Digest, Revision: e.Revision, Time: e.Time.UTC()}
}

func (f tagFile) encode() ([]byte, error) {
	line, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return []byte(string(line) + "\n" + string(digest.FromBytes(line)) + "\n"), nil
}

// decodeTag returns the tag of that name, or an ErrFormat.
func decodeTag(name string, data []byte) (tagFile, error) {
	line, sum, _ := bytes.Cut(data, []byte("\n"))
	if string(sum) != string(digest.FromBytes(line))+"\n" {
		return tagFile{}, damagedTag("its digest differs")
	}
	var f tagFile
	if err := json.Unmarshal(line, &f); err != nil {
		return tagFile{}, damagedTag(err.Error())
	}
	if f.Name != name || len(f.History) == 0 {
		return tagFile{}, damagedTag("it is not of this name, or empty")
	}
	for _, e := range f.History {
		if err := checkDigest(e.Digest); err != nil {
			return tagFile{}, damagedTag(err.Error())
		}
		if err := checkRevision(e.Revision); err != nil {
			return tagFile{}, damagedTag(err.Error())
		}
	}
	return f, nil
}

func damagedTag(why string) error {
	return malformedf("damaged tag (%s): tag or untag it to mend it", why)
}

func checkRevision(revision string) error {
	if len(revision) > maxRevisionBytes {
		return malformedf("revision of %d bytes, over %d", len(revision), maxRevisionBytes)
	}
	if !utf8.ValidString(revision) || strings.ContainsFunc(revision, unicode.IsControl) {
		return malformedf("revision %q has what cannot be printed", revision)
	}
	return nil
}

// tagFileName returns the name of the tag's file: one without folders, so that
// "a" and "a/b" do not meet, and without capitals, so that "a" and "A" do not,
// either, where file systems do not tell them apart.
func tagFileName(name string) (string, error) {
	var file strings.Builder
	for element := range strings.SplitSeq(name, "/") {
		if file.Len() > 0 {
			file.WriteByte('+')
		}
		for i, c := range []byte(element) {
			switch {
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', i > 0 && (c == '.' || c == '_' || c == '-'):
				file.WriteByte(c)
			case 'A' <= c && c <= 'Z':
				file.Write([]byte{'!', c | 0x20})
			default:
				return "", oddTag(name)
			}
		}
		if element == "" {
			return "", oddTag(name)
		}
	}
	if file.Len() > maxTagBytes {
		return "", malformedf("name over %d bytes, of which capital letters count twice", maxTagBytes)
	}
	return file.String() + ".json", nil
}

func oddTag(name string) error {
	return malformedf("name %.300q: between slashes are letters, digits, '.', '_' and '-', first a letter or digit", name)
}

// tagNameOf is the inverse of tagFileName. What is no tag's file is not ok.
func tagNameOf(file string) (name string, ok bool) {
	encoded, ok := strings.CutSuffix(file, ".json")
	if !ok {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(encoded); i++ {
		switch c := encoded[i]; {
		case c == '+':
			b.WriteByte('/')
		case c == '!' && i+1 < len(encoded):
			i++
			b.WriteByte(encoded[i] &^ 0x20)
		default:
			b.WriteByte(c)
		}
	}
	name = b.String()
	again, err := tagFileName(name)
	return name, err == nil && again == file
}
