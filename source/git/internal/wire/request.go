package wire

import (
	"errors"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A Request asks for a pack.
type Request struct {
	Wants    []object.Hash
	Haves    []object.Hash // commits whose objects are here
	Shallows []object.Hash // commits whose parents are not
	Depth    int           // of history; zero is all of it
	Filter   string        // such as "blob:none"; the server has to be able to filter
	Thin     bool          // deltas may be against objects of Haves
}

// ErrUnable means that the server lacks what every request here needs.
var ErrUnable = errors.New("the server is too old")

// Encode returns the request in version 0, which is asked with what the server has said it can do.
func (q Request) Encode(can Capabilities) ([]byte, error) {
	if !can.Has("side-band-64k") {
		return nil, errors.Join(ErrUnable, errors.New("it cannot mix errors into a pack (side-band-64k)"))
	}
	if q.Depth > 0 && !can.Has("shallow") {
		return nil, errors.Join(ErrUnable, errors.New("it cannot give a commit without its history (shallow)"))
	}
	var m message
	wish := q.wishes(can)
	for i, want := range q.Wants {
		if i > 0 {
			wish = ""
		}
		m.line("want %s%s", want, wish)
	}
	for _, h := range q.Shallows {
		m.line("shallow %s", h)
	}
	if q.Depth > 0 {
		m.line("deepen %d", q.Depth)
	}
	if q.Filter != "" {
		m.line("filter %s", q.Filter)
	}
	m.flush()
	for _, h := range q.Haves {
		m.line("have %s", h)
	}
	m.line("done")
	return m, nil
}

// wishes are the capabilities that are asked for, of those that the server has.
func (q Request) wishes(can Capabilities) string {
	all := " side-band-64k"
	for _, w := range []struct {
		name string
		want bool
	}{
		{"shallow", q.Depth > 0 || len(q.Shallows) > 0},
		{"ofs-delta", true},
		{"no-progress", true},
		// Nothing is negotiated, but Azure DevOps refuses clients without it.
		{"multi_ack_detailed", true},
		{"thin-pack", q.Thin},
		{"filter", q.Filter != ""},
	} {
		if w.want && can.Has(w.name) {
			all += " " + w.name
		}
	}
	if can.Has("agent") {
		all += " agent=" + agent
	}
	return all
}

// EncodeV2 returns the request in version 2.
func (q Request) EncodeV2() []byte {
	var m message
	m.line("command=fetch")
	m.line("agent=%s", agent)
	m.line("object-format=sha1")
	m.delim()
	if q.Thin {
		m.line("thin-pack")
	}
	m.line("no-progress")
	m.line("ofs-delta")
	for _, h := range q.Shallows {
		m.line("shallow %s", h)
	}
	if q.Depth > 0 {
		m.line("deepen %d", q.Depth)
	}
	if q.Filter != "" {
		m.line("filter %s", q.Filter)
	}
	for _, h := range q.Wants {
		m.line("want %s", h)
	}
	for _, h := range q.Haves {
		m.line("have %s", h)
	}
	m.line("done")
	m.flush()
	return m
}
