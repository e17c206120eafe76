package bucket_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// keysServer is a store that has objects under any keys at all, each with its key for content.
func keysServer(t testing.TB, keys []string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			fmt.Fprint(w, `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>`)
			for _, key := range keys {
				var escaped strings.Builder
				_ = xml.EscapeText(&escaped, []byte(url.QueryEscape(key)))
				fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size><ETag>"e-1"</ETag></Contents>`, &escaped, len(key))
			}
			fmt.Fprint(w, `</ListBucketResult>`)
			return
		}
		path, err := url.PathUnescape(r.URL.EscapedPath())
		key := strings.TrimPrefix(path, "/fleet/")
		if err != nil || !slices.Contains(keys, key) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("ETag", `"e-1"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		fmt.Fprint(w, key)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestKeysAsTheyCome(t *testing.T) {
	long := strings.Repeat("k", 1024)
	for name, tt := range map[string]struct {
		keys []string
		bad  string // the key that the error names
	}{
		"spaces and signs":    {[]string{"a b", "a+b", "a%20b", "a%2Fb", "a&b<c>", "a?b#c", "'\"`$!*(),;:@=~^|{}[]"}, ""},
		"backslash":           {[]string{`a\b`, `c:\d`}, ""},
		"unicode forms":       {[]string{"caf\u00e9", "cafe\u0301", "日本", "\U0001f600"}, ""},
		"only case differs":   {[]string{"Config", "config", "CONFIG/a"}, ""},
		"1,024 bytes":         {[]string{long}, ""},
		"control characters":  {[]string{"a\tb", "a\nb", "a\x01b"}, ""},
		"dots":                {[]string{"...", "a/...", ".hidden", "a..b"}, ""},
		"double slash":        {[]string{"ok", "a//b"}, "a//b"},
		"leading slash":       {[]string{"ok", "/a"}, "/a"},
		"dot":                 {[]string{"ok", "./a"}, "./a"},
		"inner dot":           {[]string{"a/./b"}, "a/./b"},
		"parent":              {[]string{"../x"}, "../x"},
		"inner parent":        {[]string{"a/../b"}, "a/../b"},
		"only dots":           {[]string{".."}, ".."},
		"folder with content": {[]string{"a/"}, "a/"},
		"file and folder":     {[]string{"a", "a/b"}, "a/b"},
		"folder and file":     {[]string{"a/b/c", "a/b"}, "a/b/c"},
		"NUL":                 {[]string{"a\x00b"}, "a\x00b"},
		"twice":               {[]string{"a", "b", "a"}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t, bucket.Options{Endpoint: keysServer(t, tt.keys), Bucket: "fleet"})
			snapshot, err := s.Fetch(t.Context(), source.Revision{})
			if tt.bad != "" {
				checkError(t, err, nil, fmt.Sprintf("%q", tt.bad))
				if !errors.As(err, new(*source.NameError)) {
					t.Errorf("got %v, want a *source.NameError", err)
				}
				return
			}
			must(t, err)
			slices.Sort(tt.keys)
			got := names(t, snapshot)
			if slices.Sort(got); !slices.Equal(got, tt.keys) {
				t.Errorf("got %q, want %q", got, tt.keys)
			}
			for _, key := range tt.keys {
				if read(t, snapshot, key) != key {
					t.Errorf("%q has another's content", key)
				}
			}
		})
	}
}

// Whatever the keys are, each is a file, or the error names one of them.
func FuzzKeys(f *testing.F) {
	f.Add("a\na/b\n", "")
	f.Add("p/a\np/b/\np//c\n", "p")
	f.Add("..\n.\n/\n\\\n", "")
	f.Add("p/.sourceignore\np/x", "p")
	f.Fuzz(func(t *testing.T, lines, prefix string) {
		keys := slices.DeleteFunc(strings.Split(lines, "\n"), func(key string) bool { return key == "" || len(key) > 1024 })
		if len(keys) == 0 || !utf8.ValidString(lines) {
			return
		}
		d := &memoryDriver{objects: make(map[string]string)}
		var under []string
		for _, key := range keys {
			if _, ok := d.objects[key]; !ok && (prefix == "" || strings.HasPrefix(key, prefix+"/")) {
				under = append(under, key)
			}
			d.objects[key] = "content of " + key
		}
		s, err := bucket.New(bucket.Options{Driver: d, Prefix: prefix, KeepPrefix: true, NoIgnoreFiles: true})
		if err != nil {
			return // the prefix is none
		}
		snapshot, err := s.Fetch(context.Background(), source.Revision{})
		if wrong := new(source.NameError); errors.As(err, &wrong) {
			if !slices.Contains(keys, wrong.Name) {
				t.Errorf("%v is about none of %q", err, keys)
			}
			return
		}
		if errors.Is(err, source.ErrTooLarge) || errors.Is(err, source.ErrNotFound) && len(under) == 0 {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", keys, err)
		}
		for _, key := range under {
			if body, err := fs.ReadFile(snapshot, key); err != nil || string(body) != "content of "+key {
				t.Errorf("%q: got %q, %v", key, body, err)
			}
		}
	})
}
