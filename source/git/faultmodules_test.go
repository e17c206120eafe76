package git

import (
	"runtime"
	"strings"
	"testing"
)

// A file of keys below one long name takes memory in proportion to its length, and so time.
func TestLongSectionsCostNoMoreThanTheirLength(t *testing.T) {
	for _, head := range []string{"[%]\n", "[submodule \"%\"]\n", "[submodule.%]\n"} {
		text := []byte(strings.Replace(head, "%", strings.Repeat("a", 40_000), 1) + strings.Repeat("a\npath=b\n", 2_000))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := parseModules(text); err != nil {
			t.Error(err)
		}
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(50*len(text)); got > most {
			t.Errorf("%.20q: %d bytes are allocated for a text of %d, want at most %d", head, got, len(text), most)
		}
	}
}
