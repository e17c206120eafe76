package bucket

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// An oddAnswer is one that S3 does not give: a console, a proxy or a login page does. minio-go takes it for a listing of
// nothing, and where it says 404, for the store's word that there is no such bucket.
type oddAnswer struct {
	status      int
	kind, start string // its Content-Type, and its first bytes
	listing     bool   // is what was asked for
}

// errOdd is what minio-go gets to see of an oddAnswer that says 200.
var errOdd = errors.New("the answer is not S3's")

// maxOddBytes is how much of an odd answer is quoted.
const maxOddBytes = 100

// say quotes it.
func (o *oddAnswer) say(secrets *secret.Words) string {
	start := "nothing"
	if strings.TrimSpace(o.start) != "" {
		start = secrets.Quote(o.start)
	}
	const question = "is Options.Endpoint the S3 API"
	switch {
	case o.status == http.StatusOK || o.status == http.StatusPartialContent:
		what := map[bool]string{true: "listing", false: "object"}[o.listing]
		kind := "no Content-Type"
		if o.kind != "" {
			kind = strings.Trim(secrets.Quote(o.kind[:min(len(o.kind), maxOddBytes)]), `"`)
		}
		return fmt.Sprintf("the answer is no %s of S3 (%d, %s, %s): %s, and not a console, a proxy or a login page?",
			what, o.status, kind, start, question)
	case o.status >= 500: // something before a store that is down says so in its own way
		return fmt.Sprintf("the server answers %d, and not as S3 does (%s)", o.status, start)
	}
	return fmt.Sprintf("the server answers %d, and not as S3 does (%s): %s?", o.status, start, question)
}

// said quotes what the store says, and nothing that minio-go says for it.
func said(answer minio.ErrorResponse, secrets *secret.Words) string {
	text := fmt.Sprintf("the server answers %d %s", answer.StatusCode, secrets.Quote(answer.Code))
	if answer.Message != "" {
		text += ": " + secrets.Quote(answer.Message)
	}
	return text
}

// examine notes whether an answer is S3's. One that would be taken for success is an error.
func (c *call) examine(request *http.Request, response *http.Response) (*http.Response, error) {
	c.odd.Store(nil)
	success := response.StatusCode == http.StatusOK || response.StatusCode == http.StatusPartialContent
	switch {
	case request.URL.Query().Has("session"): // which directory buckets begin with
		return response, nil
	case success && c.pages == 0 && response.Header.Get("ETag") != "":
		return response, nil
	case !success && (response.StatusCode < 300 || response.Header.Get("X-Minio-Error-Code") != ""):
		return response, nil
	}
	const most = 4 << 10 // ample for what may stand before a root element
	start, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		_ = response.Body.Close()
		return nil, err
	}
	response.Body = &restoredBody{io.MultiReader(bytes.NewReader(start), response.Body), response.Body}
	root := rootElement(start)
	switch {
	case success && c.pages > 0 && isListing(root, request.URL.Query().Has("versions")):
		return response, nil
	case !success && root == "Error":
		return response, nil
	}
	c.odd.Store(&oddAnswer{status: response.StatusCode, kind: response.Header.Get("Content-Type"),
		start: string(start[:min(len(start), maxOddBytes)]), listing: c.pages > 0})
	if !success {
		return response, nil
	}
	_ = response.Body.Close()
	return nil, errOdd
}

func isListing(root string, versions bool) bool {
	return strings.HasPrefix(root, "ListBucketResult") || versions && strings.HasPrefix(root, "ListVersionsResult")
}

// rootElement returns the name of an XML document's first element, or nothing.
func rootElement(document []byte) string {
	decoder := xml.NewDecoder(bytes.NewReader(document))
	for {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		if element, ok := token.(xml.StartElement); ok {
			return element.Name.Local
		}
	}
}
