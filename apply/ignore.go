package apply

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// An IgnoreRule leaves fields of some objects to whoever else manages them. As long as nobody does, the manifest's value
// is applied; once another field manager has the field, such as an autoscaler /spec/replicas, it is no longer sent, and
// what becomes of it is no drift.
//
// Of a field that holds others, such as /data, only what another manager has is left to it. A pointer goes through a list
// by an index of the manifest's list. Where the server knows the list's items by a key, as containers by their name, the
// item is found again by it, and the key itself is always sent. A pointer into a field that the server knows as a whole,
// such as /spec/selector/app of a Service, finds no manager and has no effect: point at the whole, /spec/selector.
//
// Only the server knows who manages what. It does not note the manager of a scale, as by kubectl scale, where no manager
// had /spec/replicas before: apply the field once, or leave it out of the manifest.
type IgnoreRule struct {
	// Group, Kind, Namespace and Name say of which objects; each is compared as it is, and any will do where it is empty.
	Group, Kind, Namespace, Name string
	// LabelSelector says of which objects by the labels in their manifests: "app=web,tier!=db". Empty: of all.
	LabelSelector string
	// Pointers are JSON pointers (RFC 6901) to the fields: "/spec/replicas", "/webhooks/0/clientConfig/caBundle",
	// "/metadata/annotations/example.com~1revision". What makes the object the one it is cannot be ignored.
	Pointers []string
}

// A pointer is a JSON pointer's parts, unescaped.
type pointer []string

// rules are ignore rules ready for use.
type rules []struct {
	IgnoreRule
	selector labels.Selector
	pointers []pointer
}

// newRules tells what is wrong with the first rule that cannot be used.
func newRules(from []IgnoreRule) (rules, error) {
	compiled := make(rules, len(from))
	for i, rule := range from {
		c := &compiled[i]
		c.IgnoreRule = rule
		if len(rule.Pointers) == 0 {
			return nil, fmt.Errorf(`%w: ignore rule %d has no pointer, such as "/spec/replicas"`, ErrInvalid, i)
		}
		for _, text := range rule.Pointers {
			p, wrong := parsePointer(text)
			if wrong != "" {
				return nil, fmt.Errorf("%w: ignore rule %d: the pointer %q %s", ErrInvalid, i, text, wrong)
			}
			c.pointers = append(c.pointers, p)
		}
		var err error
		if c.selector, err = labels.Parse(rule.LabelSelector); err != nil {
			return nil, fmt.Errorf("%w: ignore rule %d: the label selector %q: %w", ErrInvalid, i, rule.LabelSelector, err)
		}
	}
	return compiled, nil
}

// parsePointer returns the pointer or says what is wrong with it.
func parsePointer(text string) (p pointer, wrong string) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return nil, `does not begin with a slash, as "/spec/replicas" does`
	}
	for part := range strings.SplitSeq(rest, "/") {
		switch {
		case part == "":
			return nil, "has an empty part"
		case strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(part), "~"):
			return nil, "has a ~ that is neither ~0, for a ~, nor ~1, for a slash"
		}
		p = append(p, strings.NewReplacer("~0", "~", "~1", "/").Replace(part))
	}
	inMetadata := p[0] == "metadata"
	switch {
	case p[0] == "apiVersion", p[0] == "kind", inMetadata && (len(p) == 1 || p[1] == "name" || p[1] == "namespace"):
		return nil, "names what makes the object the one it is"
	case p[0] == "stringData":
		return nil, "names what is sent as data: point there"
	case inMetadata && p[1] == "labels" && (len(p) == 2 || p[2] == partOfLabel):
		return nil, "takes in the label of the set; name other labels one by one"
	}
	return p, ""
}

// pointers returns what is ignored of an object; of one list, the later items first, so that those before keep their index.
func (rs rules) pointers(ref Ref, manifestLabels map[string]string) []pointer {
	fits := func(wanted, is string) bool { return wanted == "" || wanted == is }
	var found []pointer
	for _, r := range rs {
		if fits(r.Group, ref.Group) && fits(r.Kind, ref.Kind) && fits(r.Namespace, ref.Namespace) && fits(r.Name, ref.Name) &&
			r.selector.Matches(labels.Set(manifestLabels)) {
			found = append(found, r.pointers...)
		}
	}
	slices.SortStableFunc(found, func(a, b pointer) int {
		return slices.CompareFunc(b, a, func(x, y string) int { return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)) })
	})
	return found
}

// withoutIgnored returns the manifest without those ignored fields that another manager has. It shares with the manifest
// what it can, and does not change it. There is no live object where it is yet to be created.
func withoutIgnored(manifest map[string]any, ignored []pointer, live *metav1.PartialObjectMetadata, manager string) (map[string]any, error) {
	if live == nil || len(ignored) == 0 {
		return manifest, nil
	}
	var c claim
	for _, entry := range live.ManagedFields {
		f, err := fieldsOf(entry)
		if err != nil {
			return nil, err
		}
		if isApply(entry, manager) {
			c.own = f
		} else {
			c.others = append(c.others, f)
		}
	}
	for _, p := range ignored {
		if left, o := c.left(manifest, p); o == part {
			manifest, _ = left.(map[string]any)
		}
	}
	return manifest, nil
}

// ownedSum is the fingerprint of an object of which fields are ignored: its UID and which fields are the manager's. A
// field that somebody else changes or removes is the manager's no longer. Who has the fields of others does not count.
func ownedSum(live *metav1.PartialObjectMetadata, manager string) sum {
	var d digester
	d.text(string(live.UID))
	for _, entry := range live.ManagedFields {
		if isApply(entry, manager) && entry.FieldsV1 != nil {
			d.text(entry.APIVersion)
			d.text(entry.FieldsV1.GetRawString())
		}
	}
	return d.short()
}

// A claim is who has which fields at one place of an object.
type claim struct {
	others []fields // of each other manager that has the place or something below it
	own    fields   // of the manager that applies
}

// An outcome says what is left of a value.
type outcome int

const (
	whole outcome = iota // nothing was taken
	part                 // the value returned, a copy
	none
)

func (c claim) below(key string) claim {
	b := claim{own: c.own[key]}
	for _, f := range c.others {
		if under, ok := f[key]; ok {
			b.others = append(b.others, under)
		}
	}
	return b
}

// left takes from the value, at the pointer, what others have.
func (c claim) left(value any, at pointer) (any, outcome) {
	if len(c.others) == 0 {
		return value, whole
	}
	// Where fields below are the manager's own, the place is no whole to the server, and another has it empty.
	if len(at) == 0 && c.own.asSuch() && slices.ContainsFunc(c.others, fields.asSuch) {
		return nil, none
	}
	switch value := value.(type) {
	case map[string]any:
		return c.leftOfMap(value, at)
	case []any:
		return c.leftOfList(value, at)
	}
	return value, whole
}

func (c claim) leftOfMap(m map[string]any, at pointer) (any, outcome) {
	keys := sortedKeys(m)
	if len(at) > 0 {
		keys, at = []string{at[0]}, at[1:]
	}
	rest, result := m, whole
	for _, key := range keys {
		value, ok := m[key]
		if !ok {
			continue
		}
		left, o := c.below("f:"+key).left(value, at)
		if o == whole {
			continue
		}
		if result == whole {
			rest, result = maps.Clone(m), part
		}
		if rest[key] = left; o == none {
			delete(rest, key)
		}
	}
	if len(rest) == 0 && result == part {
		return nil, none
	}
	return rest, result
}

func (c claim) leftOfList(list []any, at pointer) (any, outcome) {
	only := -1
	if len(at) > 0 {
		index, err := strconv.Atoi(at[0])
		if err != nil || strconv.Itoa(index) != at[0] || index < 0 || index >= len(list) {
			return list, whole
		}
		only, at = index, at[1:]
	}
	items, keys := c.byItem()
	var rest []any
	result := whole
	for i, item := range list {
		left, o := item, whole
		if only < 0 || only == i {
			left, o = items.leftOfItem(item, i, keys, at)
		}
		if o != none {
			rest = append(rest, left)
		}
		if o != whole {
			result = part
		}
	}
	switch {
	case result == whole:
		return list, whole
	case len(rest) == 0:
		return nil, none
	}
	return rest, part
}

// leftOfItem finds the item of a list by its keys, which stay, unless another manager has the item itself and nothing else
// is left of it.
func (c claim) leftOfItem(item any, index int, keys [][]string, at pointer) (any, outcome) {
	of := c.below("i:" + strconv.Itoa(index))
	m, isMap := item.(map[string]any)
	names := []string{"v:" + encoded(item)}
	if isMap {
		names = names[:0]
		for _, key := range keys {
			names = append(names, itemKey(m, key))
		}
	}
	for _, name := range names {
		b := c.below(name)
		of.others, of.own = append(of.others, b.others...), of.own.union(b.own)
	}
	left, o := of.left(item, at)
	if !isMap || o == whole {
		return left, o
	}
	rest := make(map[string]any)
	for _, field := range slices.Concat(keys...) {
		if value, ok := m[field]; ok {
			rest[field] = value
		}
	}
	kept := len(rest)
	if o == part {
		maps.Copy(rest, left.(map[string]any))
	}
	if len(rest) == kept && slices.ContainsFunc(of.others, func(f fields) bool { return len(f) == 0 || f.has(".") }) {
		return nil, none
	}
	return rest, part
}

// byItem returns the claim on the items of a list, with their keys and values written as [keyOf] and [encoded] do, and the
// fields that are keys: in practice one group of them at most.
func (c claim) byItem() (claim, [][]string) {
	groups := make(map[string][]string)
	rewritten := func(f fields) fields {
		items := make(fields, len(f))
		for name, under := range f {
			var key map[string]any
			var value any
			if text, ok := strings.CutPrefix(name, "k:"); ok && json.Unmarshal([]byte(text), &key) == nil {
				group := sortedKeys(key)
				groups[strings.Join(group, " ")] = group
				name = itemKey(key, group)
			} else if text, ok := strings.CutPrefix(name, "v:"); ok && json.Unmarshal([]byte(text), &value) == nil {
				name = "v:" + encoded(value)
			}
			items[name] = under
		}
		return items
	}
	items := claim{own: rewritten(c.own)}
	for _, f := range c.others {
		items.others = append(items.others, rewritten(f))
	}
	return items, slices.Collect(maps.Values(groups))
}

// itemKey names an item by these of its fields. Of the kinds of Kubernetes itself one key has a default, which manifests
// leave out: the protocol of a port.
func itemKey(item map[string]any, fields []string) string {
	key := make(map[string]any, len(fields))
	for _, field := range fields {
		value, ok := item[field]
		if !ok && field == "protocol" {
			value = "TCP"
		}
		key[field] = value
	}
	return "k:" + encoded(key)
}

func encoded(value any) string {
	text, _ := json.Marshal(value) // it was read from JSON or YAML, or is of no managed list
	return string(text)
}
