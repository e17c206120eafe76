package artifacthttp

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// precondition returns what RFC 9110, section 13.2.2, says for an artifact that is there: 200, 304 or 412. Conditions on
// dates do not count, as there is no Last-Modified.
func precondition(header http.Header, etag string) int {
	if match := header.Values("If-Match"); len(match) > 0 && !anyTag(match, etag, false) {
		return http.StatusPreconditionFailed
	}
	if none := header.Values("If-None-Match"); len(none) > 0 && anyTag(none, etag, true) {
		return http.StatusNotModified
	}
	return http.StatusOK
}

// anyTag reports whether lists of entity tags have etag, which is a strong one, or are "*". Weak tags count if weak is set.
// A list is believed up to where it is malformed.
func anyTag(lists []string, etag string, weak bool) bool {
	for _, list := range lists {
		if strings.TrimSpace(list) == "*" {
			return true
		}
		for {
			list = strings.TrimLeft(list, " \t,")
			rest, isWeak := strings.CutPrefix(list, "W/")
			if !strings.HasPrefix(rest, `"`) {
				break
			}
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				break
			}
			tag := rest[:end+2]
			if tag == etag && (weak || !isWeak) {
				return true
			}
			list = rest[end+2:]
		}
	}
	return false
}

// A span is the bytes from start to before end.
type span struct{ start, end int64 }

func (s span) length() int64 { return s.end - s.start }

// partial returns the bytes that a GET asks for of so many, and the status of the answer: 200, 206 or 416.
func partial(header http.Header, etag string, size int64) (span, int) {
	whole := span{0, size}
	ranges, conditions := header.Values("Range"), header.Values("If-Range")
	if len(ranges) != 1 {
		return whole, http.StatusOK
	}
	if len(conditions) > 0 && (len(conditions) > 1 || strings.TrimSpace(conditions[0]) != etag) {
		return whole, http.StatusOK // a date never holds, nor does a weak tag
	}
	asked, err := parseRange(ranges[0], size)
	switch {
	case errors.Is(err, errUnsatisfiable):
		return whole, http.StatusRequestedRangeNotSatisfiable
	case err != nil:
		return whole, http.StatusOK
	}
	return asked, http.StatusPartialContent
}

var (
	errUnsatisfiable = errors.New("a range of which there is no byte")
	errNoRange       = errors.New("no range, or several") // which a server may ignore
)

// parseRange returns the part of size bytes, of which there is one or more, that a Range header asks for.
func parseRange(value string, size int64) (span, error) {
	unit, set, _ := strings.Cut(value, "=")
	first, last, ok := strings.Cut(strings.Trim(set, " \t"), "-")
	if !strings.EqualFold(unit, "bytes") || !ok || first == "" && last == "" {
		return span{}, errNoRange
	}
	start, firstOK := position(first)
	end, lastOK := position(last)
	switch {
	case first != "" && !firstOK, last != "" && !lastOK, first != "" && last != "" && end < start:
		return span{}, errNoRange
	case first == "" && end == 0, first != "" && start >= size:
		return span{}, errUnsatisfiable
	case first == "":
		return span{max(size-end, 0), size}, nil
	case last == "" || end >= size:
		return span{start, size}, nil
	}
	return span{start, end + 1}, nil
}

// position parses digits. A number that is too large for any artifact is the largest.
func position(digits string) (int64, bool) {
	n, err := strconv.ParseUint(digits, 10, 63)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxInt64, true
	}
	return int64(n), err == nil
}
