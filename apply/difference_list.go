package apply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// managedFields are a part of what an object's managedFields say: "f:" is before the name of a field, "k:" before the keys of a
// list's item. They are the server's own word on how the items of a list are told apart.
type managedFields map[string]any

// fieldsOfManagers returns the fields that the managers have which keep says by server-side apply, or of all managers where it
// is nil.
func fieldsOfManagers(o map[string]any, keep func(manager string) bool) managedFields {
	metadata, _ := o["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	var all managedFields
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		manager, _ := entry["manager"].(string)
		if keep != nil && (!keep(manager) || entry["operation"] != "Apply") {
			continue
		}
		f, _ := entry["fieldsV1"].(map[string]any)
		all = all.merge(f)
	}
	return all
}

// merge returns the fields of both, of which neither is changed.
func (f managedFields) merge(other managedFields) managedFields {
	switch {
	case len(f) == 0 && other != nil:
		return other
	case len(other) == 0:
		return f
	}
	all := maps.Clone(f)
	for name, theirs := range other {
		theirs, _ := theirs.(map[string]any)
		ours, _ := all[name].(map[string]any)
		all[name] = map[string]any(managedFields(ours).merge(theirs))
	}
	return all
}

func (f managedFields) field(name string) managedFields {
	child, _ := f["f:"+name].(map[string]any)
	return child
}

// item returns the fields of the list's item that has the same keys as this one.
func (f managedFields) item(keys []string, item map[string]any) managedFields {
	if len(f) == 0 {
		return nil
	}
	values := make(map[string]any, len(keys))
	for _, k := range keys {
		if v, ok := item[k]; ok {
			values[k] = v
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(values) != nil {
		return nil
	}
	child, _ := f["k:"+strings.TrimSpace(text.String())].(map[string]any)
	return child
}

// keys returns the names of the fields by which the server tells the items of a list apart; nil: it does not.
func (f managedFields) keys() []string {
	for _, name := range sortedKeys(f) {
		text, ok := strings.CutPrefix(name, "k:")
		var values map[string]any
		if ok && json.Unmarshal([]byte(text), &values) == nil && len(values) > 0 {
			return sortedKeys(values)
		}
	}
	return nil
}

// usualKeys tell items apart in lists of which no manager has said it: most often what a default or a webhook brought.
var usualKeys = [][]string{{"name"}, {"containerPort", "protocol"}, {"port", "protocol"}, {"key"}, {"ip"}, {"type"}, {"uid"}, {"mountPath"}}

// A keyedList has the labels of a list's items, "name=main", and the places at which the labels are.
type keyedList struct {
	keys   []string
	labels []string
	places map[string]int
}

// keyed tells the items of two lists apart by the keys, or by the first usual ones that do it.
func keyed(keys []string, was, will []any) (before, after keyedList, ok bool) {
	candidates := usualKeys
	if keys != nil {
		candidates = append([][]string{keys}, usualKeys...)
	}
	for _, keys := range candidates {
		if before, ok = label(keys, was); !ok {
			continue
		}
		if after, ok = label(keys, will); ok {
			return before, after, true
		}
	}
	return before, after, false
}

// label fails where an item is no map, does not have the first key, or has the label of another.
func label(keys []string, list []any) (keyedList, bool) {
	l := keyedList{keys: keys, places: make(map[string]int, len(list))}
	for i, item := range list {
		object, _ := item.(map[string]any)
		text := itemLabel(keys, object)
		if _, double := l.places[text]; double || object[keys[0]] == nil {
			return l, false
		}
		l.places[text] = i
		l.labels = append(l.labels, text)
	}
	return l, true
}

func itemLabel(keys []string, item map[string]any) string {
	var parts []string
	for _, k := range keys {
		if v, ok := item[k]; ok {
			text := fmt.Sprint(v)
			if !plainWord(text) {
				text = strconv.Quote(text)
			}
			parts = append(parts, k+"="+text)
		}
	}
	return strings.Join(parts, ",")
}

// namedItems returns the manifest's items by their labels.
func namedItems(keys []string, named []any) map[string]any {
	items := make(map[string]any, len(named))
	for _, n := range named {
		object, _ := n.(map[string]any)
		items[itemLabel(keys, object)] = n
	}
	return items
}

// namedItem returns the manifest's item with the keys of this one. A key that the manifest leaves to its default, as the
// protocol of a port, fits where no other item fits better.
func namedItem(keys []string, item map[string]any, named map[string]any) any {
	if n, ok := named[itemLabel(keys, item)]; ok {
		return n
	}
	return named[itemLabel(keys[:1], item)]
}

// sameOrder tells whether the items that are in both lists stand in one order.
func sameOrder(before, after keyedList) bool {
	stays := func(in keyedList, labels []string) []string {
		return slices.DeleteFunc(slices.Clone(labels), func(l string) bool { _, ok := in.places[l]; return !ok })
	}
	return slices.Equal(stays(after, before.labels), stays(before, after.labels))
}

// sameOwners tells whether two states of an object have the same managers with the same fields, whenever they got them.
func sameOwners(was, will map[string]any) bool {
	owners := func(o map[string]any) []any {
		metadata, _ := o["metadata"].(map[string]any)
		entries, _ := metadata["managedFields"].([]any)
		timeless := make([]any, len(entries))
		for i, e := range entries {
			entry, _ := e.(map[string]any)
			entry = maps.Clone(entry)
			delete(entry, "time")
			timeless[i] = entry
		}
		return timeless
	}
	return reflect.DeepEqual(owners(was), owners(will))
}
