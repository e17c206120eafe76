package kustomize

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/utils"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// printing finds what may not survive being printed by kustomize, which forgets how keys and texts were quoted where it sets
// them itself: the key "9000" of a literal becomes a number, which JSON has no key of. An object like that is an error where it
// is printed, and the end of the process where that happens in the text of another error. So the build is rehearsed.
//
// Where a generated ConfigMap or Secret is merged into another, kustomize sets all keys of both, and ends the process
// where one is empty. No rehearsal would get past that.
type printing struct {
	merging bool // a generator merges
	odd     bool // there is such a key or text
	empty   bool // there is an empty key
}

// printable looks at what a kustomization says of itself.
func (s *scanner) printable(k *kustomization) error {
	content, err := json.Marshal(k.Kustomization)
	if err != nil {
		return err
	}
	var fields map[string]any
	if err := json.Unmarshal(content, &fields); err != nil {
		return err
	}
	var p printing
	p.value(fields)
	for _, l := range k.Labels {
		for _, f := range l.FieldSpecs {
			p.odd = p.odd || f.CreateIfNotPresent // a key of its own
		}
	}
	for i := range k.ConfigMapGenerator {
		s.generated(&k.ConfigMapGenerator[i].GeneratorArgs)
	}
	for i := range k.SecretGenerator {
		s.generated(&k.SecretGenerator[i].GeneratorArgs)
	}
	s.tree.fragile = s.tree.fragile || p.odd
	return nil
}

// generated looks at the keys of an object. Those of env files are looked at where these are read.
func (s *scanner) generated(g *types.GeneratorArgs) {
	s.printing.merging = s.printing.merging || strings.EqualFold(g.Behavior, types.BehaviorMerge.String())
	for _, source := range append(g.LiteralSources[:len(g.LiteralSources):len(g.LiteralSources)], g.FileSources...) {
		key, _, keyed := strings.Cut(source, "=")
		if !keyed {
			key = source[strings.LastIndexByte(source, '/')+1:]
		}
		s.tree.fragile = s.tree.fragile || isOddKey(key)
	}
}

// value looks at what is in an object, or in a patch.
func (p *printing) value(v any) {
	switch v := v.(type) {
	case string:
		p.odd = p.odd || isOddText(v)
	case []any:
		for _, child := range v {
			p.value(child)
		}
	case map[string]any:
		for key, child := range v {
			p.empty = p.empty || key == ""
			p.odd = p.odd || isOddKey(key)
			p.value(child)
		}
	}
}

// settable are the fields of an object of which kustomize sets all keys, beside those of metadata.
var settable = []string{"data", "binaryData", "stringData", "metadata"}

// operation looks at where an operation of a JSON patch puts something, and what.
func (p *printing) operation(op map[string]any) {
	to, _ := op["path"].(string)
	keys := strings.Split(strings.TrimPrefix(to, "/"), "/")
	for _, key := range keys {
		p.empty = p.empty || key == ""
		p.odd = p.odd || slices.Contains(settable, keys[0]) && isOddKey(key)
	}
	p.value(op["value"])
}

// field looks at the path of a field in a replacement.
func (p *printing) field(path string) {
	p.empty = p.empty || slices.Contains(utils.SmarterPathSplitter(path, "."), "")
}

// checkPrinting comes after the scan. Of most objects it looks at labels and annotations, and at all of them where a generator
// merges.
func (s *scanner) checkPrinting() error {
	p, file := &s.printing, s.tree.dirs[s.tree.dir]
	if p.empty && p.merging {
		return at(file, errEmptyKey)
	}
	p.empty = false
	for _, m := range s.tree.manifests {
		for _, o := range m.objects {
			metadata, _ := o["metadata"].(map[string]any)
			p.value(metadata["labels"])
			p.value(metadata["annotations"])
			if p.merging {
				p.value(o)
			}
		}
		if p.empty && p.merging {
			return at(m.file, errEmptyKey)
		}
	}
	s.tree.fragile = s.tree.fragile || p.odd
	return nil
}

var errEmptyKey = fmt.Errorf("%w: an empty key, where a generator has behavior: merge", ErrUnsupported)

// isOddKey says whether a key is no text where it stands without quotes.
func isOddKey(key string) bool {
	n := yaml.Node{Kind: yaml.ScalarNode, Value: key}
	return n.ShortTag() != yaml.NodeTagString
}

// isOddText says whether the block that kustomize prints for a text begins with a tab, and cannot be read.
func isOddText(text string) bool {
	return strings.HasPrefix(strings.TrimLeft(text, " \n"), "\t")
}
