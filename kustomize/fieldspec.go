package kustomize

import (
	"errors"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/kustomize/kyaml/utils"
)

// errUnsure says that kustomize has to do it: what it would do here is an error, or is not known for sure.
var errUnsure = errors.New("not to be done directly")

// fieldSpec is a path to a field of the objects of a kind. It passes through lists without a word.
type fieldSpec struct {
	gvk    resid.Gvk
	path   []segment
	create bool // what is missing on the way
}

type segment struct {
	name   string
	isList bool // it was written with [] behind it
}

func compileField(fs types.FieldSpec) fieldSpec {
	f := fieldSpec{gvk: fs.Gvk, create: fs.CreateIfNotPresent}
	for _, part := range utils.PathSplitter(fs.Path, "/") {
		name, isList := strings.CutSuffix(part, "[]")
		f.path = append(f.path, segment{name, isList})
	}
	return f
}

// plainPath is what the parts of a path look like that mean nothing but a field. Kustomize knows others: indices, elements.
var plainPath = regexp.MustCompile(`^/?[A-Za-z][A-Za-z0-9._\\-]*(\[\])?(/[A-Za-z][A-Za-z0-9._\\-]*(\[\])?)*$`)

// fieldSpecs are the fields that one transformer works on.
type fieldSpecs struct {
	anyKind []fieldSpec
	byKind  map[string][]fieldSpec
}

func compileFields(specs types.FsSlice) (*fieldSpecs, error) {
	s := &fieldSpecs{byKind: map[string][]fieldSpec{}}
	for _, fs := range specs {
		if !plainPath.MatchString(fs.Path) {
			return nil, errUnsure
		}
		f := compileField(fs)
		if fs.Kind == "" {
			s.anyKind = append(s.anyKind, f)
		} else {
			s.byKind[fs.Kind] = append(s.byKind[fs.Kind], f)
		}
	}
	return s, nil
}

// each applies set to each of the fields of an object.
func (s *fieldSpecs) each(o *item, set *setting) error {
	gvk := o.gvk()
	for _, specs := range [][]fieldSpec{s.anyKind, s.byKind[gvk.Kind]} {
		for i := range specs {
			if !gvk.IsSelected(&specs[i].gvk) {
				continue
			}
			if err := specs[i].apply(o.object, set); err != nil {
				return err
			}
		}
	}
	return nil
}

// creation says what is made of a field that is missing where a fieldSpec says to create it.
type creation int

const (
	createNothing creation = iota
	createMap
	createScalar
)

// setting is what is to be done at the end of a path.
type setting struct {
	create creation
	leaf   func(value any) (any, error) // returns what is to stand there instead
}

// apply follows the path into object.
func (f *fieldSpec) apply(object map[string]any, set *setting) error {
	_, err := f.follow(object, f.path, set)
	return err
}

func (f *fieldSpec) follow(value any, path []segment, set *setting) (any, error) {
	if len(path) == 0 {
		return set.leaf(value)
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []any:
		for i, element := range v {
			changed, err := f.follow(element, path, set)
			if err != nil {
				return nil, err
			}
			v[i] = changed
		}
		return v, nil
	case map[string]any:
		return v, f.enter(v, path, set)
	}
	return nil, errUnsure // kustomize refuses to look into a scalar
}

func (f *fieldSpec) enter(m map[string]any, path []segment, set *setting) error {
	next := path[0]
	create := f.create && set.create != createNothing && !next.isList
	child, ok := m[next.name]
	switch {
	case !ok && !create:
		return nil
	case child != nil:
	case next.isList:
		child = []any{}
	case create && (len(path) > 1 || set.create == createMap):
		child = map[string]any{}
	}
	changed, err := f.follow(child, path[1:], set)
	if err != nil {
		return err
	}
	switch changed.(type) {
	case map[string]any, []any:
		if ok && m[next.name] != nil {
			return nil // it is what stands there
		}
	}
	m[next.name] = changed
	return nil
}
