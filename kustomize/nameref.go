package kustomize

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/resid"
)

// referral looks for the objects that others refer to by name. Kustomize compares each object with each other for that; here
// they are found by the names that they had.
type referral struct {
	byName      map[string][]*candidate
	byOriginal  map[string][]*candidate // namespace
	byNamespace map[string][]*candidate
}

// candidate is an object that another one may refer to.
type candidate struct {
	*item
	id               itemID
	previous         []itemID
	prefixes, suffix []string
	accounts         []string // namespaces of the service accounts that it binds to a role
}

func newReferral(items []*item) (*referral, []*candidate, error) {
	r := &referral{map[string][]*candidate{}, map[string][]*candidate{}, map[string][]*candidate{}}
	all := make([]*candidate, len(items))
	for i, o := range items {
		previous, err := o.previousIDs()
		if err != nil {
			return nil, nil, err
		}
		c := &candidate{item: o, id: o.id(), previous: previous}
		if c.prefixes, c.suffix, err = o.affixes(); err != nil {
			return nil, nil, err
		}
		if c.accounts, err = o.boundAccounts(); err != nil {
			return nil, nil, err
		}
		all[i] = c
		for j, id := range previous {
			if !slices.ContainsFunc(previous[:j], func(p itemID) bool { return p.name == id.name }) {
				r.byName[id.name] = append(r.byName[id.name], c)
			}
		}
		original := c.original().namespace
		r.byOriginal[original] = append(r.byOriginal[original], c)
		r.byNamespace[c.id.namespace] = append(r.byNamespace[c.id.namespace], c)
	}
	return r, all, nil
}

func (c *candidate) original() itemID {
	if len(c.previous) > 0 {
		return c.previous[0]
	}
	return c.id
}

// fixNames puts the names that objects have in the end where others refer to them by an earlier one. It looks also where
// nothing was renamed: kustomize refuses objects in which such a field is not what it should be.
func fixNames(items []*item) error {
	r, all, err := newReferral(items)
	if err != nil {
		return err
	}
	references := defaultFields().references
	for _, c := range all {
		original := c.original()
		for i := range references[original.gvk.Kind] {
			ref := &references[original.gvk.Kind][i]
			if !original.gvk.IsSelected(&ref.gvk) {
				continue
			}
			f := fixer{referral: r, from: c, ref: ref}
			if err := ref.apply(c.object, &setting{leaf: f.set}); err != nil {
				return err
			}
		}
	}
	return nil
}

// fixer mends one field of one object.
type fixer struct {
	*referral
	from *candidate
	ref  *reference
}

func (f *fixer) set(value any) (any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, f.setMap(v)
	case []any:
		for i, element := range v {
			switch element := element.(type) {
			case nil:
			case map[string]any:
				if err := f.setMap(element); err != nil {
					return nil, err
				}
			case []any:
				return nil, errUnsure
			default:
				changed, err := f.setName(element)
				if err != nil {
					return nil, err
				}
				v[i] = changed
			}
		}
		return v, nil
	}
	return f.setName(value)
}

func (f *fixer) setName(value any) (any, error) {
	if len(f.byName) == 0 {
		return value, nil // nothing was ever called anything else
	}
	if shared, ok := value.(*sharedText); ok {
		name, err := f.setName(shared.text)
		if err == nil {
			shared.text = name.(string)
		}
		return shared, err
	}
	old, ok := value.(string)
	if !ok {
		return nil, errUnsure
	}
	target, err := f.choose(old, nil, func(a, b *candidate) bool { return a.id.name == b.id.name })
	if err != nil || target == nil || target.id.name == old {
		return value, err
	}
	if !isPlainText(target.id.name) {
		return nil, errUnsure
	}
	return target.id.name, nil
}

// setMap mends a reference by name and namespace.
func (f *fixer) setMap(m map[string]any) error {
	name, ok := m["name"].(string)
	if !ok {
		return errUnsure
	}
	if len(f.byName) == 0 {
		return nil
	}
	var among func(*candidate) bool
	if value, ok := m["namespace"]; ok {
		namespace, isText := value.(string)
		if !isText || namespace == notNamespaced {
			return errUnsure
		}
		among = func(c *candidate) bool { return c.id.namespace == namespace }
		for _, c := range f.byOriginal[namespace] {
			if f.isWithinReach(c) {
				among = func(c *candidate) bool { return c.original().namespace == namespace }
				break
			}
		}
	}
	target, err := f.choose(name, among, func(a, b *candidate) bool {
		return a.id.name == b.id.name && a.namespace() == b.namespace()
	})
	if err != nil || target == nil || target.id.name == name && target.namespace() == "" {
		return err
	}
	return f.write(m, map[string]string{"name": target.id.name, "namespace": target.namespace()})
}

func (f *fixer) write(m map[string]any, values map[string]string) error {
	for key, value := range values {
		if value == "" || m[key] == value {
			continue
		}
		if !isPlainText(value) {
			return errUnsure
		}
		m[key] = value
	}
	return nil
}

// choose finds the object that was called old, among those for which among is true.
func (f *fixer) choose(old string, among func(*candidate) bool, same func(a, b *candidate) bool) (*candidate, error) {
	var found []*candidate
	role, err := f.role()
	if err != nil {
		return nil, err
	}
	for _, c := range f.byName[old] {
		if (among == nil || among(c)) && c.wasSelected(&f.ref.target) && c.wasSelected(role) &&
			f.isWithinReach(c) && f.isNear(c) {
			found = append(found, c)
		}
	}
	if len(found) <= 1 {
		return first(found), nil
	}
	found = slices.DeleteFunc(found, func(c *candidate) bool { return !f.from.affixed(c, true) })
	if len(found) > 1 {
		found = slices.DeleteFunc(found, func(c *candidate) bool { return !f.from.affixed(c, false) })
	}
	for _, c := range found[min(1, len(found)):] {
		if !same(found[0], c) {
			return nil, errUnsure
		}
	}
	return first(found), nil
}

func first(found []*candidate) *candidate {
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func (c *candidate) wasSelected(gvk *resid.Gvk) bool {
	return slices.ContainsFunc(c.previous, func(id itemID) bool { return id.gvk.IsSelected(gvk) })
}

// role is the kind that a binding of a role says it refers to, nil where that is of no concern.
func (f *fixer) role() (*resid.Gvk, error) {
	n := len(f.ref.path)
	if n < 2 || f.ref.path[n-2].name != "roleRef" || f.ref.path[n-1].name != "name" {
		return nil, nil
	}
	role, ok := f.from.object["roleRef"].(map[string]any)
	if !ok {
		return nil, errUnsure
	}
	group, hasGroup := role["apiGroup"]
	kind, hasKind := role["kind"]
	if !hasGroup || !hasKind {
		return nil, nil
	}
	groupText, ok1 := group.(string)
	kindText, ok2 := kind.(string)
	if !ok1 || !ok2 {
		return nil, errUnsure
	}
	return &resid.Gvk{Group: groupText, Kind: kindText}, nil
}

// isWithinReach says whether the object can refer to c at all.
func (f *fixer) isWithinReach(c *candidate) bool {
	return f.from.id.namespace == notNamespaced || c.id.namespace == notNamespaced ||
		c.id.namespace == f.from.id.namespace || slices.Contains(f.from.accounts, c.namespace())
}

// boundAccounts returns the namespaces of the service accounts that a RoleBinding binds.
func (o *item) boundAccounts() (namespaces []string, err error) {
	if o.gvk().Kind != "RoleBinding" {
		return nil, nil
	}
	subjects, _ := o.object["subjects"].([]any)
	for _, element := range subjects {
		subject, ok := element.(map[string]any)
		if !ok {
			return nil, errUnsure
		}
		namespace, hasNamespace := subject["namespace"]
		kind, hasKind := subject["kind"]
		if !hasNamespace || !hasKind {
			continue
		}
		namespaceText, ok1 := namespace.(string)
		kindText, ok2 := kind.(string)
		if !ok1 || !ok2 {
			return nil, errUnsure
		}
		if kindText == "ServiceAccount" {
			namespaces = append(namespaces, namespaceText)
		}
	}
	return namespaces, nil
}

// isNear says whether c is in no namespace, in that of the object, or an account, to which roles are bound from others.
func (f *fixer) isNear(c *candidate) bool {
	return f.from.id.namespace == notNamespaced || c.id.namespace == notNamespaced ||
		c.id.gvk.Kind == "ServiceAccount" || c.id.namespace == f.from.id.namespace
}

// affixes are what was put before and behind the name, in that order.
func (o *item) affixes() (prefixes, suffixes []string, err error) {
	for _, note := range []struct {
		key string
		to  *[]string
	}{{prefixesNote, &prefixes}, {suffixesNote, &suffixes}} {
		if value, ok := o.annotations()[note.key]; ok {
			text, ok := value.(string)
			if !ok {
				return nil, nil, errUnsure
			}
			*note.to = strings.Split(text, ",")
		}
	}
	return prefixes, suffixes, nil
}

// affixed says whether the names of two objects have come by the same prefixes and suffixes; lax takes none for any.
func (c *candidate) affixed(other *candidate, lax bool) bool {
	fits := func(a, b []string) bool {
		return lax && (len(a) == 0 || len(b) == 0) || sameEnding(a, b)
	}
	return fits(c.prefixes, other.prefixes) && fits(c.suffix, other.suffix)
}

// sameEnding says whether one list ends like the other. Nothing ends only like nothing.
func sameEnding(a, b []string) bool {
	n := min(len(a), len(b))
	return (n > 0 || len(a) == len(b)) && slices.Equal(a[len(a)-n:], b[len(b)-n:])
}
