package kustomize

import (
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// selected returns the items that a patch aims at with target.
func selected(items []*item, target *types.Selector) ([]*item, error) {
	pattern, err := types.NewSelectorRegex(target)
	if err != nil {
		return nil, errUnsure
	}
	var found []*item
	for _, o := range items {
		id := o.id()
		original, err := o.originalID()
		if err != nil {
			return nil, err
		}
		if !pattern.MatchNamespace(original.namespace) && !pattern.MatchNamespace(id.namespace) ||
			!pattern.MatchName(original.name) && !pattern.MatchName(id.name) || !pattern.MatchGvk(id.gvk) {
			continue
		}
		matches, err := o.matchesSelectors(target)
		if err != nil {
			return nil, err
		}
		if matches {
			found = append(found, o)
		}
	}
	return found, nil
}

// matchesSelectors leaves labels and annotations to kustomize, on a node that has nothing else.
func (o *item) matchesSelectors(target *types.Selector) (bool, error) {
	if target.LabelSelector == "" && target.AnnotationSelector == "" {
		return true, nil
	}
	metadata := map[string]any{}
	for _, key := range []string{"labels", "annotations"} {
		values, ok := o.metadata()[key].(map[string]any)
		if !ok {
			continue
		}
		for _, value := range values {
			switch value.(type) {
			case string, *sharedText:
			default:
				return false, errUnsure
			}
		}
		metadata[key] = values
	}
	node := yaml.NewRNode((&nodeWriter{}).node(map[string]any{"metadata": metadata}))
	matches, err := node.MatchesLabelSelector(target.LabelSelector)
	if err == nil && matches {
		matches, err = node.MatchesAnnotationSelector(target.AnnotationSelector)
	}
	if err != nil {
		return false, errUnsure
	}
	return matches, nil
}
