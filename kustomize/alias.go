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

// guardYAML refuses YAML that would do harm before anything has looked at what it means. It has to come before kyaml, which
// replaces each alias by a copy of its anchor without a bound: a few lines become gigabytes ("billion laughs"), and an
// anchor with an alias to itself inside overflows the stack, which ends the process.
//
// The error has a line, but no file yet.
func guardYAML(content []byte, limit int64) error {
	// UTF-16, which a YAML document may be in, would hide the characters that the checks below look for.
	if !utf8.Valid(content) {
		return errors.New("is not UTF-8 text")
	}
	if !mayAlias(content) {
		return nil
	}
	for _, doc := range splitDocuments(content) {
		if err := guardAliases(doc, limit); err != nil {
			return err
		}
	}
	return nil
}

// mayAlias is a cheap test with false alarms: an anchor and an alias, side by side with whatever looks like them.
func mayAlias(content []byte) bool {
	return hasIndicator(content, '&') && hasIndicator(content, '*')
}

func hasIndicator(content []byte, indicator byte) bool {
	for {
		i := bytes.IndexByte(content, indicator)
		if i < 0 || i+1 == len(content) {
			return false
		}
		content = content[i+1:]
		if c := content[0]; c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' {
			return true
		}
	}
}

func guardAliases(doc document, limit int64) error {
	decoder := yaml.NewDecoder(bytes.NewReader(doc.text))
	for {
		var n yaml.Node
		err := decoder.Decode(&n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return doc.syntaxError(err)
		}
		size, err := (&expansion{sizes: map[*yaml.Node]int64{}}).of(&n)
		if err != nil {
			return atLine(doc.line+n.Line-1, err)
		}
		if size > limit {
			return atLine(doc.line+n.Line-1, fmt.Errorf(
				"%w: with its aliases expanded it has more than %d bytes (Options.MaxFileBytes)", ErrTooLarge, limit))
		}
	}
}

// expansion works out how large a node is once its aliases are replaced by what they stand for.
type expansion struct {
	sizes map[*yaml.Node]int64 // of anchored nodes; unfinished while one is being worked out
}

const unfinished = -1

// nodeBytes is what a node counts for beside its text. It stands for indentation and punctuation, and keeps a document of
// nothing but tiny nodes from costing much more memory than the limit says.
const nodeBytes = 16

func (e *expansion) of(n *yaml.Node) (int64, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	size, ok := e.sizes[n]
	if ok && size == unfinished {
		return 0, fmt.Errorf("alias %q stands inside its own anchor", n.Anchor)
	}
	if ok {
		return size, nil
	}
	if n.Anchor != "" {
		e.sizes[n] = unfinished
	}
	size = int64(len(n.Value)) + nodeBytes
	for _, child := range n.Content {
		s, err := e.of(child)
		if err != nil {
			return 0, err
		}
		size += min(s, math.MaxInt64-size)
	}
	if n.Anchor != "" {
		e.sizes[n] = size
	}
	return size, nil
}
