package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
)

// A file of content has a header before it: what it is, its key, its size and its SHA-256.
const headerBytes = int64(len(magic) + sha256.Size + 8 + sha256.Size)

// The 1 is the format's version.
const magic = "bucket content 1\n"

type header struct {
	key  Key
	size int64
	sum  [sha256.Size]byte
}

func (h header) encode() []byte {
	b := append([]byte(magic), h.key[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.size))
	return append(b, h.sum[:]...)
}

var errFormat = errors.New("it is no content of this key")

// errUnwritten is of a file that has its name and no content yet, or that a power cut left so.
var errUnwritten = errors.New("nothing was written to it yet")

// readHeader reads the header of a file that has to have the content of a key.
func readHeader(file *os.File, key Key) (header, error) {
	info, err := file.Stat()
	if err != nil {
		return header{}, err
	}
	if info.Size() == 0 {
		return header{}, errUnwritten
	}
	var encoded [headerBytes]byte
	if _, err := file.ReadAt(encoded[:], 0); err != nil {
		return header{}, err
	}
	if encoded == [headerBytes]byte{} {
		return header{}, errUnwritten
	}
	h := header{key: key, size: info.Size() - headerBytes}
	copy(h.sum[:], encoded[headerBytes-sha256.Size:])
	if !bytes.Equal(h.encode(), encoded[:]) {
		return header{}, errFormat
	}
	return h, nil
}

// verify holds the content after the header against the header.
func (h header) verify(file *os.File) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, headerBytes, h.size)); err != nil {
		return err
	}
	if [sha256.Size]byte(sum.Sum(nil)) != h.sum {
		return errDamaged
	}
	return nil
}

// load returns the content after the header as a Body in memory, if it is right.
func (h header) load(file *os.File) (*Body, error) {
	f := &heldFile{sum: h.sum, open: func() (io.ReaderAt, func(), error) { return file, func() {}, nil }}
	bytes, err := f.read(h.size)
	if err != nil {
		return nil, err
	}
	return &Body{size: h.size, bytes: bytes}, nil
}

var errIrregular = errors.New("is no regular file")

// openRegular opens a file to read it, and neither a link nor what would keep it waiting.
func openRegular(root *os.Root, name string, flag int) (*os.File, error) {
	if info, err := root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return nil, orIrregular(err, name)
	}
	file, err := root.OpenFile(name, flag|noWaiting, 0)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = file.Close()
		return nil, orIrregular(err, name)
	}
	return file, nil
}

func orIrregular(err error, name string) error {
	if err == nil {
		err = &fs.PathError{Op: "open", Path: name, Err: errIrregular}
	}
	return err
}
