package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
	"github.com/gitopskit/gitopskit/source/git/internal/pack"
	"github.com/gitopskit/gitopskit/source/git/internal/transport"
	"github.com/gitopskit/gitopskit/source/git/internal/wire"
)

// A remote is a conversation with a repository whose references are known.
//
// Over HTTP the references are listed in version 0 of Git's protocol, whose first answer has them, so that an unchanged
// repository costs one request; version 2 takes two. Over a stream it is the other way around: version 2 lists only those
// that matter, and answers more than one question.
type remote struct {
	*Source
	conn  transport.Conn
	refs  *wire.Advertisement
	spent bool      // the stream answers no more
	since time.Time // when it was opened
	left  int64     // of Limits.MaxBytes
}

// longWait is more than there is between the list and the first request, unless another fetch goes first.
const longWait = 100 * time.Millisecond

// connect lists the references.
func (s *Source) connect(ctx context.Context) (*remote, error) {
	r := &remote{Source: s, left: s.opts.Limits.MaxBytes}
	if err := r.open(ctx, s.choice.keeps); err != nil {
		return nil, err
	}
	if r.refs.Empty && r.refs.Version != 2 { // in version 2 only a few were asked for
		r.close()
		return nil, fmt.Errorf("the repository is empty: %w", source.ErrNotFound)
	}
	return r, nil
}

func (r *remote) open(ctx context.Context, keep func(string) bool) error {
	version := 2
	if r.url.Scheme == "http" || r.url.Scheme == "https" {
		version = 0
	}
	conn, err := r.transport.Open(ctx, version)
	if err != nil {
		return err
	}
	r.conn, r.spent, r.since = conn, false, time.Now()
	if err = r.list(ctx, keep); err != nil {
		r.close()
		return fmt.Errorf("listing the references: %w", err)
	}
	return nil
}

func (r *remote) list(ctx context.Context, keep func(string) bool) error {
	limit := cmp.Or(max(r.opts.MaxReferenceBytes, 0), DefaultMaxReferenceBytes)
	body := bounded(r.conn, limit, "Options.MaxReferenceBytes")
	refs, err := wire.ReadAdvertisement(body, keep)
	if err != nil {
		return body.blame(err)
	}
	r.refs = refs
	if refs.Version != 2 {
		return nil
	}
	answer, err := r.conn.Ask(ctx, 2, wire.ListRefs(r.choice.prefixes()))
	if err != nil {
		return err
	}
	body = bounded(answer, limit, "Options.MaxReferenceBytes")
	err = body.blame(refs.ReadRefs(body, keep))
	return errors.Join(err, answer.Close())
}

func (r *remote) close() {
	if r.conn != nil {
		_ = r.conn.Close() // everything that matters has been read
		r.conn = nil
	}
}

// A need is a request for a pack, and what makes a difference to how it is asked.
type need struct {
	wire.Request
	hashes bool // what is wanted is not listed among the references
	base   lookup
	limits source.Limits // of the pack
}

// version is the one to ask in. Over HTTP the references came in version 0, which gives little else by its hash.
func (r *remote) version(n need) int {
	switch {
	case r.refs.Version == 2:
		return 2
	case !n.hashes, r.conn == nil, !r.conn.Stateless(), r.is(refusesV2): // a stream that could not be opened again is nil
		return 0
	case r.refs.Capabilities.Has("allow-reachable-sha1-in-want") && n.Depth > 0:
		return 0
	}
	return 2
}

// filters reports whether the server leaves out what a filter says.
func (r *remote) filters() bool {
	if r.refs.Version != 2 {
		return r.refs.Capabilities.Has("filter")
	}
	return r.refs.Capabilities.HasWord("fetch", "filter")
}

// pack asks for a pack and reads it, and returns also the commits at which its history ends. With [pack.ErrIncomplete] come
// the objects that were complete.
func (r *remote) pack(ctx context.Context, n need) (object.Set, []object.Hash, error) {
	version := r.version(n)
	waited := !r.spent && r.conn != nil && !r.conn.Stateless() && time.Since(r.since) > longWait
	objects, shallow, err := r.ask(ctx, n, version)
	if err != nil && waited && refused(err) { // the server may have hung up long ago
		version = r.version(n)
		objects, shallow, err = r.ask(ctx, n, version)
	}
	if err == nil && version != r.refs.Version {
		r.grant(refusesV2)
	}
	if err == nil || version == r.refs.Version || !refused(err) {
		return objects, shallow, err
	}
	if objects, shallow, err = r.ask(ctx, n, 0); err == nil {
		r.refuse(refusesV2)
	}
	return objects, shallow, err
}

func (r *remote) ask(ctx context.Context, n need, version int) (object.Set, []object.Hash, error) {
	if r.spent || r.conn == nil {
		r.close()
		if err := r.open(ctx, func(string) bool { return false }); err != nil {
			return nil, nil, err
		}
	}
	request := n.EncodeV2()
	if version == 0 {
		var err error
		if request, err = n.Encode(r.refs.Capabilities); err != nil {
			return nil, nil, err
		}
	}
	r.spent = !r.conn.Stateless()
	answer, err := r.conn.Ask(ctx, version, request)
	if err != nil {
		return nil, nil, err
	}
	objects, shallow, err := r.read(ctx, answer, version, n)
	if err != nil {
		return objects, nil, errors.Join(err, answer.Close())
	}
	r.spent = r.spent && version == 0
	return objects, shallow, answer.Close()
}

func (r *remote) read(ctx context.Context, answer io.Reader, version int, n need) (object.Set, []object.Hash, error) {
	body := bounded(answer, r.left, "Limits.MaxBytes")
	body.max = r.opts.Limits.MaxBytes
	defer func() { r.left = body.left }()
	a, err := wire.ReadAnswer(body, version, n.Depth > 0)
	if err != nil {
		return nil, nil, fmt.Errorf("asking for a pack: %w", body.blame(err))
	}
	objects, err := pack.Read(ctx, a, n.base, n.limits)
	if err == nil {
		_, err = io.Copy(io.Discard, a) // to the end of the message
	}
	if err != nil {
		return objects, nil, fmt.Errorf("reading the pack: %w", r.explain(body.blame(err)))
	}
	return objects, a.Shallow, nil
}

// errCut means that a connection ended while a pack came: whoever refuses something does so before.
var errCut = errors.New("the answer is cut short")

func (r *remote) explain(err error) error {
	// The pack's own limits are what others leave of these.
	if crossed := new(source.LimitError); errors.As(err, &crossed) && crossed.Option == "Limits.MaxBytes" {
		crossed.Max = r.opts.Limits.MaxBytes
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, new(*pack.FormatError)) {
		err = fmt.Errorf("%w: %w", errCut, err)
	}
	return err
}

// A boundedReader is an answer that may only be so long. It remembers why it ended.
type boundedReader struct {
	body   io.Reader
	left   int64
	max    int64
	option string
	err    error
}

func bounded(body io.Reader, limit int64, option string) *boundedReader {
	return &boundedReader{body: body, left: limit, max: limit, option: option}
}

func (r *boundedReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.body.Read(p)
	if r.left -= int64(n); r.left < 0 {
		n, r.left, err = 0, 0, &source.LimitError{Option: r.option, Max: r.max}
	}
	r.err = err
	return n, err
}

// blame returns the reader's error where it has one that explains err.
func (r *boundedReader) blame(err error) error {
	if err != nil && r.err != nil && r.err != io.EOF {
		return r.err
	}
	return err
}
