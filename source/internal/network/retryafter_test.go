package network

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]struct {
		after time.Duration
		ok    bool
	}{
		"0":                             {0, true},
		"7":                             {7 * time.Second, true},
		"99999999999":                   {longest, true},
		"99999999999999999999":          {longest, true},
		"Sat, 01 Jan 2000 00:00:05 GMT": {5 * time.Second, true},
		"Fri, 31 Dec 1999 00:00:00 GMT": {0, true},
		"Fri, 31 Dec 9999 00:00:00 GMT": {longest, true},
		"":                              {},
		"-5":                            {},
		"+5":                            {},
		"1.5":                           {},
		"7 moons":                       {},
		"0x10":                          {},
	} {
		if after, ok := RetryAfter(value, now); after != want.after || ok != want.ok {
			t.Errorf("%q: got %v and %v, want %v and %v", value, after, ok, want.after, want.ok)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"7", "-1", "99999999999999999999", "Sat, 01 Jan 2000 00:00:05 GMT", "Monday, 01-Jan-00 00:00:00 GMT"} {
		f.Add(value, int64(0))
	}
	f.Fuzz(func(t *testing.T, value string, unix int64) {
		after, ok := RetryAfter(value, time.Unix(unix%(1<<40), 0))
		if after < 0 || after > longest || !ok && after != 0 {
			t.Errorf("%q: got %v and %v", value, after, ok)
		}
	})
}
