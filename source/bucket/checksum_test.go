package bucket_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// checked is what the published check values of checksums are of.
const checked = "123456789"

// sumServer has one object with a checksum of its own, which it names where it is asked for.
func sumServer(t *testing.T, header, value, kind, content string) bucket.Options {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			page(w, false, key("a", len(content)))
			return
		}
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Last-Modified", time.Unix(0, 0).UTC().Format(http.TimeFormat))
		if r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
			w.Header().Set("X-Amz-Checksum-"+header, value)
			w.Header().Set("X-Amz-Checksum-Type", kind)
		}
		fmt.Fprint(w, content)
	}))
	t.Cleanup(server.Close)
	return bucket.Options{Endpoint: server.URL, Bucket: "fleet"}
}

func TestContentIsHeldAgainstTheObjectsChecksum(t *testing.T) {
	hexadecimal := func(text string) []byte {
		sum, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	strong, weak := sha256.Sum256([]byte(checked)), sha1.Sum([]byte(checked))
	for header, sum := range map[string][]byte{
		"Sha256": strong[:], "Sha1": weak[:], "Crc64nvme": hexadecimal("ae8b14860a799888"), "Crc32c": hexadecimal("e3069283"),
		"Crc32": hexadecimal("cbf43926"),
	} {
		t.Run(header, func(t *testing.T) {
			value := base64.StdEncoding.EncodeToString(sum)
			// Not every server says that a checksum is of the whole.
			for _, kind := range []string{"FULL_OBJECT", ""} {
				good := newSource(t, sumServer(t, header, value, kind, checked))
				if got := read(t, fetch(t, good, source.Revision{}), "a"); got != checked {
					t.Errorf("got %q", got)
				}
				bad := newSource(t, sumServer(t, header, value, kind, "123456780"))
				_, err := bad.Fetch(t.Context(), source.Revision{})
				checkError(t, err, bucket.ErrCorrupt, "does not match its checksum")
				if !errors.As(err, new(*source.TemporaryError)) {
					t.Errorf("%v is not temporary", err)
				}
			}
		})
	}
}

// A checksum of the parts' checksums says nothing that could be held against content that comes whole.
func TestChecksumOfPartsIsNotOfTheContent(t *testing.T) {
	s := newSource(t, sumServer(t, "Crc32", "y/Q5Jg==", "COMPOSITE", "other"))
	if got := read(t, fetch(t, s, source.Revision{}), "a"); got != "other" {
		t.Errorf("got %q", got)
	}
}
