package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// weight is what a YAML document comes to once its aliases are replaced by what they stand for.
type weight struct {
	bytes int64 // of its text, roughly
	nodes int64
	work  int64 // see Options.MaxWork

	spelling spelling
}

// nodeBytes is what a node counts for beside its text. It stands for indentation and punctuation, and keeps a document of
// nothing but tiny nodes from costing much more memory than the limit says.
const nodeBytes = 16

func (w weight) plus(other weight) weight {
	return weight{
		added(w.bytes, other.bytes), added(w.nodes, other.nodes), added(w.work, other.work), max(w.spelling, other.spelling),
	}
}

// added is a sum that stays at the largest number.
func added(a, b int64) int64 { return a + min(b, math.MaxInt64-a) }

// scale weighs nodes. It has to come before kyaml, which replaces each alias by a copy of its anchor without a bound: a few
// lines become gigabytes ("billion laughs"), and an anchor with an alias to itself inside overflows the stack, which ends
// the process. Then kyaml copies each map with all that is in it, key by key, whether there are aliases in it or not.
type scale struct {
	known   map[*yaml.Node]weight // of anchored nodes
	open    map[*yaml.Node]bool   // those being weighed
	aliases bool                  // there are some
}

func (s *scale) weigh(n *yaml.Node) (weight, error) {
	if n.Kind == yaml.AliasNode {
		s.aliases = true
		n = n.Alias
	}
	if n.Anchor == "" {
		return s.weighContent(n)
	}
	if s.open[n] {
		return weight{}, fmt.Errorf("%w: alias %s stands inside its own anchor", ErrCycle, shown(n.Anchor))
	}
	if w, ok := s.known[n]; ok {
		return w, nil
	}
	if s.open == nil {
		s.known, s.open = map[*yaml.Node]weight{}, map[*yaml.Node]bool{}
	}
	s.open[n] = true
	w, err := s.weighContent(n)
	s.known[n] = w
	delete(s.open, n)
	return w, err
}

func (s *scale) weighContent(n *yaml.Node) (weight, error) {
	w := weight{bytes: int64(len(n.Value)) + nodeBytes, nodes: 1, spelling: spellingOf(n)}
	for _, child := range n.Content {
		c, err := s.weigh(child)
		if err != nil {
			return weight{}, err
		}
		w = w.plus(c)
	}
	if n.Kind == yaml.MappingNode {
		keys := int64(len(n.Content) / 2)
		w.work = added(w.work, added(w.nodes, keys*keys/64))
	}
	return w, nil
}

// next parses and weighs the next document of a piece of a file. It returns io.EOF if there is none.
func (d document) next(decoder *yaml.Decoder, limit int64) (*yaml.Node, weight, bool, error) {
	var n yaml.Node
	if err := decoder.Decode(&n); err == io.EOF {
		return nil, weight{}, false, io.EOF
	} else if err != nil {
		return nil, weight{}, false, d.syntaxError(err)
	}
	var s scale
	w, err := s.weigh(&n)
	if err != nil {
		return nil, w, false, d.at(n.Line, err)
	}
	if s.aliases && w.bytes > limit {
		return nil, w, true, d.at(n.Line, fmt.Errorf(
			"%w: with its aliases expanded it has more than %d bytes (Options.MaxFileBytes)", ErrTooLarge, limit))
	}
	return &n, w, s.aliases, nil
}

// guardYAML weighs YAML that kustomize is to parse, every document of it. The error has a line, but no file yet.
func guardYAML(content []byte, limit int64) (work int64, err error) {
	if err := guardText(content); err != nil {
		return 0, err
	}
	for _, doc := range splitDocuments(content) {
		for decoder := yaml.NewDecoder(bytes.NewReader(doc.text)); ; {
			_, w, _, err := doc.next(decoder, limit)
			if err == io.EOF {
				break
			}
			if err != nil {
				return 0, err
			}
			work = added(work, w.work)
		}
	}
	return work, nil
}

// guardText refuses what is not UTF-8: YAML may be in UTF-16, and would hide there from the checks that look for characters.
func guardText(content []byte) error {
	if !utf8.Valid(content) {
		return errors.New("is not UTF-8 text")
	}
	return nil
}
