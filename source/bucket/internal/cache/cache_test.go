package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func keyOf(text string) (key Key) {
	copy(key[:], text)
	return key
}

// contentOf returns size bytes that no other name or size has.
func contentOf(name string, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(keyOf(fmt.Sprint(size, name))).Read(b)
	return b
}

func put(t testing.TB, c Cache, name string, content []byte) *Body {
	t.Helper()
	body, err := c.Put(t.Context(), keyOf(name), int64(len(content)), bytes.NewReader(content))
	must(t, err)
	return body
}

// has reports whether something is kept under a name, which has to be the content.
func has(t testing.TB, c Cache, name string, content []byte) bool {
	t.Helper()
	body, _ := c.Get(keyOf(name)) // whether what is damaged is told is for the test of that
	if body != nil {
		check(t, name, body, content)
	}
	return body != nil
}

func check(t testing.TB, name string, body *Body, content []byte) {
	t.Helper()
	if got, err := body.Bytes(); err != nil || !bytes.Equal(got, content) || body.Size() != int64(len(content)) {
		t.Errorf("%s: got %d bytes %.20q, %v, want %d %.20q", name, len(got), got, err, len(content), content)
	}
}

func openFolder(t testing.TB, dir string, maxBytes int64) *folder {
	t.Helper()
	c, err := Folder(dir, maxBytes)
	must(t, err)
	return c.(*folder)
}

// kinds runs a test with a cache of each kind. again returns the cache as another process would open it.
func kinds(t *testing.T, maxBytes int64, test func(t *testing.T, c Cache, again func() Cache)) {
	t.Run("memory", func(t *testing.T) {
		c := Memory(maxBytes)
		test(t, c, func() Cache { return c })
	})
	t.Run("folder", func(t *testing.T) {
		dir := t.TempDir()
		test(t, openFolder(t, dir, maxBytes), func() Cache { return openFolder(t, dir, maxBytes) })
	})
}

var sizes = []int{0, 1, 5000, smallBytes, smallBytes + 1, 3 << 20}

func TestWhatIsPutIsThere(t *testing.T) {
	kinds(t, 1<<30, func(t *testing.T, c Cache, again func() Cache) {
		for _, size := range sizes {
			name := fmt.Sprint(size)
			if has(t, c, name, nil) {
				t.Errorf("%s: is there before it was put", name)
			}
			content := contentOf(name, size)
			for range 2 { // once more over itself
				check(t, name, put(t, c, name, content), content)
			}
			if !has(t, c, name, content) || !has(t, again(), name, content) {
				t.Errorf("%s: is missing", name)
			}
		}
	})
}

func TestOnlyWholeContentIsKept(t *testing.T) {
	broken := errors.New("the line is cut")
	kinds(t, 1<<30, func(t *testing.T, c Cache, again func() Cache) {
		for _, size := range sizes {
			content := contentOf("a", size)
			for name, tt := range map[string]struct {
				r    io.Reader
				want error
			}{
				"long":         {bytes.NewReader(append(content, 0)), ErrLong},
				"short":        {bytes.NewReader(content[:max(size-1, 0)]), io.ErrUnexpectedEOF},
				"cut":          {io.MultiReader(bytes.NewReader(content[:size/2]), iotest.ErrReader(broken)), broken},
				"cut at end":   {io.MultiReader(bytes.NewReader(content), iotest.ErrReader(broken)), broken},
				"cut and long": {io.MultiReader(bytes.NewReader(content), strings.NewReader("x"), iotest.ErrReader(broken)), ErrLong},
			} {
				if name == "short" && size == 0 {
					continue
				}
				body, err := c.Put(t.Context(), keyOf(name), int64(size), tt.r)
				if body != nil || !errors.Is(err, tt.want) || errors.As(err, new(*KeepError)) {
					t.Errorf("%d %s: got %v, %v", size, name, body, err)
				}
				if has(t, again(), name, nil) {
					t.Errorf("%d %s: is kept", size, name)
				}
			}
		}
	})
}

// clocked waits until files that are written from now on are younger than those before.
func clocked() { time.Sleep(15 * time.Millisecond) }

func TestWhatWasUsedLeastRecentlyGoes(t *testing.T) {
	kinds(t, 10*8192, func(t *testing.T, c Cache, again func() Cache) {
		content := contentOf("", 8000) // two blocks
		for i := range 10 {
			if i == 9 {
				clocked()
				if !has(t, c, "0", content) {
					t.Error("0 is missing")
				}
			}
			put(t, c, fmt.Sprint(i), content)
		}
		clocked()
		put(t, c, "new", content)
		for name, want := range map[string]bool{"0": true, "1": false, "9": true, "new": true} {
			if got := has(t, again(), name, content); got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	})
}

func TestContentOverTheBoundIsNotKept(t *testing.T) {
	kinds(t, 2<<20, func(t *testing.T, c Cache, again func() Cache) {
		other := contentOf("other", 100)
		put(t, c, "other", other)
		content := contentOf("", 2<<20)
		body, err := c.Put(t.Context(), keyOf("a"), int64(len(content)), bytes.NewReader(content))
		if _, ok := c.(*folder); ok != errors.As(err, new(*KeepError)) || ok && !strings.Contains(err.Error(), "CacheOptions.MaxBytes") {
			t.Errorf("got %v", err)
		}
		check(t, "a", body, content)
		if has(t, again(), "a", nil) || !has(t, again(), "other", other) {
			t.Error("what is too large is kept, or made something else go")
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	c := Memory(100_000).(*memory)
	for i := range 1000 {
		put(t, c, fmt.Sprint(i%400), contentOf("", i%3000))
		sum := int64(0)
		for e := c.used.Front(); e != nil; e = e.Next() {
			sum += e.Value.(shelved).cost()
		}
		if sum != c.bytes || sum > 100_000 || len(c.kept) != c.used.Len() {
			t.Fatalf("%d: %d bytes are counted of %d, in %d and %d", i, c.bytes, sum, len(c.kept), c.used.Len())
		}
	}
}

// collect has everything cleaned up that nobody has any more, until done.
func collect(t *testing.T, done func() bool) {
	t.Helper()
	for range 1000 {
		runtime.GC()
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("what nobody has stays")
}

// names returns the files in a folder that have a prefix.
func names(t testing.TB, dir, prefix string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			found = append(found, e.Name())
		}
	}
	return found
}
