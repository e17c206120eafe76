package kustomize

import (
	"sigs.k8s.io/kustomize/api/types"
)

// replicate is the transformer of one entry of the field replicas. Kustomize refuses one that matches nothing.
func replicate(items []*item, r types.Replica) error {
	found := false
	for _, fs := range defaultFields().fields["replicas"] {
		field := compileField(fs)
		set := &setting{create: createScalar, leaf: func(value any) (any, error) {
			switch value.(type) {
			case map[string]any, []any, string:
				return nil, errUnsure // what was in quotes stays in quotes
			}
			return r.Count, nil
		}}
		for _, o := range items {
			matches, err := o.everWas(func(id itemID) bool { return id.name == r.Name && id.gvk.IsSelected(&fs.Gvk) })
			if err != nil {
				return err
			}
			if !matches {
				continue
			}
			found = true
			if gvk := o.gvk(); gvk.IsSelected(&fs.Gvk) {
				if err := field.apply(o.object, set); err != nil {
					return err
				}
			}
		}
	}
	if !found {
		return errUnsure
	}
	return nil
}

// everWas says whether the object has or had an identity that fits.
func (o *item) everWas(fits func(itemID) bool) (bool, error) {
	ids, err := o.previousIDs()
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		if fits(id) {
			return true, nil
		}
	}
	return fits(o.id()), nil
}
