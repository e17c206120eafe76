package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A difference is a field that two revisions build differently; without a path, an object that only one of them has.
type difference struct {
	Object string `json:"object"`
	Path   string `json:"path,omitempty"`
	From   any    `json:"from,omitempty"`
	To     any    `json:"to,omitempty"`
	Change string `json:"change"` // "added", "removed" or "changed"
}

// diff compares what two revisions of -git, or two folders, build to. It asks no cluster.
func diff(ctx context.Context, o *options) error {
	if len(o.args) != 2 {
		return errors.New("compare what? ci diff -git URL FROM TO, with branches, tags or commits in full, or ci diff FOLDER FOLDER; flags come first")
	}
	var built [2]map[string]*unstructured.Unstructured
	for i, arg := range o.args {
		objects, err := o.at(ctx, arg)
		if err != nil {
			return fmt.Errorf("%s: %w", arg, err)
		}
		built[i] = objects
	}
	all := compare(built[0], built[1])
	if err := o.writeDifferences(all); err != nil {
		return err
	}
	if o.exitCode && len(all) > 0 {
		return errChanges
	}
	return nil
}

// at builds a folder, or a revision of the repository: a commit, else a tag, else a branch.
func (o *options) at(ctx context.Context, arg string) (map[string]*unstructured.Unstructured, error) {
	if o.git == "" {
		there := *o
		there.folder = arg
		return there.objects(ctx)
	}
	here := *o
	if len(arg) == 40 {
		here.commit = arg
		return here.objects(ctx)
	}
	here.tag = arg
	objects, err := here.objects(ctx)
	if err == nil {
		return objects, nil
	}
	here.tag, here.branch = "", arg
	objects, otherErr := here.objects(ctx)
	if otherErr != nil {
		return nil, errors.Join(err, otherErr)
	}
	return objects, nil
}

// objects returns what the options name, by kind and name.
func (o *options) objects(ctx context.Context) (map[string]*unstructured.Unstructured, error) {
	list, _, err := o.built(ctx)
	if err != nil {
		return nil, err
	}
	objects := make(map[string]*unstructured.Unstructured, len(list))
	for _, object := range list {
		name := object.GetName()
		if namespace := object.GetNamespace(); namespace != "" {
			name = namespace + "/" + name
		}
		objects[object.GroupVersionKind().GroupKind().String()+" "+name] = object
	}
	return objects, nil
}

func compare(from, to map[string]*unstructured.Unstructured) (all []difference) {
	for _, name := range both(from, to) {
		a, b := from[name], to[name]
		switch {
		case a == nil:
			all = append(all, difference{Object: name, Change: "added"})
		case b == nil:
			all = append(all, difference{Object: name, Change: "removed"})
		default:
			fields := compareFields(nil, "", a.Object, b.Object)
			for i := range fields {
				fields[i].Object = name
				if b.GetKind() == "Secret" {
					fields[i].From, fields[i].To = "***", "***"
				}
			}
			all = append(all, fields...)
		}
	}
	return all
}

// compareFields goes into maps, and into lists of one length.
func compareFields(all []difference, path string, from, to any) []difference {
	list, isList := from.([]any)
	other, areLists := to.([]any)
	if isList && areLists && len(list) == len(other) {
		for i := range list {
			all = compareFields(all, fmt.Sprintf("%s[%d]", path, i), list[i], other[i])
		}
		return all
	}
	a, isMap := from.(map[string]any)
	b, areMaps := to.(map[string]any)
	if !isMap || !areMaps {
		if !reflect.DeepEqual(from, to) {
			change := map[[2]bool]string{{true, false}: "added", {false, true}: "removed"}[[2]bool{from == nil, to == nil}]
			if change == "" {
				change = "changed"
			}
			all = append(all, difference{Path: path, From: from, To: to, Change: change})
		}
		return all
	}
	for _, key := range both(a, b) {
		all = compareFields(all, path+"."+key, a[key], b[key])
	}
	return all
}

// both returns the keys of two maps, sorted.
func both[V any](a, b map[string]V) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (o *options) writeDifferences(all []difference) error {
	if o.output == "json" {
		return writeJSON(o.out, append([]difference{}, all...))
	}
	for _, d := range all {
		fmt.Fprintln(o.out, d)
	}
	return nil
}

// String is a line; what manifests say is quoted as JSON, and so cannot bring any control characters.
func (d difference) String() string {
	if d.Path == "" {
		return fmt.Sprintf("%-8s %s", d.Change, d.Object)
	}
	return fmt.Sprintf("%-8s %s %s: %s → %s", d.Change, d.Object, d.Path, quoted(d.From), quoted(d.To))
}

func quoted(value any) string {
	if value == nil {
		return "nothing"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%q", fmt.Sprint(value))
	}
	return string(text)
}
