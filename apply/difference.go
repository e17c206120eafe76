package apply

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// An Origin tells who brings a difference.
type Origin string

// The origins.
const (
	// FromManifest: the manifest names the field, or did when the set was last applied.
	FromManifest Origin = "manifest"
	// FromServer: a default of the server or a webhook, which no manifest asked for.
	FromServer Origin = "server"
)

// A Difference is one field that would change. Values of Secrets are masked in it.
type Difference struct {
	// Path is the field's, as in spec.template.spec.containers[name=main].ports[0].hostIP. Items of a list have the keys
	// by which the server tells them apart, or their index, from 0. Names with other characters than letters, digits, "_",
	// "-" and "/" are quoted, as in metadata.annotations["example.com/a"].
	Path string `json:"path"`
	// Was and Will are values as JSON has them; nil where the field is not there. What is new or goes is one value, with
	// all that is in it. A list is one value where its items have no keys, or would stand in another order.
	Was    any    `json:"was,omitempty"`
	Will   any    `json:"will,omitempty"`
	Origin Origin `json:"origin"`
}

// maxDifferences of one object.
const maxDifferences = 1000

// A comparison is of an object as it is, nil where it is not, with the object as it would be.
type comparison struct {
	secret              bool
	was, will, manifest map[string]any
	manager             string
}

// differences returns the first of them, and how many there are besides. The arguments stay as they are.
func differences(c comparison) ([]Difference, int) {
	was, will, manifest := content(c.was), content(c.will), content(c.manifest)
	if c.secret {
		for _, o := range []map[string]any{was, will, manifest} {
			mergeStringData(o)
		}
	}
	hide(was, will, c.secret)
	var d differ
	d.compare(place{
		manifest: manifest,
		owned:    fieldsOfManagers(c.was, func(manager string) bool { return manager == c.manager }),
		shape:    fieldsOfManagers(c.was, nil).merge(fieldsOfManagers(c.will, nil)),
	}, was, will)
	return d.found, d.omitted
}

// noise of metadata is the server's own, and no difference.
var noise = append([]string{"deletionTimestamp", "deletionGracePeriodSeconds", "name", "namespace"}, serverFields...)

// content returns what can differ of an object: maps of it that may be changed at the top, in data, and in the metadata's
// labels and annotations.
func content(o map[string]any) map[string]any {
	c := maps.Clone(o)
	if c == nil {
		c = make(map[string]any)
	}
	for _, f := range []string{"apiVersion", "kind", "status"} {
		delete(c, f)
	}
	given, _ := c["metadata"].(map[string]any)
	metadata := make(map[string]any, len(given))
	maps.Copy(metadata, given)
	for _, f := range noise {
		delete(metadata, f)
	}
	for _, f := range []string{"labels", "annotations"} {
		if texts, ok := metadata[f].(map[string]any); ok {
			texts = maps.Clone(texts)
			if metadata[f] = texts; f == "labels" {
				delete(texts, partOfLabel)
			}
			if len(texts) == 0 {
				delete(metadata, f)
			}
		}
	}
	c["metadata"] = metadata
	return c
}

// A place is where a comparison is, in all documents at once.
type place struct {
	path     string
	manifest any           // what the manifest has there; nil: nothing
	owned    managedFields // what the set's manager has there, as the object is
	shape    managedFields // what all have there
}

func (p place) field(name string) place {
	named, _ := p.manifest.(map[string]any)
	return place{path: fieldPath(p.path, name), manifest: named[name], owned: p.owned.field(name), shape: p.shape.field(name)}
}

func (p place) origin() Origin {
	if p.manifest != nil || p.owned != nil {
		return FromManifest
	}
	return FromServer
}

func fieldPath(path, name string) string {
	switch {
	case !plainWord(name):
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

func plainWord(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '/' {
			return false
		}
	}
	return s != ""
}

// A differ collects differences, in the order of the fields' names.
type differ struct {
	found   []Difference
	omitted int
}

func (d *differ) add(path string, was, will any, origin Origin) {
	if len(d.found) == maxDifferences {
		d.omitted++
		return
	}
	d.found = append(d.found, Difference{Path: path, Was: was, Will: will, Origin: origin})
}

func (d *differ) compare(at place, was, will any) {
	switch {
	case was == nil && will == nil:
		return
	case was == nil:
		d.added(at, will)
		return
	case will == nil:
		d.add(at.path, was, nil, at.origin())
		return
	}
	switch was := was.(type) {
	case map[string]any:
		if will, ok := will.(map[string]any); ok {
			all := make(map[string]any, len(will))
			maps.Copy(all, was)
			maps.Copy(all, will)
			for _, name := range sortedKeys(all) {
				d.compare(at.field(name), was[name], will[name])
			}
			return
		}
	case []any:
		if will, ok := will.([]any); ok {
			d.compareLists(at, was, will)
			return
		}
	}
	if !reflect.DeepEqual(was, will) {
		d.add(at.path, was, will, at.origin())
	}
}

// compareLists compares items by their keys. Where these stand in another order, the lists are one difference.
func (d *differ) compareLists(at place, was, will []any) {
	if reflect.DeepEqual(was, will) {
		return
	}
	named, _ := at.manifest.([]any)
	before, after, ok := keyed(at.shape.keys(), was, will)
	if !ok {
		d.compareUnkeyed(at, was, will, named)
		return
	}
	if !sameOrder(before, after) {
		d.add(at.path, was, will, at.origin())
		return
	}
	items := namedItems(after.keys, named)
	for i, label := range before.labels {
		if _, stays := after.places[label]; !stays {
			d.compare(at.item(after.keys, was[i], label, items), was[i], nil)
		}
	}
	for i, label := range after.labels {
		var old any
		if at, known := before.places[label]; known {
			old = was[at]
		}
		d.compare(at.item(after.keys, will[i], label, items), old, will[i])
	}
}

// compareUnkeyed compares items by their index where they are as many everywhere; else the lists as wholes, so that
// nothing is said of items that only moved up.
func (d *differ) compareUnkeyed(at place, was, will, named []any) {
	if len(was) != len(will) || named != nil && len(named) != len(will) || !allMaps(was) || !allMaps(will) {
		d.add(at.path, was, will, at.origin())
		return
	}
	for i := range will {
		item := place{path: fmt.Sprintf("%s[%d]", at.path, i), owned: at.owned, shape: at.shape}
		if named != nil {
			item.manifest = named[i]
		}
		d.compare(item, was[i], will[i])
	}
}

func (p place) item(keys []string, item any, label string, named map[string]any) place {
	object, _ := item.(map[string]any)
	return place{path: p.path + "[" + label + "]", manifest: namedItem(keys, object, named),
		owned: p.owned.item(keys, object), shape: p.shape.item(keys, object)}
}

// added tells what is new: what the manifest has of it in one, and what only the server has, field by field.
func (d *differ) added(at place, will any) {
	var server []Difference
	if named := split(at.path, will, at.manifest, at.shape, &server); named != nil {
		d.add(at.path, nil, named, FromManifest)
	}
	for _, s := range server {
		d.add(s.Path, nil, s.Will, FromServer)
	}
}

// split returns the part of will that the manifest has too, nil where it has none, and adds the rest to server.
func split(path string, will, manifest any, shape managedFields, server *[]Difference) any {
	if will == nil {
		return nil
	}
	if manifest == nil {
		*server = append(*server, Difference{Path: path, Will: will})
		return nil
	}
	switch will := will.(type) {
	case map[string]any:
		named, ok := manifest.(map[string]any)
		if !ok {
			return will
		}
		part := make(map[string]any)
		for _, name := range sortedKeys(will) {
			if v := split(fieldPath(path, name), will[name], named[name], shape.field(name), server); v != nil {
				part[name] = v
			}
		}
		return part
	case []any:
		named, ok := manifest.([]any)
		if !ok || !allMaps(will) || !allMaps(named) {
			return will
		}
		return splitList(path, will, named, shape, server)
	}
	return will
}

func splitList(path string, will, named []any, shape managedFields, server *[]Difference) any {
	list, _, ok := keyed(shape.keys(), will, will)
	if !ok && len(named) != len(will) {
		return will
	}
	var items map[string]any
	if ok {
		items = namedItems(list.keys, named)
	}
	part := []any{}
	for i, item := range will {
		object, _ := item.(map[string]any)
		itemPath, inner, manifest := fmt.Sprintf("%s[%d]", path, i), shape, any(nil)
		if ok {
			itemPath, inner = path+"["+list.labels[i]+"]", shape.item(list.keys, object)
			manifest = namedItem(list.keys, object, items)
		} else {
			manifest = named[i]
		}
		if v := split(itemPath, item, manifest, inner, server); v != nil {
			part = append(part, v)
		}
	}
	return part
}

func allMaps(list []any) bool {
	return !slices.ContainsFunc(list, func(item any) bool { _, ok := item.(map[string]any); return !ok })
}
