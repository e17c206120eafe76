package artifacthttp_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/artifact/artifacthttp"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestHandlerHeedsConditions(t *testing.T) {
	s := shelve(t, 100, artifact.Gzip)
	h := artifacthttp.Handler(s, artifacthttp.HandlerOptions{})
	tag := `"` + string(s.Digest) + `"`
	const date = "Sat, 01 Jan 2000 00:00:00 GMT"
	for _, test := range []struct {
		status int
		header []string
	}{
		{304, []string{"If-None-Match", tag}},
		{304, []string{"If-None-Match", "W/" + tag}},
		{304, []string{"If-None-Match", "*"}},
		{304, []string{"If-None-Match", ` "a,b" , W/"c",` + tag}},
		{304, []string{"If-None-Match", `"a"`, "If-None-Match", tag}},
		{304, []string{"If-None-Match", tag, "Range", "bytes=0-1"}},
		{304, []string{"If-None-Match", tag, "If-Match", tag}},
		{200, []string{"If-None-Match", `"a"`}},
		{200, []string{"If-None-Match", string(s.Digest)}},
		{200, []string{"If-None-Match", `"` + string(s.Digest)}},
		{200, []string{"If-None-Match", `"x` + tag}}, // one tag of another text, and then rubbish
		{200, []string{"If-None-Match", ""}},
		{200, []string{"If-Match", tag}},
		{200, []string{"If-Match", `"a", ` + tag}},
		{200, []string{"If-Match", "*"}},
		{412, []string{"If-Match", "W/" + tag}},
		{412, []string{"If-Match", `"a"`}},
		{412, []string{"If-Match", "rubbish"}},
		{412, []string{"If-Match", `"a"`, "If-None-Match", tag}},
		{200, []string{"If-Modified-Since", date}},
		{200, []string{"If-Unmodified-Since", date}},
		{206, []string{"If-Match", tag, "Range", "bytes=0-1"}},
		{206, []string{"If-Range", tag, "Range", "bytes=0-1"}},
		{200, []string{"If-Range", "W/" + tag, "Range", "bytes=0-1"}},
		{200, []string{"If-Range", `"a"`, "Range", "bytes=0-1"}},
		{200, []string{"If-Range", `"a"`, "Range", "bytes=9999999-"}},
		{200, []string{"If-Range", date, "Range", "bytes=0-1"}},
		{200, []string{"If-Range", tag}},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			status := test.status
			if method == http.MethodHead && status == 206 {
				status = 200
			}
			answer := ask(t, h, method, "/podinfo", test.header...)
			body := bodyOf(t, answer)
			if answer.StatusCode != status {
				t.Errorf("%s with %q: %s, want %d", method, test.header, answer.Status, status)
			}
			if status == 304 && (len(body) > 0 || answer.Header.Get("ETag") != tag || answer.Header.Get("Content-Type") != "" ||
				answer.Header.Get("Cache-Control") != "no-cache, no-transform" || answer.Header.Get("Content-Length") != "") {
				t.Errorf("%s with %q: %d bytes, headers %v", method, test.header, len(body), answer.Header)
			}
		}
	}
}

// plain hides that what a store opens can be read at any offset.
type plain struct{ artifacthttp.Store }

func TestHandlerServesParts(t *testing.T) {
	s := shelve(t, 150_000, artifact.None)
	size := len(s.data)
	last := itoa(size - 1)
	type part struct{ start, end int }
	whole, none := part{0, -1}, part{-1, 0}
	for value, want := range map[string]part{
		"bytes=0-0":                              {0, 1},
		"bytes=0-":                               {0, size},
		"bytes=1-":                               {1, size},
		"bytes=70000-140000":                     {70000, 140001},
		"bytes=0-" + itoa(size-2):                {0, size - 1},
		"bytes=0-" + last:                        {0, size},
		"bytes=5-99999999999999999999999":        {5, size},
		"bytes=" + last + "-":                    {size - 1, size},
		"bytes=" + last + "-" + last:             {size - 1, size},
		"bytes=-1":                               {size - 1, size},
		"bytes=-70000":                           {size - 70000, size},
		"bytes=-99999999999999999999999":         {0, size},
		"Bytes=3-4":                              {3, 5},
		"bytes= 3-4 ":                            {3, 5},
		"bytes=" + itoa(size) + "-":              none,
		"bytes=" + itoa(size) + "-" + itoa(size): none,
		"bytes=99999999999999999999999-":         none,
		"bytes=-0":                               none,
		"bytes=4-3":                              whole,
		"bytes=-":                                whole,
		"bytes=":                                 whole,
		"bytes":                                  whole,
		"":                                       whole,
		"bytes=a-b":                              whole,
		"bytes=+1-2":                             whole,
		"bytes=1-+2":                             whole,
		"bytes=--1":                              whole,
		"bytes=1--2":                             whole,
		"bytes=0x1-2":                            whole,
		"bytes=0-1,3-4":                          whole,
		"lines=0-1":                              whole,
	} {
		for _, store := range []artifacthttp.Store{s, plain{s}} {
			answer := ask(t, artifacthttp.Handler(store, artifacthttp.HandlerOptions{}), http.MethodGet, "/"+string(s.Digest), "Range", value)
			body := bodyOf(t, answer)
			status, bounds, content := 206, "bytes "+itoa(want.start)+"-"+itoa(want.end-1)+"/"+itoa(size), "Partial Content\n"
			switch want {
			case whole:
				status, bounds, want = 200, "", part{0, size}
			case none:
				status, bounds, content = 416, "bytes */"+itoa(size), "Requested Range Not Satisfiable\n"
			}
			if want != none {
				content = string(s.data[want.start:want.end])
			}
			if answer.StatusCode != status || answer.Header.Get("Content-Range") != bounds || string(body) != content {
				t.Errorf("%q of %T: %s, %q, %d bytes; want %d, %q, %d bytes", value, store,
					answer.Status, answer.Header.Get("Content-Range"), len(body), status, bounds, len(content))
			}
			if status != 416 && (answer.Header.Get("Content-Length") != itoa(len(content)) || answer.Header.Get("Repr-Digest") == "") {
				t.Errorf("%q: headers %v", value, answer.Header)
			}
			if has := answer.Header.Get("Content-Digest") != ""; has != (status == 200) {
				t.Errorf("%q: Content-Digest %q", value, answer.Header.Get("Content-Digest"))
			}
			if want == (part{0, size}) && status == 200 {
				want = whole
			}
		}
	}
	two := ask(t, artifacthttp.Handler(s, artifacthttp.HandlerOptions{}), http.MethodGet, "/"+string(s.Digest),
		"Range", "bytes=0-1", "Range", "bytes=3-4")
	if body, err := io.ReadAll(two.Body); two.StatusCode != 200 || err != nil || !bytes.Equal(body, s.data) {
		t.Errorf("two Ranges: %s, %d bytes, %v", two.Status, len(body), err)
	}
}
