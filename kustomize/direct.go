//lint:file-ignore SA1019 deprecated fields are read: kustomizations in the wild have them

package kustomize

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// The direct path builds trees whose kustomizations do only what is known here in every detail, on the objects that the
// scan has parsed: in linear time, where kustomize compares each object with each other, and without parsing them again. Whatever
// is an error to kustomize, or could be, is left to kustomize. A test holds the results of both to each other on trees that a
// generator makes.

// level is a kustomization with what it lists.
type level struct {
	*kustomization
	parts      []part
	components []*level
}

// part is a manifest or, if base is set, a kustomization that stands as a resource.
type part struct {
	manifest manifest
	base     *level
}

// enterLevel makes k the current kustomization, and returns what makes the one before it that again.
func (s *scanner) enterLevel(k *kustomization) (leave func()) {
	parent, l := s.level, &level{kustomization: k}
	s.level = l
	switch {
	case parent == nil:
		s.tree.root = l
	case k.Kind == types.ComponentKind:
		parent.components = append(parent.components, l)
	default:
		parent.parts = append(parent.parts, part{base: l})
	}
	return func() { s.level = parent }
}

// isDirect says whether nothing below l is outside of what the direct path knows.
func (l *level) isDirect() bool {
	rest := l.Kustomization
	rest.TypeMeta, rest.MetaData, rest.Resources, rest.Components = types.TypeMeta{}, nil, nil, nil
	rest.Namespace, rest.Labels, rest.CommonLabels, rest.CommonAnnotations = "", nil, nil, nil
	rest.Images, rest.Replicas, rest.Patches = nil, nil, nil
	rest.NamePrefix, rest.NameSuffix = "", ""
	rest.ConfigMapGenerator, rest.SecretGenerator, rest.GeneratorOptions = nil, nil, nil
	if !reflect.DeepEqual(rest, types.Kustomization{}) {
		return false
	}
	for _, c := range l.components {
		if !c.isDirect() {
			return false
		}
	}
	for _, p := range l.parts {
		if p.base != nil && !p.base.isDirect() {
			return false
		}
	}
	return true
}

// direct builds the tree without kustomize. It returns an error that matches errUnsure where that cannot be done.
func (t *tree) direct(ctx context.Context) (objects []map[string]any, err error) {
	if !isKnownKustomize() || !t.root.isDirect() {
		return nil, errUnsure
	}
	err = withSchema(ctx, false, func() (err error) {
		objects, err = newDirectBuild(ctx, t).objects()
		return err
	})
	if errors.Is(err, errPanic) {
		err = errUnsure
	}
	return objects, err
}

// finishItems returns the objects of items, but for those that are not meant for a cluster.
func finishItems(items []*item) ([]map[string]any, error) {
	if err := checkUnique(items); err != nil {
		return nil, err
	}
	objects := make([]map[string]any, 0, len(items))
	for _, o := range items {
		if isLocal(o.object) {
			continue
		}
		object, err := o.finished()
		if err != nil {
			return nil, errUnsure
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// directBuild is one build without kustomize.
type directBuild struct {
	ctx       context.Context
	tree      *tree
	factory   *resource.Factory
	scopes    scopes
	schemas   map[resid.Gvk]*mergeSchema
	generated bool // there are objects that may get a hash of what patches make of them
}

func newDirectBuild(ctx context.Context, t *tree) *directBuild {
	factory := provider.NewDefaultDepProvider().GetResourceFactory()
	return &directBuild{ctx: ctx, tree: t, factory: factory, scopes: scopes{}, schemas: map[resid.Gvk]*mergeSchema{}}
}

func (b *directBuild) objects() (objects []map[string]any, err error) {
	defer recoverTo(&err)
	items, err := b.build(b.tree.root, nil)
	if err == nil {
		err = addHashes(items)
	}
	if err == nil {
		err = fixNames(items)
	}
	if err != nil {
		return nil, err
	}
	return finishItems(items)
}

// build returns what l makes of its resources. A component works on those of its parent, which are items, too.
func (b *directBuild) build(l *level, items []*item) ([]*item, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	for _, p := range l.parts {
		var err error
		if p.base == nil {
			items, err = b.take(items, p.manifest)
		} else {
			var more []*item
			more, err = b.build(p.base, nil)
			items = append(items, more...)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := checkUnique(items); err != nil {
		return nil, err
	}
	items, err := b.generate(l, items)
	if err != nil {
		return nil, err
	}
	for _, c := range l.components {
		if items, err = b.build(c, items); err != nil {
			return nil, err
		}
		if err := checkUnique(items); err != nil {
			return nil, err
		}
	}
	return b.transform(l, items)
}

// take adds copies of the objects in a manifest: another kustomization may list it too, and kustomize may be needed yet.
func (b *directBuild) take(items []*item, m manifest) ([]*item, error) {
	if m.spelling == oddTexts {
		return nil, errUnsure
	}
	for _, object := range m.objects {
		o := &item{object: runtime.DeepCopyJSON(object), spelling: m.spelling, scopes: b.scopes}
		for key, value := range o.annotations() {
			if _, isText := value.(string); !isText || isForeignNote(key) {
				return nil, errUnsure
			}
		}
		if apiVersion, _ := object["apiVersion"].(string); strings.HasPrefix(apiVersion, "/") {
			return nil, errUnsure // kustomize writes it without the slash, and then wonders
		}
		items = append(items, o)
	}
	return items, nil
}

// checkUnique leaves objects of one identity to kustomize, which refuses them.
func checkUnique(items []*item) error {
	seen := make(map[itemID]bool, len(items))
	for _, o := range items {
		id := o.id()
		if seen[id] {
			return errUnsure
		}
		seen[id] = true
	}
	return nil
}

// transform does what the fields of a kustomization say, in kustomize's order.
func (b *directBuild) transform(l *level, items []*item) ([]*item, error) {
	k := &l.Kustomization
	for _, p := range k.Patches {
		var err error
		if items, err = b.patch(l, p, items); err != nil {
			return nil, err
		}
	}
	each, err := newTransformers(k)
	if err != nil {
		return nil, err
	}
	for _, o := range items {
		for _, t := range each {
			if err := t.transform(o); err != nil {
				return nil, err
			}
		}
	}
	if k.Namespace != "" {
		if err := checkUnique(items); err != nil {
			return nil, err
		}
	}
	for _, r := range k.Replicas {
		if err := replicate(items, r); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// transformer changes one object, and looks at no other.
type transformer interface{ transform(*item) error }

// newTransformers returns those of a kustomization in kustomize's order. That images come before replicas here is no matter.
func newTransformers(k *types.Kustomization) (all []transformer, err error) {
	if k.Namespace != "" {
		n, err := newNamespacing(k)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	if k.NamePrefix != "" || k.NameSuffix != "" {
		a, err := newAffixing(k)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	for _, read := range []func(*types.Kustomization) ([]transformer, error){labelEntries, annotationEntries, newImagings} {
		more, err := read(k)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}
