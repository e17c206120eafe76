package kustomize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// manifest is a file that a kustomization lists as a resource, and the objects in it.
type manifest struct {
	file     string
	objects  []map[string]any
	work     int64 // to parse it, for kustomize
	spelling spelling
}

// parser reads manifests.
type parser struct {
	factory *resource.Factory
	bounds  Options
}

func newParser(limits Options) *parser {
	return &parser{factory: provider.NewDefaultDepProvider().GetResourceFactory(), bounds: limits}
}

// manifest returns the objects in a file, as kustomize reads them and in its order. An empty document is none; one that is
// not an object is an error, as are values that JSON does not have: a key that is a number, a key that is there twice, NaN.
//
// These checks also come before kustomize for its own good. It prints the objects when it finds an ambiguous reference, and
// ends the process with log.Fatal when one cannot be printed.
func (p *parser) manifest(content []byte) (m manifest, err error) {
	if err := guardText(content); err != nil {
		return m, err
	}
	if err := guardLoss(content); err != nil {
		return m, err
	}
	docs := splitDocuments(content)
	for i, doc := range docs {
		n, w, err := p.node(doc)
		var found []map[string]any
		if err == nil && n != nil {
			found, err = doc.objects(n, len(docs) == 1)
		}
		if err != nil {
			return m, inDocument(i, len(docs), err)
		}
		m.objects = append(m.objects, found...)
		m.work = added(m.work, w.work)
		m.spelling = max(m.spelling, w.spelling)
	}
	m.objects, err = expandLists(m.objects)
	return m, err
}

// node parses a document and replaces its aliases. It returns nil if the document is empty.
func (p *parser) node(d document) (n *yaml.Node, w weight, err error) {
	defer recoverTo(&err)
	if err := d.separatorError(); err != nil {
		return nil, weight{}, err
	}
	parsed, w, aliases, err := d.next(yaml.NewDecoder(bytes.NewReader(d.text)), p.bounds.MaxFileBytes)
	if err == io.EOF {
		return nil, weight{}, nil
	}
	if err != nil || yaml.IsYNodeEmptyDoc(parsed) || len(parsed.Content) == 0 || yaml.IsYNodeNilOrEmpty(parsed.Content[0]) {
		return nil, w, err
	}
	rn := yaml.NewRNode(parsed.Content[0])
	if !aliases {
		return rn.YNode(), w, nil
	}
	if err := p.bounds.checkWork(w.work); err != nil {
		return nil, weight{}, d.at(1, err)
	}
	if err := rn.DeAnchor(); err != nil {
		return nil, weight{}, d.at(1, &reason{text: firstLine(err.Error()), original: err})
	}
	return rn.YNode(), w, nil
}

// objects returns what is in the document that is parsed as n: one object or one list, or, where it is all that its file has,
// the items of a list.
func (d document) objects(n *yaml.Node, alone bool) ([]map[string]any, error) {
	nodes := []*yaml.Node{n}
	items := field(n, "items")
	unwrapped := alone && items != nil && items.Kind == yaml.SequenceNode && isUnwrapped(field(n, "kind"))
	if unwrapped {
		nodes = items.Content
	}
	var objects []map[string]any
	for i, node := range nodes {
		if node.Kind == yaml.MappingNode && len(node.Content) == 0 || node.Tag == yaml.NodeTagNull {
			continue
		}
		m, err := toManifest(node)
		if err != nil && unwrapped {
			err = inItem(i, err)
		}
		if err != nil {
			return nil, d.at(node.Line, err)
		}
		objects = append(objects, m)
	}
	return objects, nil
}

// isUnwrapped names the lists that kustomize unwraps when it reads a file, other than those that it expands later. The
// former keep the spelling of their annotations.
func isUnwrapped(kind *yaml.Node) bool {
	return kind != nil && (kind.Value == "List" || kind.Value == "ResourceList")
}

func toManifest(n *yaml.Node) (map[string]any, error) {
	stringAnnotations(n)
	if kind := field(n, "kind"); kind != nil && strings.HasSuffix(kind.Value, "List") && field(n, "items") != nil {
		quoteTexts(n)
	}
	m, err := toObject(n)
	if err != nil || isList(m) {
		return m, err
	}
	return m, checkObject(m)
}

// isList says whether m is a list of objects, such as List, ConfigMapList. A kind may end in "List" without being one.
func isList(m map[string]any) bool {
	kind, _ := m["kind"].(string)
	_, ok := m["items"]
	return ok && strings.HasSuffix(kind, "List")
}

// expandLists replaces lists by their items, which come behind the objects that are there already.
func expandLists(queue []map[string]any) ([]map[string]any, error) {
	objects := queue[:0:0]
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		if !isList(m) {
			objects = append(objects, m)
			continue
		}
		items, ok := m["items"].([]any)
		if !ok && m["items"] != nil {
			return nil, fmt.Errorf("%w: the items of a %s are not a list", ErrNotObject, m["kind"])
		}
		for i, item := range items {
			o, err := listItem(item)
			if err != nil {
				return nil, inItem(i, err)
			}
			if o != nil {
				queue = append(queue, o)
			}
		}
	}
	return objects, nil
}

// listItem returns nil for an empty item.
func listItem(item any) (map[string]any, error) {
	m, ok := item.(map[string]any)
	if item == nil || ok && len(m) == 0 {
		return nil, nil
	}
	if !ok {
		return nil, fmt.Errorf("%w: it is not a map", ErrNotObject)
	}
	metadata, _ := m["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	for key, value := range annotations {
		annotations[key] = annotationText(value)
	}
	if isList(m) {
		return m, nil
	}
	return m, checkObject(m)
}

// annotationText is what kustomize makes of an annotation that is not a string, in a list that has been through JSON.
func annotationText(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case map[string]any, []any:
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}

func inItem(i int, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return atLine(e.Line, fmt.Errorf("items[%d]: %w", i, e.Err))
	}
	return fmt.Errorf("items[%d]: %w", i, err)
}

func inDocument(i, n int, err error) error {
	var e *Error
	if n == 1 || !errors.As(err, &e) {
		return err
	}
	return atLine(e.Line, fmt.Errorf("document %d: %w", i+1, e.Err))
}

// nodes is kustomize's own reading of a YAML stream, after what it would cost has been looked at.
func (s *scanner) nodes(content []byte) (nodes []*yaml.RNode, err error) {
	defer recoverTo(&err)
	work, err := guardYAML(content, s.limits.MaxFileBytes)
	if err != nil {
		return nil, err
	}
	s.work = added(s.work, work)
	if err := s.limits.checkWork(s.work); err != nil {
		return nil, err
	}
	return s.factory.RNodesFromBytes(content)
}
