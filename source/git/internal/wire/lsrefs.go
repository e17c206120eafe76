package wire

import (
	"fmt"
	"io"
	"strings"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// agent is what this client calls itself. Some servers answer only to names that start with git/.
const agent = "git/gitopskit"

// ListRefs is the question of version 2 for the references that start with one of prefixes.
func ListRefs(prefixes []string) []byte {
	var m message
	m.line("command=ls-refs")
	m.line("agent=%s", agent)
	m.line("object-format=sha1")
	m.delim()
	m.line("peel")
	m.line("symrefs")
	for _, p := range prefixes {
		m.line("ref-prefix %s", p)
	}
	m.flush()
	return m
}

// ReadRefs reads the answer to ListRefs into a, and keeps the references that keep says.
func (a *Advertisement) ReadRefs(r io.Reader, keep func(name string) bool) error {
	lines := newLineReader(r)
	for {
		line, what, err := lines.text()
		if err != nil {
			return unexpected(err)
		}
		if what != data {
			return nil
		}
		if err := a.listed(line, keep); err != nil {
			return err
		}
	}
}

// listed reads "hash name", "hash name symref-target:branch" or "hash name peeled:hash".
func (a *Advertisement) listed(line string, keep func(string) bool) error {
	fields := strings.Split(line, " ")
	if fields[0] == "unborn" {
		return nil
	}
	hash, err := object.ParseHash(fields[0])
	if err != nil || len(fields) < 2 {
		return fmt.Errorf("%w: %q is not a reference", ErrMalformed, line)
	}
	a.Empty = false
	ref := Ref{Name: fields[1], Hash: hash}
	for _, more := range fields[2:] {
		if target, ok := strings.CutPrefix(more, "symref-target:"); ok && ref.Name == "HEAD" && isRefName(target) {
			a.Head = target
		}
		if peeled, ok := strings.CutPrefix(more, "peeled:"); ok {
			if ref.Peeled, err = object.ParseHash(peeled); err != nil {
				return fmt.Errorf("%w: %w", ErrMalformed, err)
			}
		}
	}
	a.count(ref.Name)
	if isKept(ref.Name, keep) {
		a.Refs = append(a.Refs, ref)
	}
	return nil
}
