package kustomize

import (
	"sigs.k8s.io/kustomize/api/hasher"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// What kustomize notes down on an object that it generates. As with it, a patch that removes the annotations of such an
// object keeps it from getting a hash.
const (
	behaviorNote  = konfig.ConfigAnnoDomain + "/generatorBehavior"
	needsHashNote = konfig.ConfigAnnoDomain + "/needsHashSuffix"
	needsHash     = "enabled"
)

// addHashes puts the hashes of their content behind the names of generated objects. References are mended after that.
func addHashes(items []*item) error {
	for _, o := range items {
		if o.annotations()[needsHashNote] != needsHash {
			continue
		}
		hash, err := o.hash()
		if err != nil {
			return err
		}
		name := o.name() + "-" + hash
		if !isPlainText(name) {
			return errUnsure
		}
		if err := o.storeID(); err != nil {
			return err
		}
		o.metadata()["name"] = name
	}
	return nil
}

// hash has kustomize compute the hash, of an object that has only what counts for it.
func (o *item) hash() (string, error) {
	kind := o.gvk().Kind
	if kind != "ConfigMap" && kind != "Secret" || !o.hasPlainTexts() {
		return "", errUnsure
	}
	counting := map[string]any{"kind": kind, "metadata": map[string]any{"name": o.name()}}
	if value, ok := o.object["type"]; ok && kind == "Secret" {
		if _, isText := value.(string); !isText {
			return "", errUnsure
		}
		counting["type"] = value
	}
	for _, field := range dataFields {
		if value, ok := o.object[field]; ok {
			if value == nil {
				return "", errUnsure
			}
			counting[field] = value
		}
	}
	node := (&nodeWriter{}).node(counting)
	quoteAll(node)
	hash, err := (&hasher.Hasher{}).Hash(yaml.NewRNode(node))
	if err != nil {
		return "", errUnsure
	}
	return hash, nil
}

// quoteAll has all texts printed in quotes: kustomize reads again what it has printed, for the hash.
func quoteAll(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		quoteAll(child)
	}
}
