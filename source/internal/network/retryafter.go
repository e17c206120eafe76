package network

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// longest is what a longer time, or a date further away, is taken for: 34 years.
const longest = 1 << 30 * time.Second

// RetryAfter returns how long after now the value of a Retry-After header is: a number of seconds, or a date, of which one that
// is over is now. It reports whether the value is one of both; otherwise the time is zero.
func RetryAfter(value string, now time.Time) (time.Duration, bool) {
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(longest/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), longest), true
}
