package kustomize

import (
	"strconv"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// nodeWriter makes YAML nodes of an object, and the object of the nodes, with one node for a shared text.
type nodeWriter struct {
	nodes map[*sharedText]*yaml.Node
	texts map[*yaml.Node]*sharedText
}

func (w *nodeWriter) node(value any) *yaml.Node {
	switch v := value.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: yaml.NodeTagMap, Content: make([]*yaml.Node, 0, 2*len(v))}
		for key, child := range v {
			n.Content = append(n.Content, scalarNode(yaml.NodeTagString, key), w.node(child))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: yaml.NodeTagSeq, Content: make([]*yaml.Node, len(v))}
		for i, child := range v {
			n.Content[i] = w.node(child)
		}
		return n
	case string:
		return scalarNode(yaml.NodeTagString, v)
	case int64:
		return scalarNode(yaml.NodeTagInt, strconv.FormatInt(v, 10))
	case float64:
		return scalarNode(yaml.NodeTagFloat, strconv.FormatFloat(v, 'g', -1, 64))
	case bool:
		return scalarNode(yaml.NodeTagBool, strconv.FormatBool(v))
	case *sharedText:
		return w.shared(v)
	}
	return scalarNode(yaml.NodeTagNull, "null")
}

func scalarNode(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

func (w *nodeWriter) shared(s *sharedText) *yaml.Node {
	n, ok := w.nodes[s]
	if !ok {
		if w.nodes == nil {
			w.nodes, w.texts = map[*sharedText]*yaml.Node{}, map[*yaml.Node]*sharedText{}
		}
		n = scalarNode(yaml.NodeTagString, s.text)
		w.nodes[s], w.texts[n] = n, s
	}
	return n
}

// value is toValue but for shared texts.
func (w *nodeWriter) value(n *yaml.Node) (any, error) {
	if len(w.texts) == 0 {
		return toValue(n, false)
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := w.value(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			m[n.Content[i].Value] = v
		}
		return m, nil
	case yaml.SequenceNode:
		s := make([]any, len(n.Content))
		for i, child := range n.Content {
			v, err := w.value(child)
			if err != nil {
				return nil, err
			}
			s[i] = v
		}
		return s, nil
	}
	v, err := toValue(n, false)
	s, ok := w.texts[n]
	if !ok || err != nil {
		return v, err
	}
	text, ok := v.(string)
	if !ok {
		return nil, errUnsure
	}
	s.text = text
	return s, nil
}
