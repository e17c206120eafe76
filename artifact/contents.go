package artifact

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Contents are the entries of a tree: its files and symbolic links, each path
// once, sorted by path, bytewise. They say of each file what is in it, and do not
// hold it. The Contents of a tree, and of any artifact of that tree, are equal
// element by element. As JSON they are an array.
type Contents []Entry

// An Entry is what stands at a path.
type Entry struct {
	// Path is slash-separated, from the tree's root.
	Path string `json:"path"`
	Leaf
}

// A Leaf is a file or a symbolic link, with all that an artifact keeps of it
// apart from its path. Two are the same if they are ==.
type Leaf struct {
	Kind Kind `json:"kind"`
	// Size is the file's size in bytes, or the length of the link's target.
	Size int64 `json:"size"`
	// Digest is the sha256 of the file's content, and empty for a link.
	Digest digest.Digest `json:"digest,omitempty"`
	// Target is where the link leads, as it was packed, and empty for a file.
	Target string `json:"target,omitempty"`
}

// A Kind is what a Leaf is. It is the mode too, as an artifact keeps no more of
// it than whether a file may be executed.
type Kind string

// The kinds of leaves: there are no others in an artifact.
const (
	RegularFile    Kind = "file"
	ExecutableFile Kind = "executable"
	SymbolicLink   Kind = "symlink"
)

// ContentsOf reads the tree of fsys and returns its Contents: those of the
// artifact that Pack would make of it. opts are those of Pack, so that what it
// refuses is refused; as nothing is compressed, opts.Compression does not matter,
// and neither does how well the tree would compress.
//
// Memory is taken for the tree's names, not for its content. Errors are Pack's,
// with "read" for their Op.
func ContentsOf(ctx context.Context, fsys fs.FS, opts PackOptions) (Contents, error) {
	opts.Compression = None
	archive, w := io.Pipe()
	l, listed := newLister(), make(chan error, 1)
	go func() {
		err := l.archive(archive)
		archive.CloseWithError(err)
		listed <- err
	}()
	// There is one walk only, so that what is listed is what is packed. It is not
	// the walk that has a goroutine of its own, as fsys may panic.
	err := func() (err error) {
		defer func() {
			w.CloseWithError(err)
			err = cmp.Or(err, <-listed)
		}()
		_, err = Pack(ctx, w, fsys, opts)
		return err
	}()
	if err != nil {
		return nil, in("read", "", asRead(err))
	}
	return l.contents(), nil
}

// ReadContents reads the artifact in r, if it is the one that want names, and
// returns its Contents. Size, digest and content digest are verified, and r must
// end where the artifact ends; ReadContents reads r to its end and does not close
// it. Nothing is unpacked: memory is taken for the tree's names, not for its
// content.
//
// It accepts what Open accepts. Errors are ErrDigest if the bytes are not those
// of want, ErrFormat if they are and are no artifact, ErrUnsafe, ErrTooLarge,
// ctx.Err(), and what r returns.
func ReadContents(ctx context.Context, r io.Reader, want Descriptor, opts UnpackOptions) (Contents, error) {
	l := newLister()
	if err := scan(ctx, "read", r, want, opts, l); err != nil {
		return nil, err
	}
	return l.contents(), nil
}

// A lister is the sink of ReadContents, and of ContentsOf.
type lister struct {
	entries Contents
	places  map[string]int // in entries, by path, of the first entries
	hash    hash.Hash
	block   []byte
}

func newLister() *lister {
	return &lister{entries: Contents{}, places: map[string]int{}, hash: newHash(), block: make([]byte, blockSize)}
}

func (l *lister) file(name string, executable bool, size int64, r io.Reader) error {
	l.hash.Reset()
	if _, err := io.CopyBuffer(l.hash, r, l.block); err != nil {
		return err
	}
	leaf := Leaf{Kind: RegularFile, Size: size, Digest: digestOf(l.hash)}
	if executable {
		leaf.Kind = ExecutableFile
	}
	l.entries = append(l.entries, Entry{name, leaf})
	return nil
}

func (l *lister) link(name, target string) error {
	leaf := Leaf{Kind: SymbolicLink, Size: int64(len(target)), Target: target}
	l.entries = append(l.entries, Entry{name, leaf})
	return nil
}

// again makes places as complete as it has to be: most archives have no hard links.
func (l *lister) again(name, earlier string) error {
	for i := len(l.places); i < len(l.entries); i++ {
		l.places[l.entries[i].Path] = i
	}
	l.entries = append(l.entries, Entry{name, l.entries[l.places[earlier]].Leaf})
	return nil
}

// archive lists an archive that Pack wrote: there is nothing else in it. It reads
// to the end, for Pack to get there too.
func (l *lister) archive(archive io.Reader) error {
	buffered := bufio.NewReaderSize(archive, blockSize)
	r := tar.NewReader(buffered)
	for {
		hdr, err := r.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, buffered)
			return err
		}
		if err != nil {
			return err
		}
		if hdr.Typeflag == tar.TypeSymlink {
			err = l.link(hdr.Name, hdr.Linkname)
		} else {
			err = l.file(hdr.Name, hdr.Mode&0o111 != 0, hdr.Size, r)
		}
		if err != nil {
			return err
		}
	}
}

// contents sorts, as other packers do not.
func (l *lister) contents() Contents {
	sortEntries(l.entries)
	return l.entries
}

func sortEntries(entries Contents) { slices.SortFunc(entries, byPath) }

func byPath(a, b Entry) int { return strings.Compare(a.Path, b.Path) }

// asRead tells that Pack's error was met while reading a tree, which is all that
// whoever asked for Contents knows of.
func asRead(err error) error {
	if placed := new(Error); errors.As(err, &placed) {
		return &Error{Op: "read", Path: placed.Path, Err: placed.Err}
	}
	return err
}

// String returns a line for each entry, without a line's end after the last.
func (c Contents) String() string {
	lines := make([]string, len(c))
	for i, e := range c {
		lines[i] = e.String()
	}
	return strings.Join(lines, "\n")
}

// String returns the entry in one line, with the digest in full.
func (e Entry) String() string {
	line := legible(e.Path) + ": " + e.Leaf.String()
	if e.Digest != "" {
		line += ", " + e.Digest.String()
	}
	return line
}

// String returns kind and size, or target: "file, 17 bytes", "symlink to a/b".
func (l Leaf) String() string {
	if l.Kind == SymbolicLink {
		return fmt.Sprintf("%s to %s", l.Kind, legible(l.Target))
	}
	return fmt.Sprintf("%s, %s", l.Kind, bytesOf(l.Size))
}

func bytesOf(n int64) string {
	if n == 1 {
		return "1 byte"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

// legible quotes a path, which is somebody else's choice, where it could pass for
// more than one word, end a line, or tell a terminal something.
func legible(path string) string {
	quoted := strconv.Quote(path)
	if path == "" || len(quoted) != len(path)+2 || strings.ContainsAny(path, " :,") {
		return quoted
	}
	return path
}
