package main

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/gitopskit/gitopskit/internal/bench/archive"
	"github.com/gitopskit/gitopskit/internal/bench/fetch"
)

// check returns what an archive is, if it has the tree's content. Go's own archive/tar reads it, whoever wrote it.
func (t *writtenTree) check(path, format string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	sum := sha256.New()
	if size, err = io.Copy(sum, f); err != nil {
		return "", 0, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", 0, err
	}
	content, err := contentOfArchive(f, format)
	if err == nil {
		err = t.same("in the archive", content)
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), size, err
}

// contentOfArchive reads the archive to its end, where its checksum is.
func contentOfArchive(r io.Reader, format string) (content fetch.Content, err error) {
	var plain io.Reader
	if format == archive.Zstd {
		decoder, err := zstd.NewReader(r)
		if err != nil {
			return content, err
		}
		defer decoder.Close()
		plain = decoder
	} else if plain, err = gzip.NewReader(bufio.NewReader(r)); err != nil {
		return content, err
	}
	if content, err = fetch.ReadArchive(plain); err != nil {
		return content, err
	}
	_, err = io.Copy(io.Discard, plain) // GNU tar fills the last block
	return content, err
}

func (t *writtenTree) same(where string, content fetch.Content) error {
	if content == t.content {
		return nil
	}
	return fmt.Errorf("%d files %s are not the %d of the tree", content.Files, where, t.content.Files)
}

// checkOne is about what was read of one file.
func (t *writtenTree) checkOne(name string, content fetch.Content) error {
	body, err := os.ReadFile(filepath.Join(t.tree(), filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	if want := fetch.Of(map[string][sha256.Size]byte{name: sha256.Sum256(body)}); content != want {
		return fmt.Errorf("what was read of %s is not what is in it", name)
	}
	return nil
}
