package git

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"github.com/gitopskit/gitopskit/source"
)

// An object is a commit, a tree, a blob or a tag. Its body is never changed.
type object struct {
	kind plumbing.ObjectType
	body []byte
}

type objects map[plumbing.Hash]object

// errIncomplete means that a pack refers to objects that neither it nor the last checkout has.
var errIncomplete = errors.New("the pack lacks objects that it refers to")

// spareObjects is how many objects a pack may have besides one for each file and folder: the root, the commit, and a chain
// of annotated tags.
const spareObjects = 16

// readPack reads a pack whose deltas may be against the objects of have, and returns its objects by their hashes, which are
// computed here. What a pack says of sizes is checked against the limits before memory is taken for it.
func readPack(ctx context.Context, r io.Reader, have objects, limits source.Limits) (objects, error) {
	p := &pack{limits: limits, have: have, objects: make(objects),
		byOffset: make(map[int64][]*delta), byHash: make(map[plumbing.Hash][]*delta)}
	err := p.scan(ctx, packfile.NewScanner(r))
	if err == nil {
		err = p.resolve(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pack: %w", err)
	}
	return p.objects, nil
}

// A pack is being read.
type pack struct {
	limits  source.Limits
	have    objects
	objects objects

	read   int64 // bytes that were inflated
	held   int64 // bytes of all objects
	deltas int   // that wait for their bases
	// They wait for what is at an offset of this pack, or has a hash.
	byOffset map[int64][]*delta
	byHash   map[plumbing.Hash][]*delta
	ready    []base
}

// A delta makes an object out of another one.
type delta struct {
	offset int64
	patch  []byte
}

// A base is an object that deltas may wait for.
type base struct {
	object
	offset int64 // in this pack, or negative
	hash   plumbing.Hash
}

func (p *pack) scan(ctx context.Context, scanner *packfile.Scanner) error {
	_, count, err := scanner.Header()
	if err != nil {
		return err
	}
	if int64(count) > int64(p.limits.MaxFiles)+spareObjects {
		return &source.LimitError{Option: "Limits.MaxFiles", Max: int64(p.limits.MaxFiles)}
	}
	for range count {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := scanner.NextObjectHeader()
		if err != nil {
			return err
		}
		body, err := p.inflate(scanner, header.Length)
		if err != nil {
			return err
		}
		if err := p.take(header, body); err != nil {
			return err
		}
	}
	_, err = scanner.Checksum()
	return err
}

func (p *pack) inflate(scanner *packfile.Scanner, size int64) ([]byte, error) {
	if err := p.admit(&p.read, size); err != nil {
		return nil, err
	}
	const trusted = 1 << 20 // beyond it memory comes with the bytes
	body := bytes.NewBuffer(make([]byte, 0, min(size, trusted)))
	if _, _, err := scanner.NextObject(body); err != nil {
		return nil, err
	}
	if int64(body.Len()) != size {
		return nil, fmt.Errorf("an object of %d bytes has %d", size, body.Len())
	}
	return body.Bytes(), nil
}

func (p *pack) admit(sum *int64, size int64) error {
	switch {
	case size > p.limits.MaxFileBytes:
		return &source.LimitError{Option: "Limits.MaxFileBytes", Max: p.limits.MaxFileBytes}
	case size < 0 || size > math.MaxInt64-*sum || *sum+size > p.limits.MaxBytes:
		return &source.LimitError{Option: "Limits.MaxBytes", Max: p.limits.MaxBytes}
	}
	*sum += size
	return nil
}

func (p *pack) take(header *packfile.ObjectHeader, body []byte) error {
	switch header.Type {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
		return p.add(header.Offset, object{kind: header.Type, body: body})
	case plumbing.OFSDeltaObject:
		p.byOffset[header.OffsetReference] = append(p.byOffset[header.OffsetReference], &delta{header.Offset, body})
	case plumbing.REFDeltaObject:
		p.byHash[header.Reference] = append(p.byHash[header.Reference], &delta{header.Offset, body})
	default:
		return fmt.Errorf("unknown type of object %d", header.Type)
	}
	p.deltas++
	return nil
}

func (p *pack) add(offset int64, o object) error {
	if err := p.admit(&p.held, int64(len(o.body))); err != nil {
		return err
	}
	hash := plumbing.ComputeHash(o.kind, o.body)
	p.objects[hash] = o
	p.ready = append(p.ready, base{object: o, offset: offset, hash: hash})
	return nil
}

// resolve applies the deltas, each when its base is there, in whichever order the pack has them.
func (p *pack) resolve(ctx context.Context) error {
	for hash := range p.byHash {
		if o, ok := p.have[hash]; ok {
			p.ready = append(p.ready, base{object: o, offset: -1, hash: hash})
		}
	}
	for len(p.ready) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := p.ready[len(p.ready)-1]
		p.ready = p.ready[:len(p.ready)-1]
		waiting := append(p.byOffset[b.offset], p.byHash[b.hash]...)
		delete(p.byOffset, b.offset)
		delete(p.byHash, b.hash)
		for _, d := range waiting {
			if err := p.apply(b.object, d); err != nil {
				return err
			}
		}
	}
	if p.deltas > 0 {
		return errIncomplete
	}
	return nil
}

func (p *pack) apply(b object, d *delta) error {
	// A patch starts with the sizes of what it is applied to and of what comes out.
	_, n := binary.Uvarint(d.patch)
	size, m := binary.Uvarint(d.patch[max(n, 0):])
	if n <= 0 || m <= 0 {
		return errors.New("a delta is malformed")
	}
	if size > math.MaxInt64 || int64(size) > p.limits.MaxFileBytes {
		return &source.LimitError{Option: "Limits.MaxFileBytes", Max: p.limits.MaxFileBytes}
	}
	if p.held+int64(size) > p.limits.MaxBytes {
		return &source.LimitError{Option: "Limits.MaxBytes", Max: p.limits.MaxBytes}
	}
	body, err := packfile.PatchDelta(b.body, d.patch)
	if err != nil {
		return err
	}
	p.deltas--
	return p.add(d.offset, object{kind: b.kind, body: body})
}
