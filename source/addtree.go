package source

import (
	"fmt"
	"math"
	"strings"
)

// LimitsBelow returns what is left of the tree's limits for another one that is to be added under name. It is a [*LimitError]
// if nothing is left.
func (t *Tree) LimitsBelow(name string) (Limits, error) {
	if err := t.admit(name, 0); err != nil {
		return Limits{}, err
	}
	elements := strings.Count(name, "/") + 1
	left := t.limits // zero would mean the default
	left.MaxFiles -= t.count + elements
	left.MaxBytes -= t.bytes
	left.MaxPathBytes -= len(name) + 1
	left.MaxDepth -= elements
	switch {
	case left.MaxFiles <= 0:
		return Limits{}, t.crossed("MaxFiles", int64(t.limits.MaxFiles), name)
	case left.MaxBytes <= 0:
		return Limits{}, t.crossed("MaxBytes", t.limits.MaxBytes, name)
	case left.MaxPathBytes <= 0:
		return Limits{}, t.crossed("MaxPathBytes", int64(t.limits.MaxPathBytes), name)
	case left.MaxDepth <= 0:
		return Limits{}, t.crossed("MaxDepth", int64(t.limits.MaxDepth), name)
	}
	return left, nil
}

// AddTree adds a folder with all that another tree has, its identities and what it withholds included. The other tree is this
// one's from then on, and nothing can be added to it. Without anything in it there is no such folder.
func (t *Tree) AddTree(name string, added *Tree) error {
	switch {
	case added.sealed:
		return fmt.Errorf("adding the tree of %q: %w", name, errSealed)
	case added.count == 0:
		return nil
	case added.bytes > math.MaxInt64-t.bytes || t.bytes+added.bytes > t.limits.MaxBytes:
		return t.crossed("MaxBytes", t.limits.MaxBytes, name)
	case added.count > t.limits.MaxFiles-t.count:
		return t.crossed("MaxFiles", int64(t.limits.MaxFiles), name)
	}
	if err := t.admit(name, 0); err != nil {
		return err
	}
	if err := t.admitBelow(name, added.root); err != nil {
		return err
	}
	t.count += added.count
	if err := t.insert(name, added.root); err != nil {
		t.count -= added.count
		return err
	}
	added.sealed = true
	t.bytes += added.bytes
	return nil
}

// admitBelow checks each thing that is to stand below name by itself.
func (t *Tree) admitBelow(name string, folder *node) error {
	for _, child := range folder.children {
		path := name + "/" + child.name
		if err := t.admit(path, child.size); err != nil {
			return err
		}
		if err := t.admitBelow(path, child); err != nil {
			return err
		}
	}
	return nil
}
