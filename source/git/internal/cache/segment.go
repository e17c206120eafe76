package cache

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A segment is a file of frames, an index and an end:
//
//	frame    zstd, of bodies one after the other: 1 MiB of them, or one that is larger
//	index    for each frame: its stored size, its number of objects, and for each object: hash, kind, size
//	end      the index's size (8 bytes) and SHA-256, and the magic
//
// Numbers are varints but for the index's size, which is big-endian. The index's sum finds damage to it, and the objects'
// own hashes find the rest. A frame is what is read at a time.
type segment struct {
	name    string
	stored  int64 // bytes of the file
	weight  int64 // of its objects: see weight
	entries []entry
	frames  []*frame
}

// An entry is an object in a segment's index.
type entry struct {
	hash  object.Hash
	kind  object.Kind
	frame *frame
	at    int // in the frame's content
	size  int
	// object is there once the frame has been read.
	object object.Object
}

type frame struct {
	segment *segment
	at      int64 // in the file
	stored  int   // bytes in the file
	size    int   // bytes of content
	entries []entry

	mu     sync.Mutex
	loaded bool // its entries have their objects
}

const (
	segmentMagic  = "gkgitsg1" // its last digit is the version
	segmentEnd    = 8 + sha256.Size + len(segmentMagic)
	frameSize     = 1 << 20
	maxIndexBytes = 64 << 20
	maxObjects    = 4 << 20 // of a repository
)

// errBroken is of files that are not as they were written.
var errBroken = errors.New("broken file")

// errTooLarge is of records that are not kept.
var errTooLarge = errors.New("larger than the cache")

// writeSegment writes the objects of these hashes, unless they take more than maxBytes.
func writeSegment(ctx context.Context, root *os.Root, hashes []object.Hash, from object.Set,
	maxBytes int64) (segmentName, error) {
	// Neighbours of one kind and size are often alike, which halves what they take. Trees come together, for walking.
	slices.SortFunc(hashes, func(a, b object.Hash) int {
		x, y := from[a], from[b]
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Size(), y.Size()), bytes.Compare(a[:], b[:]))
	})
	name, size, err := write(root, segmentKind, "", func(file *os.File) error {
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), zstd.WithWindowSize(frameSize))
		if err != nil {
			return err
		}
		w := segmentWriter{file: file, encoder: encoder, left: maxBytes}
		for start := 0; start < len(hashes); {
			end, content := start, 0
			for end < len(hashes) && (end == start || content+from[hashes[end]].Size() <= frameSize) {
				content += from[hashes[end]].Size()
				end++
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.frame(hashes[start:end], from); err != nil {
				return err
			}
			start = end
		}
		return w.end()
	})
	return segmentName{name, size}, err
}

type segmentWriter struct {
	file           *os.File
	encoder        *zstd.Encoder
	left           int64 // bytes that may be written
	content, bytes []byte
	index          []byte
}

func (w *segmentWriter) write(b []byte) error {
	if w.left -= int64(len(b)); w.left < 0 {
		return errTooLarge
	}
	_, err := w.file.Write(b)
	return err
}

func (w *segmentWriter) frame(hashes []object.Hash, from object.Set) error {
	w.content = w.content[:0]
	for _, hash := range hashes {
		w.content = append(w.content, from[hash].Body()...)
	}
	w.bytes = w.encoder.EncodeAll(w.content, w.bytes[:0])
	w.index = binary.AppendUvarint(w.index, uint64(len(w.bytes)))
	w.index = binary.AppendUvarint(w.index, uint64(len(hashes)))
	for _, hash := range hashes {
		w.index = append(append(w.index, hash[:]...), byte(from[hash].Kind))
		w.index = binary.AppendUvarint(w.index, uint64(from[hash].Size()))
	}
	return w.write(w.bytes)
}

func (w *segmentWriter) end() error {
	size := len(w.index)
	if size > maxIndexBytes {
		return errTooLarge
	}
	sum := sha256.Sum256(w.index)
	end := append(binary.BigEndian.AppendUint64(w.index, uint64(size)), sum[:]...)
	return w.write(append(end, segmentMagic...))
}

// openSegment reads a segment's index. An object in it may be of maxObject bytes.
func openSegment(root *os.Root, name segmentName, maxObject int64) (*segment, error) {
	file, err := root.Open(name.Name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() != name.Size || name.Size < int64(segmentEnd) {
		return nil, errBroken
	}
	end := make([]byte, segmentEnd)
	if _, err := file.ReadAt(end, name.Size-int64(segmentEnd)); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint64(end)
	if string(end[8+sha256.Size:]) != segmentMagic || size > maxIndexBytes || int64(size) > name.Size-int64(segmentEnd) {
		return nil, errBroken
	}
	index := make([]byte, size)
	frames := name.Size - int64(segmentEnd) - int64(size)
	if _, err := file.ReadAt(index, frames); err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(index); !bytes.Equal(sum[:], end[8:8+sha256.Size]) {
		return nil, errBroken
	}
	s := &segment{name: name.Name, stored: name.Size}
	return s, s.parse(index, frames, maxObject)
}

// parse reads an index of frames that take stored bytes together.
func (s *segment) parse(index []byte, stored, maxObject int64) error {
	r := indexReader{rest: index}
	s.entries = make([]entry, 0, len(index)/(len(object.Hash{})+2))
	for at := int64(0); len(r.rest) > 0; {
		f := &frame{segment: s, at: at, stored: r.number(stored - at)}
		first := len(s.entries)
		for range r.number(maxObjects) {
			e := entry{frame: f, at: f.size}
			copy(e.hash[:], r.take(len(e.hash)))
			if kind := r.take(1); kind != nil {
				e.kind = object.Kind(kind[0])
			}
			e.size = r.number(maxObject)
			if r.broken || f.size > 0 && f.size+e.size > frameSize {
				return errBroken
			}
			f.size += e.size
			s.weight += weight(e.size)
			s.entries = append(s.entries, e)
		}
		f.entries = s.entries[first:len(s.entries):len(s.entries)]
		s.frames = append(s.frames, f)
		at += int64(f.stored)
		if len(r.rest) == 0 && at != stored {
			return errBroken
		}
	}
	if r.broken {
		return errBroken
	}
	return nil
}

// weight is what an object counts when segments are compared: its body and its line in the index.
func weight(size int) int64 { return int64(size) + 32 }

type indexReader struct {
	rest   []byte
	broken bool
}

func (r *indexReader) take(n int) []byte {
	if len(r.rest) < n {
		r.rest, r.broken = nil, true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *indexReader) number(most int64) int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(max(most, 0)) || n > math.MaxInt {
		r.rest, r.broken = nil, true
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

// load gives the frame's entries their objects, all of whose hashes have been found right.
func (f *frame) load(r *folderRepository) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.loaded {
		return nil
	}
	if r.loaded.Add(int64(f.size)) > mostLoaded*r.cache.maxBytes {
		return errTooLarge
	}
	content, err := f.read(r)
	if err != nil {
		return err
	}
	hasher, packer := object.NewHasher(), new(object.Packer)
	for i := range f.entries {
		e := &f.entries[i]
		body := content[e.at : e.at+e.size : e.at+e.size]
		if hash, err := hasher.Sum(e.kind, body); err != nil || hash != e.hash {
			return errBroken
		}
		e.object = packer.Pack(e.kind, body, len(f.entries) > 1)
	}
	f.loaded = true
	return nil
}

func (f *frame) read(r *folderRepository) ([]byte, error) {
	root, err := r.cache.open(r.name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := root.Open(f.segment.name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	stored := make([]byte, f.stored)
	if _, err := file.ReadAt(stored, f.at); err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	content, err := r.decoder().DecodeAll(stored, make([]byte, 0, f.size))
	if err != nil || len(content) != f.size {
		return nil, errBroken
	}
	return content, nil
}
