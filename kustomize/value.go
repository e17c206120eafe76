package kustomize

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// toObject converts a YAML mapping into the form that apimachinery's unstructured objects have: maps with string keys,
// slices, and string, bool, int64, float64 or nil at the leaves. Nothing in it is shared with the node.
//
// The values are those that kustomize prints: it writes YAML, reads it back, writes JSON, and kubectl reads that. Here it
// is one walk over the nodes. A number without a fraction is an int64 if it fits in one, be it spelt 8, 0x8, 8.0 or 8e0.
func toObject(n *yaml.Node) (map[string]any, error) {
	whole := n // with the comments at its ends
	if n != nil && n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%w: it is %s", ErrNotObject, kindName(n))
	}
	m, err := toMap(n, false)
	if errors.Is(err, errReprint) {
		return reprinted(whole)
	}
	return m, err
}

// toValue is told whether n stands in flow style, {a: b} or [a, b], or in something that does. Nothing at all is null, but
// there kustomize prints it as the empty string.
func toValue(n *yaml.Node, flow bool) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return toMap(n, flow)
	case yaml.SequenceNode:
		return toSlice(n, flow)
	case yaml.ScalarNode:
		if flow && n.Value == "" && n.Tag == yaml.NodeTagNull && n.Style == 0 {
			return "", nil
		}
		return toScalar(n)
	}
	return nil, atLine(n.Line, fmt.Errorf("cannot take %s for a value", kindName(n)))
}

func toMap(n *yaml.Node, flow bool) (map[string]any, error) {
	flow = flow || n.Style&yaml.FlowStyle != 0
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, node := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != yaml.NodeTagString {
			return nil, atLine(key.Line, fmt.Errorf("key %q is not a string; quote it", key.Value))
		}
		if _, ok := m[key.Value]; ok {
			return nil, atLine(key.Line, fmt.Errorf("key %q is there twice", key.Value))
		}
		v, err := toValue(node, flow)
		if err != nil {
			return nil, err
		}
		m[key.Value] = v
	}
	return m, nil
}

func toSlice(n *yaml.Node, flow bool) ([]any, error) {
	flow = flow || n.Style&yaml.FlowStyle != 0
	s := make([]any, len(n.Content))
	for i, node := range n.Content {
		v, err := toValue(node, flow)
		if err != nil {
			return nil, err
		}
		s[i] = v
	}
	return s, nil
}

// toScalar takes the common cases by the tag that the parser left, and leaves the others to the YAML package.
func toScalar(n *yaml.Node) (any, error) {
	switch n.Tag {
	case yaml.NodeTagString:
		if changesInPrint(n) {
			return nil, errReprint
		}
		return n.Value, nil
	case yaml.NodeTagInt, yaml.NodeTagBool, yaml.NodeTagFloat, yaml.NodeTagNull:
		// Kustomize puts numbers where a text was and leaves the quotes, which is a text again once it is printed.
		if n.Style&^(yaml.TaggedStyle|yaml.FlowStyle) != 0 && n.Style&yaml.TaggedStyle == 0 {
			return n.Value, nil
		}
	}
	switch n.Tag {
	case yaml.NodeTagBool:
		if n.Value == "true" || n.Value == "false" {
			return n.Value == "true", nil
		}
	case yaml.NodeTagInt:
		// A leading zero is for the YAML package: 017 is 15.
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil && strconv.FormatInt(i, 10) == n.Value {
			return i, nil
		}
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, atLine(n.Line, fmt.Errorf("a value is not of its type, %s", strings.TrimPrefix(n.ShortTag(), "!!")))
	}
	v, err := plainScalar(v)
	if err != nil {
		return nil, atLine(n.Line, err)
	}
	return v, nil
}

// changesInPrint says whether a text may not survive being printed and read again, which is what kustomize does with it last.
// The printer of the YAML package puts in line breaks where lines of a folded text (">") are indented, mixes up the blank
// lines at the end of a block with the comment that follows, and prints what cannot be read where a block begins with a tab.
func changesInPrint(n *yaml.Node) bool {
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 || n.Value == "" {
		return false
	}
	if n.Style&yaml.FoldedStyle != 0 {
		return strings.ContainsAny(n.Value, " \t\n")
	}
	block := n.Style&yaml.LiteralStyle != 0 || strings.Contains(n.Value, "\n")
	return block && (strings.ContainsAny(n.Value[:1], " \t\n") || strings.HasSuffix(n.Value, "\n\n"))
}

// errReprint says that an object holds such a text.
var errReprint = errors.New("a text may change when it is printed")

// reprinted is an object that holds such texts, after it has been printed and read.
func reprinted(n *yaml.Node) (map[string]any, error) {
	text, err := yaml.NewRNode(n).String()
	var read yaml.Node
	if err == nil {
		err = yaml.Unmarshal([]byte(text), &read)
	}
	if err != nil || len(read.Content) != 1 {
		return nil, atLine(n.Line, &reason{text: "kustomize cannot print a text that begins with a tab; quote it", original: err})
	}
	quoteTexts(&read)
	m, err := toMap(read.Content[0], false)
	var e *Error
	if errors.As(err, &e) {
		err = atLine(n.Line, e.Err)
	}
	return m, err
}

// quoteTexts has the texts below n survive, and what is nothing be null: kustomize unfolds most lists by way of JSON, in which
// they are.
func quoteTexts(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && changesInPrint(n) {
		n.Style = yaml.DoubleQuotedStyle
	}
	if n.Kind == yaml.ScalarNode && n.Tag == yaml.NodeTagNull && n.Value == "" {
		n.Value = "null"
	}
	for _, child := range n.Content {
		quoteTexts(child)
	}
}

// plainScalar turns what the YAML package makes of a scalar into what unstructured objects may hold.
func plainScalar(v any) (any, error) {
	switch v := v.(type) {
	case nil, string, bool, int64:
		return v, nil
	case int:
		return int64(v), nil
	case uint64:
		return float64(v), nil
	case float64:
		return plainFloat(v)
	case time.Time:
		text, err := v.MarshalText()
		return string(text), err
	}
	return nil, fmt.Errorf("cannot take a %T for a value", v)
}

// plainFloat goes through JSON, since the int64 of a float64 is what JSON's text of it says.
func plainFloat(f float64) (any, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("%v is not a number in JSON", f)
	}
	if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return i, nil
	}
	return f, nil
}

func kindName(n *yaml.Node) string {
	if n == nil {
		return "empty"
	}
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		return "a plain value"
	case yaml.AliasNode:
		return "an alias"
	}
	return "not a value"
}

// stringAnnotations makes strings of annotations that are spelt as something else, as kustomize does on its way out. It also
// forgets how they were spelt, which counts for changesInPrint.
func stringAnnotations(object *yaml.Node) {
	annotations := field(field(object, "metadata"), "annotations")
	if annotations == nil || annotations.Kind != yaml.MappingNode {
		return
	}
	for i := 1; i < len(annotations.Content); i += 2 {
		if n := annotations.Content[i]; n.Tag != yaml.NodeTagString || n.Style != 0 {
			annotations.Content[i] = &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: n.Value}
		}
	}
}

func field(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}
