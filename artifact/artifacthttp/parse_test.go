package artifacthttp

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

func FuzzRange(f *testing.F) {
	for _, value := range []string{"bytes=0-0", "bytes=5-", "bytes=-5", "bytes=9-3", "bytes=99999999999999999999-", "bytes=0-1,2-3", "x"} {
		f.Add(value, int64(10))
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		size = max(size, 1)
		got, err := parseRange(value, size)
		if err == nil && (got.start < 0 || got.end > size || got.length() < 1) {
			t.Fatalf("%q of %d: %+v", value, size, got)
		}
		if err == nil && !strings.HasPrefix(strings.ToLower(value), "bytes=") {
			t.Fatalf("%q is taken for a range", value)
		}
		// What is said of the part says the part again.
		said := fmt.Sprintf("bytes %d-%d/%d", got.start, got.end-1, size)
		if start, whole, ok := parseContentRange(said); err == nil && (!ok || start != got.start || whole != size) {
			t.Fatalf("%q is understood as %d of %d, %v", said, start, whole, ok)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, value := range []string{"bytes 0-0/1", "bytes 5-9/*", "bytes */10", "bytes 5-3/10", "bytes -1-3/4", "bytes 1-3/3", "bytes 0-1"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		start, size, ok := parseContentRange(value)
		if ok && (start < 0 || size < -1 || size >= 0 && start >= size) {
			t.Fatalf("%q: %d of %d", value, start, size)
		}
	})
}

func TestContentRange(t *testing.T) {
	for value, want := range map[string]string{
		"bytes 0-0/1":   "0 1 true",
		"bytes 5-9/*":   "5 -1 true",
		"BYTES 5-9/10":  "5 10 true",
		"bytes 5-10/10": "0 0 false",
		"bytes */10":    "0 0 false",
		"bytes 5-3/10":  "0 0 false",
		"bytes -5-9/10": "0 0 false",
		"bytes 5-9":     "0 0 false",
		"bytes 5-9/-1":  "0 0 false",
		"lines 5-9/10":  "0 0 false",
		"":              "0 0 false",
	} {
		start, size, ok := parseContentRange(value)
		if !ok {
			start, size = 0, 0
		}
		if got := fmt.Sprint(start, size, ok); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func FuzzEntityTags(f *testing.F) {
	const tag = `"sha256:abc"`
	for _, list := range []string{tag, `W/` + tag, `"a,b", ` + tag, "*", `"`, `W/`, `,,,"x`, `"a" "b"` + tag} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		strong, weak := anyTag([]string{list}, tag, false), anyTag([]string{list}, tag, true)
		if strong && !weak {
			t.Fatalf("%q has the tag only if weak ones do not count", list)
		}
		if weak && !strings.Contains(list, tag) && strings.TrimSpace(list) != "*" {
			t.Fatalf("%q has no such tag", list)
		}
	})
}

func FuzzDigestField(f *testing.F) {
	f.Add(digestField(digest.FromString("x")))
	f.Add("sha-512=:AAAA:, " + digestField(digest.FromString("x")) + ";q=1")
	f.Add("sha-256=::")
	f.Fuzz(func(t *testing.T, field string) {
		if strings.ContainsAny(field, "\r\n") {
			return // no header has them, and base64 leaves them out
		}
		d, ok := parseDigestField([]string{field})
		if ok && (d.Validate() != nil || !strings.Contains(field, digestField(d))) {
			t.Fatalf("%q: %q", field, d)
		}
	})
}

func TestDigestFieldSurvivesItself(t *testing.T) {
	for n := range 300 {
		want := digest.FromString(strconv.Itoa(n))
		if got, ok := parseDigestField([]string{"unixsum=30637, " + digestField(want)}); !ok || got != want {
			t.Errorf("%s: %s, %v", want, got, ok)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0":                             0,
		"7":                             7 * time.Second,
		"Sat, 01 Jan 2000 00:00:05 GMT": 5 * time.Second,
		"Fri, 31 Dec 1999 00:00:00 GMT": 0,
		"":                              -1,
		"-5":                            -1,
		"1.5":                           -1,
		"99999999999999999999":          1<<32*time.Second - time.Second,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// Only what cannot have changed within its second may be asked for by its time.
func TestConditionOfAPart(t *testing.T) {
	const at, later = "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:01 GMT"
	for _, test := range []struct{ tag, modified, date, want string }{
		{`"a"`, at, later, `"a"`},
		{`W/"a"`, at, later, at},
		{`W/"a"`, "", later, ""},
		{"", at, at, ""},
		{"", at, "", ""},
		{"", later, at, ""},
		{"a", "", "", ""},
	} {
		header := http.Header{"Etag": {test.tag}, "Last-Modified": {test.modified}, "Date": {test.date}}
		if got := condition(header); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}
