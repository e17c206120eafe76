package artifact_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/artifact"
)

// windingLinks is an archive of few kilobytes once it is compressed, whose links go
// in and out of a folder, hundreds of times, far from the root. Each leads to the
// next, and the last to nothing.
func windingLinks(t *testing.T, n int) (data []byte, dir string) {
	dir = strings.Repeat(strings.Repeat("d", 31)+"/", 120)
	headers := []tar.Header{regular(dir + "a/f")}
	for i := range n {
		target := fmt.Sprint(strings.Repeat("a/../", 800), "l", i+1)
		headers = append(headers, symlink(fmt.Sprint(dir, "l", i), target))
	}
	return gzipOf(t, tarOf(t, headers...)), dir
}

// allocated returns how many bytes f took in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A path put together for each element of each target would be 12 MiB a link: what
// costs that much memory costs minutes where an archive has thousands of links.
func TestLinksCostNoMoreThanTheirLength(t *testing.T) {
	const mib = 1 << 20
	data, dir := windingLinks(t, 32)
	var tree fs.FS
	read := allocated(func() {
		var err error
		tree, err = artifact.Open(t.Context(), bytes.NewReader(data), describe(artifact.MediaTypeTarGzip, data), artifact.UnpackOptions{})
		if err != nil {
			t.Fatal(err)
		}
	})
	if read > 32*mib {
		t.Errorf("Open took %d bytes", read)
	}
	followed := allocated(func() {
		if _, err := fs.Stat(tree, dir+"l0"); err == nil {
			t.Error("there is something at the end of the links")
		}
	})
	if followed > 8*mib {
		t.Errorf("Stat took %d bytes", followed)
	}
}
