package artifact

import (
	"context"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
)

// A meter counts, hashes and bounds the bytes read through it, and ends with
// its context.
type meter struct {
	ctx  context.Context
	r    io.Reader
	hash hash.Hash
	n    int64 // bytes so far, at most max+1
	max  int64
	over error // what Read returns after the byte at max
	err  error // the first error other than io.EOF, for good
	idle int   // how often in a row there was nothing
}

func newMeter(ctx context.Context, r io.Reader, max int64, over error) *meter {
	return &meter{ctx: ctx, r: r, hash: newHash(), max: max, over: over}
}

func (m *meter) Read(p []byte) (int, error) {
	if m.err == nil {
		m.err = m.ctx.Err()
	}
	if m.err != nil {
		return 0, m.err
	}
	if room := m.max - m.n; room < int64(len(p)) {
		p = p[:room+1]
	}
	n, err := m.r.Read(p)
	m.hash.Write(p[:n])
	m.n += int64(n)
	if m.idle++; n > 0 || err != nil {
		m.idle = 0
	}
	switch {
	case m.n > m.max:
		err = m.over
	case m.idle == maxIdle:
		err = io.ErrNoProgress
	}
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}

func (m *meter) digest() digest.Digest { return digestOf(m.hash) }

// A gauge is a meter for what is written through it. It lets nothing through
// that crosses max.
type gauge struct {
	ctx  context.Context
	w    io.Writer
	hash hash.Hash
	n    int64
	max  int64
	over error
	err  error // the first error, for good
}

func newGauge(ctx context.Context, w io.Writer, max int64, over error) *gauge {
	return &gauge{ctx: ctx, w: w, hash: newHash(), max: max, over: over}
}

func (g *gauge) Write(p []byte) (int, error) {
	if g.err == nil {
		g.err = g.ctx.Err()
	}
	if g.err == nil && int64(len(p)) > g.max-g.n {
		g.err = g.over
	}
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.w.Write(p)
	g.hash.Write(p[:n])
	g.n += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	g.err = err
	return n, err
}

func (g *gauge) digest() digest.Digest { return digestOf(g.hash) }
