package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A listedDriver lists what it is told, and each object is as many x as it has bytes.
type listedDriver []bucket.Object

func (d listedDriver) String() string { return "memory://listed" }

func (d listedDriver) List(context.Context, bucket.List) iter.Seq2[bucket.Object, error] {
	return func(yield func(bucket.Object, error) bool) {
		for _, o := range d {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (d listedDriver) Get(_ context.Context, o bucket.Object) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(strings.Repeat("x", int(o.Size)))), nil
}

// Two buckets that differ have two revisions, whoever has chosen their keys and ETags.
func TestNoKeyPassesForTwoLines(t *testing.T) {
	plain := bucket.Options{Driver: listedDriver{{Key: "a", ETag: "e"}, {Key: "b", ETag: "f"}}}
	want := fetch(t, newSource(t, plain), source.Revision{}).Revision
	for name, objects := range map[string]listedDriver{
		"key":  {{Key: "a e\nb", ETag: "f"}},
		"ETag": {{Key: "a", ETag: "e\nb f"}},
	} {
		snapshot, err := newSource(t, bucket.Options{Driver: objects}).Fetch(t.Context(), want)
		if snapshot != nil || errors.Is(err, source.ErrNotModified) {
			t.Errorf("%s: got %v, %v", name, snapshot, err)
		}
		checkError(t, err, nil, `"a`)
	}
	fine := listedDriver{{Key: "a\nb c", ETag: "e"}, {Key: "a b/c", ETag: "W/\"e\""}}
	fetch(t, newSource(t, bucket.Options{Driver: fine}), source.Revision{})
}

func TestOddListings(t *testing.T) {
	for name, tt := range map[string]struct {
		contents string
		text     string
		temp     bool
	}{
		"negative size":     {key("a", -1), "Limits.MaxBytes", false},
		"huge size":         {key("a", 1<<62), "Limits.MaxFileBytes", false},
		"sizes add up":      {key("a", 1<<62) + key("b", 1<<62) + key("c", 1<<62), "Limits", false},
		"ETag of two lines": {`<Contents><Key>a</Key><Size>3</Size><ETag>"e&#10;X: y"</ETag></Contents>`, "ETag", false},
		"ETag of 1 MB":      {`<Contents><Key>a</Key><Size>3</Size><ETag>"` + strings.Repeat("e", 1<<20) + `"</ETag></Contents>`, "ETag", false},
		"key of 1 MB":       {key(strings.Repeat("k/", 1<<19)+"k", 3), "Limits.MaxPathBytes", false},
		"entities":          {`<Contents><Key>&lol;</Key></Contents>`, "entity", true},
		"not UTF-8":         {key("a\xff", 3), "UTF-8", true},
		"not UTF-8, quoted": {`<EncodingType>url</EncodingType>` + key("a%ff", 3), "is not a valid path", false},
		"wrong quoting":     {`<EncodingType>url</EncodingType>` + key("a%zz", 3), "%zz", true},
		"empty elements":    {strings.Repeat("<Contents/>", 401_000), "400,000 tags", false},
		"deep":              {strings.Repeat("<a>", 30_000), "XML", true},
		"the same twice":    {key("a", 3) + key("a", 3), "twice", false},
		"without prefix":    {key("b", 3), "does not have the prefix", false},
	} {
		t.Run(name, func(t *testing.T) {
			opts := bucket.Options{Bucket: "fleet", Ignore: "z"}
			if name == "without prefix" {
				opts.Prefix = "a"
			}
			server := httptest.NewServer(listingOf(tt.contents))
			defer server.Close()
			opts.Endpoint = server.URL
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, tt.text)
			if len(err.Error()) > 5000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if errors.As(err, new(*source.TemporaryError)) != tt.temp {
				t.Errorf("got %v, temporary: %v", err, !tt.temp)
			}
		})
	}
}

// The same page again and again ends soon.
func TestAListingThatComesToNoEnd(t *testing.T) {
	for _, opts := range []bucket.Options{{MaxKeys: 2000}, {MaxKeys: 2000, AsOf: time.Now()}} {
		for name, contents := range map[string]string{"keys": strings.Repeat(key("a", 3), 1000), "no keys": ""} {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				if r.URL.Query().Has("versions") {
					contents := strings.NewReplacer("Contents>", "Version>", "<Size>", "<VersionId>1</VersionId><Size>").Replace(contents)
					fmt.Fprintf(w, `<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>%s</ListVersionsResult>`, contents)
					return
				}
				page(w, true, contents)
			}))
			opts.Endpoint, opts.Bucket = server.URL, "fleet"
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, source.ErrTooLarge, "Options.MaxKeys")
			if requests > 120 {
				t.Errorf("%s: %d requests", name, requests)
			}
			server.Close()
		}
	}
}
