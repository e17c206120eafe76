package kustomize

import (
	"slices"

	"sigs.k8s.io/kustomize/api/types"
)

// namespacing is the transformer of the field namespace.
type namespacing struct {
	namespace string
	any       *fieldSpecs // of fields in objects of all groups
	core      *fieldSpecs // of fields in objects of apiVersion v1
}

func newNamespacing(k *types.Kustomization) (*namespacing, error) {
	fields := slices.DeleteFunc(slices.Clone(defaultFields().fields["namespace"]), func(fs types.FieldSpec) bool {
		return fs.Path == types.MetadataNamespacePath
	})
	core, err := compileFields(fields)
	if err != nil {
		return nil, err
	}
	other, err := compileFields(slices.DeleteFunc(fields, func(fs types.FieldSpec) bool {
		return fs.Path == types.MetadataNamePath
	}))
	return &namespacing{k.Namespace, other, core}, err
}

func (n *namespacing) transform(o *item) error {
	if err := o.storeID(); err != nil {
		return err
	}
	metadata := o.metadata()
	if !o.isCluster() {
		if _, err := n.set(metadata["namespace"]); err != nil {
			return err
		}
		metadata["namespace"] = n.namespace
	}
	if kind := o.gvk().Kind; kind == "RoleBinding" || kind == "ClusterRoleBinding" {
		if err := n.subjects(o.object["subjects"]); err != nil {
			return err
		}
	}
	fields := n.any
	if o.object["apiVersion"] == types.MetadataNamespaceApiVersion {
		fields = n.core
	}
	return fields.each(o, &setting{create: createScalar, leaf: n.set})
}

func (n *namespacing) set(value any) (any, error) {
	switch value.(type) {
	case map[string]any, []any:
		return nil, errUnsure
	}
	return n.namespace, nil
}

// subjects puts the service accounts that are called default, and whatever else is, into the namespace.
func (n *namespacing) subjects(value any) error {
	if value == nil {
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		return errUnsure
	}
	for _, element := range list {
		subject, ok := element.(map[string]any)
		if !ok {
			return errUnsure
		}
		switch name := subject["name"].(type) {
		case nil:
		case string:
			if name != "default" {
				continue
			}
			if _, err := n.set(subject["namespace"]); err != nil {
				return err
			}
			subject["namespace"] = n.namespace
		default:
			return errUnsure
		}
	}
	return nil
}
