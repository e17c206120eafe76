package fetch

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A Content says how many files and symbolic links there are, and which: the digest is over path, mode and content of each.
type Content struct {
	Files  int
	Digest string
}

// Read returns the content of a folder and what is below it; empty is all. Git's own folder is left out.
func Read(fsys fs.FS, folder string) (Content, error) {
	var all []string
	if folder == "" {
		folder = "."
	}
	err := fs.WalkDir(fsys, folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		line, err := lineOf(fsys, name, d)
		all = append(all, line)
		return err
	})
	return contentOf(all), err
}

func lineOf(fsys fs.FS, name string, d fs.DirEntry) (string, error) {
	if d.Type() == fs.ModeSymlink {
		target, err := fs.ReadLink(fsys, name)
		return line(name, fs.ModeSymlink, []byte(target)), err
	}
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	body, err := fs.ReadFile(fsys, name)
	return line(name, info.Mode(), body), err
}

// ReadArchive returns the content of a tar, such as git archive prints.
func ReadArchive(r io.Reader) (Content, error) {
	var all []string
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return contentOf(all), nil
		}
		if err != nil {
			return Content{}, err
		}
		name := path.Clean(header.Name) // GNU tar's begin with ./ where it is told to pack the folder that it is in
		switch header.Typeflag {
		case tar.TypeReg:
			body, err := io.ReadAll(archive)
			if err != nil {
				return Content{}, err
			}
			all = append(all, line(name, fs.FileMode(header.Mode), body))
		case tar.TypeSymlink:
			all = append(all, line(name, fs.ModeSymlink, []byte(header.Linkname)))
		}
	}
}

// Of returns the content that files have whose sums are known.
func Of(sums map[string][sha256.Size]byte) Content {
	var all []string
	for name, sum := range sums {
		all = append(all, summed(name, "file", sum))
	}
	return contentOf(all)
}

// line has of the mode what Git keeps: whether it is a link, and whether its owner may execute it.
func line(name string, mode fs.FileMode, body []byte) string {
	kind := "file"
	switch {
	case mode.Type() == fs.ModeSymlink:
		kind = "link"
	case mode&0o100 != 0:
		kind = "executable"
	}
	return summed(name, kind, sha256.Sum256(body))
}

func summed(name, kind string, sum [sha256.Size]byte) string {
	return fmt.Sprintf("%q %s %x\n", name, kind, sum)
}

func contentOf(lines []string) Content {
	slices.Sort(lines)
	return Content{Files: len(lines), Digest: fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(lines, ""))))}
}
