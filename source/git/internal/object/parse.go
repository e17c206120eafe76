package object

import (
	"bytes"
	"errors"
	"fmt"
)

// TreeOf reads the root folder's hash from a commit, whose first line has it.
func TreeOf(commit []byte) (Hash, error) {
	line, _, _ := bytes.Cut(commit, []byte("\n"))
	encoded, ok := bytes.CutPrefix(line, []byte("tree "))
	if !ok {
		return Hash{}, errors.New("malformed commit: it does not start with its tree")
	}
	hash, err := ParseHash(string(encoded))
	if err != nil {
		return Hash{}, fmt.Errorf("malformed commit: its tree: %w", err)
	}
	return hash, nil
}

// A Target is what an annotated tag stands for, and the name that it has in itself.
type Target struct {
	Hash Hash
	Kind Kind
	Name string
}

// TargetOf reads the head of an annotated tag: its object, type and tag lines, in this order.
func TargetOf(tag []byte) (Target, error) {
	var t Target
	var values [3]string
	rest := tag
	for i, key := range []string{"object ", "type ", "tag "} {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		value, ok := bytes.CutPrefix(line, []byte(key))
		if !ok {
			return t, fmt.Errorf("malformed tag: its line %d is not %q", i+1, key)
		}
		values[i] = string(value)
	}
	hash, err := ParseHash(values[0])
	if err != nil {
		return t, fmt.Errorf("malformed tag: its object: %w", err)
	}
	for k := Commit; k <= Tag; k++ {
		if k.String() == values[1] {
			return Target{Hash: hash, Kind: k, Name: values[2]}, nil
		}
	}
	return t, fmt.Errorf("malformed tag: it is of a %.20q", values[1])
}

// An Entry is a line of a tree: mode, space, name, NUL, and the hash as bytes.
type Entry struct {
	Mode, Name string
	Hash       Hash
}

// IsFolder reports whether the entry is a tree. Old tools wrote its mode with a zero in front.
func (e Entry) IsFolder() bool { return e.Mode == ModeFolder || e.Mode == "0"+ModeFolder }

// The modes of entries. Files have others too, which start with 100.
const (
	ModeFile      = "100644"
	ModeFolder    = "40000"
	ModeSymlink   = "120000"
	ModeSubmodule = "160000"
)

// NextEntry cuts the first entry off a tree's body.
func NextEntry(body []byte) (Entry, []byte, error) {
	var e Entry
	mode, rest, ok := bytes.Cut(body, []byte(" "))
	name, rest, found := bytes.Cut(rest, []byte{0})
	if !ok || !found || len(rest) < len(e.Hash) {
		return e, nil, errors.New("malformed tree")
	}
	e.Mode, e.Name = modeOf(mode), string(name)
	copy(e.Hash[:], rest)
	return e, rest[len(e.Hash):], nil
}

// modeOf takes no memory for the modes that nearly all entries have.
func modeOf(mode []byte) string {
	switch string(mode) {
	case ModeFile:
		return ModeFile
	case ModeFolder:
		return ModeFolder
	}
	return string(mode)
}
