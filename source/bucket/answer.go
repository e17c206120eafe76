package bucket

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
)

// What comes is cut to size here, before minio-go sees it, which reads whatever is sent.

const (
	// maxPageBytes is ample for 1,000 keys of 1,024 bytes, percent-encoded and in XML.
	maxPageBytes = 16 << 20
	// maxPageTags bounds what a page is in memory, where an empty element takes a hundred times as much. It is ample for
	// 10,000 keys, which some stores can be told to put on a page.
	maxPageTags = 400_000
	// maxRefusalBytes is how much of an answer is read that has no content.
	maxRefusalBytes = 1 << 20
)

var errPageTooLong = errors.New("a page of the listing is over 16 MiB, or has over 400,000 tags")

// readPage returns a page of a listing with all its body in memory.
func readPage(response *http.Response) (*http.Response, error) {
	defer response.Body.Close() // it was only read
	whole, err := io.ReadAll(io.LimitReader(response.Body, maxPageBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(whole) > maxPageBytes || bytes.Count(whole, []byte("<")) > maxPageTags:
		return nil, errPageTooLong
	}
	response.Body = io.NopCloser(bytes.NewReader(whole))
	return response, nil
}

// fitObject readies an answer to a GET of an object. Headers that are of no use here are left out, for minio-go refuses an
// object for each that it cannot read, and some of them, such as Expires, are whatever somebody uploaded.
func fitObject(response *http.Response) error {
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusPartialContent:
		_ = response.Body.Close() // it was only read
		return errors.New("the server answers with a part of the object, which nobody asked for")
	default:
		response.Body = &restoredBody{io.LimitReader(response.Body, maxRefusalBytes), response.Body}
		return nil
	}
	kept := http.Header{"Last-Modified": {"Mon, 02 Jan 2006 15:04:05 GMT"}} // minio-go insists on one
	for name, values := range response.Header {
		if name == "Etag" || name == "Content-Type" || name == "Content-Length" || strings.HasPrefix(name, "X-Amz-Checksum-") ||
			strings.HasPrefix(name, "X-Amz-Server-Side-Encryption") {
			kept[name] = values
		}
	}
	response.Header = kept
	return nil
}
