package wire

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// ErrObjectFormat means that the repository's hashes are not SHA-1.
var ErrObjectFormat = errors.New("the repository's object format is not sha1, which alone is supported")

// A Ref is a branch, a tag or another reference by its full name, or HEAD. Peeled is what an annotated tag stands for in
// the end; it is zero for everything else.
type Ref struct {
	Name         string
	Hash, Peeled object.Hash
}

// An Advertisement is a server's first answer: in version 0 the references too, as far as they are kept.
type Advertisement struct {
	Version      int
	Refs         []Ref
	Head         string // the full name of the branch that HEAD is, where the server says it
	Branches     int    // how many the server listed, kept or not
	Tags         int    // how many, too
	Empty        bool   // the server listed no reference at all; in version 2 it lists only those that it is asked for
	Capabilities Capabilities
}

// Capabilities are what a server can do, by name, with the values that it gave each.
type Capabilities map[string][]string

// Has reports whether the server can do what is named.
func (c Capabilities) Has(name string) bool { return len(c[name]) > 0 }

// HasWord reports whether a value of what is named has a word, as "fetch" has "filter" in version 2.
func (c Capabilities) HasWord(name, word string) bool {
	return slices.ContainsFunc(c[name], func(v string) bool { return slices.Contains(strings.Fields(v), word) })
}

func (c Capabilities) add(text string) {
	name, value, _ := strings.Cut(text, "=")
	c[name] = append(c[name], value)
}

// Find returns a kept reference by its full name.
func (a *Advertisement) Find(name string) (Ref, bool) {
	for _, r := range a.Refs {
		if r.Name == name {
			return r, true
		}
	}
	return Ref{}, false
}

// ReadAdvertisement reads the first answer and keeps the references that keep says by their full names.
func ReadAdvertisement(r io.Reader, keep func(name string) bool) (*Advertisement, error) {
	l := &listing{lines: newLineReader(r), keep: keep, made: &Advertisement{Empty: true, Capabilities: make(Capabilities)}}
	err := l.read()
	if err == io.EOF {
		err = fmt.Errorf("the server ends before it has said anything: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, err
	}
	if format := l.made.Capabilities["object-format"]; len(format) > 0 && format[0] != "sha1" {
		return nil, fmt.Errorf("%w: it is %.20q", ErrObjectFormat, format[0])
	}
	return l.made, nil
}

// A listing is being read.
type listing struct {
	lines *lineReader
	keep  func(string) bool
	made  *Advertisement
}

func (l *listing) read() error {
	line, what, err := l.lines.text()
	if err == nil && what == data && strings.HasPrefix(line, "# service=") { // over HTTP
		if _, what, err = l.lines.next(); err == nil && what != flush {
			return fmt.Errorf("%w: no flush after the name of the service", ErrMalformed)
		}
		if err == nil {
			line, what, err = l.lines.text()
		}
	}
	switch {
	case err != nil:
		return err
	case what == data && line == "version 2":
		l.made.Version = 2
		return l.capabilities()
	case what == data && line == "version 1":
		if line, what, err = l.lines.text(); err != nil {
			return unexpected(err)
		}
	}
	for first := true; what == data; first = false {
		if err := l.reference(line, first); err != nil {
			return err
		}
		if line, what, err = l.lines.text(); err != nil {
			return unexpected(err)
		}
	}
	return nil
}

// maxCapabilities is far more than any server has, and bounds what a list of them makes this process hold.
const maxCapabilities = 1000

// capabilities reads those of version 2, one in each line.
func (l *listing) capabilities() error {
	for range maxCapabilities {
		line, what, err := l.lines.text()
		if err != nil {
			return unexpected(err)
		}
		if what == flush {
			return nil
		}
		l.made.Capabilities.add(line)
	}
	return fmt.Errorf("%w: more than %d capabilities", ErrMalformed, maxCapabilities)
}

// reference reads "hash name", which in the first line NUL and the capabilities follow.
func (l *listing) reference(line string, first bool) error {
	if first {
		var after string
		line, after, _ = strings.Cut(line, "\x00")
		for _, c := range strings.Fields(after) {
			l.made.Capabilities.add(c)
		}
		for _, symbolic := range l.made.Capabilities["symref"] {
			if branch, ok := strings.CutPrefix(symbolic, "HEAD:"); ok && isRefName(branch) {
				l.made.Head = branch
			}
		}
	}
	encoded, name, ok := strings.Cut(line, " ")
	switch {
	case ok && encoded == "shallow": // the repository itself lacks history
		return nil
	case ok && len(encoded) == 64:
		return fmt.Errorf("%w: it has hashes of 64 digits", ErrObjectFormat)
	}
	hash, err := object.ParseHash(encoded)
	if err != nil || !ok {
		return fmt.Errorf("%w: %q is not a reference", ErrMalformed, line)
	}
	if name == "capabilities^{}" {
		return nil // stands for none
	}
	l.made.Empty = false
	l.take(hash, name)
	return nil
}

func (l *listing) take(hash object.Hash, name string) {
	if tag, ok := strings.CutSuffix(name, "^{}"); ok {
		if n := len(l.made.Refs); n > 0 && l.made.Refs[n-1].Name == tag {
			l.made.Refs[n-1].Peeled = hash
		}
		return
	}
	l.made.count(name)
	if isKept(name, l.keep) {
		l.made.Refs = append(l.made.Refs, Ref{Name: name, Hash: hash})
	}
}

func (a *Advertisement) count(name string) {
	switch {
	case strings.HasPrefix(name, "refs/heads/"):
		a.Branches++
	case strings.HasPrefix(name, "refs/tags/"):
		a.Tags++
	}
}
