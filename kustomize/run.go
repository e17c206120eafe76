package kustomize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// kustomize has kustomize build the tree.
func (t *tree) kustomize(ctx context.Context) (objects []map[string]any, err error) {
	err = withSchema(ctx, t.schema, func() error {
		if t.fragile {
			if err := t.rehearse(ctx); err != nil {
				return err
			}
		}
		m, err := t.run(ctx, t.begin())
		if err != nil {
			return err
		}
		objects, err = fromResources(m)
		return err
	})
	if err == nil {
		return objects, nil
	}
	if stopped := ctx.Err(); stopped != nil {
		return nil, stopped
	}
	return nil, t.explain(err)
}

func (t *tree) run(ctx context.Context, root string) (m resmap.ResMap, err error) {
	defer recoverTo(&err)
	reorder := krusty.ReorderOptionNone
	if t.sorted {
		reorder = krusty.ReorderOptionUnspecified // or kustomize logs that it heeds the kustomization
	}
	options := &krusty.Options{
		Reorder:          reorder,
		LoadRestrictions: types.LoadRestrictionsNone, // beyond the root of the memory there is nothing
		PluginConfig:     types.DisabledPluginConfig(),
	}
	return krusty.MakeKustomizer(options).Run(&memory{ctx: ctx, tree: t}, root)
}

// rehearse builds the tree as the base of a kustomization that puts each object through JSON, for the sake of the error that
// this makes. Replacements and the like can leave a value that does not fit its field's type, an int that is "abc". In the
// build itself kustomize would end the process with log.Fatal when it comes to print such an object, which it does
// where a name that has changed could stand for two objects. In the rehearsal it does not get there.
func (t *tree) rehearse(ctx context.Context) error {
	_, err := t.run(ctx, rehearsalRoot)
	if err != nil && strings.Contains(err.Error(), "found multiple possible referrals") {
		return nil // the objects are in order; that a base's names are ambiguous says nothing about those of the build
	}
	return err
}

// rehearsal is the kustomization for rehearse. Its patch puts a field in its own place.
func (t *tree) rehearsal() ([]byte, error) {
	return json.Marshal(types.Kustomization{
		Resources: []string{path.Join("..", t.begin())},
		Patches: []types.Patch{{
			Target: &types.Selector{ResId: resid.ResId{Gvk: resid.Gvk{Kind: ".*"}}},
			Patch:  `[{"op": "copy", "from": "/kind", "path": "/kind"}]`,
		}},
	})
}

func fromResources(m resmap.ResMap) ([]map[string]any, error) {
	objects := make([]map[string]any, 0, m.Size())
	for _, r := range m.Resources() {
		o, err := toObject(r.Document())
		if err == nil {
			err = checkObject(o)
		}
		if err != nil {
			var e *Error
			if errors.As(err, &e) {
				err = e.Err // its line is not one of a file
			}
			return nil, &Error{Err: fmt.Errorf("%s %s: %w", r.GetKind(), r.GetName(), err)}
		}
		objects = append(objects, o)
	}
	return objects, nil
}

var (
	// deepest finds the folders of the kustomizations that kustomize was in when it failed.
	deepest = regexp.MustCompile(`path '(/[^']*)'`)

	// registered finds kind, group, name and namespace in what kustomize says about a duplicate.
	registered = regexp.MustCompile(
		`may not add resource with an already registered id: ([^./]*)\.[^./]*\.([^/]*)/(\S*)\.([^.\s'"]*)`)
)

func registeredIdentity(m []string) identity {
	id := identity{kind: m[0], group: m[1], name: m[2], namespace: m[3]}
	if id.group == "[noGrp]" {
		id.group = ""
	}
	if id.namespace == "[noNs]" {
		id.namespace = "default"
	}
	return id
}

// explain makes kustomize's error ours.
func (t *tree) explain(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	text := err.Error()
	if m := registered.FindStringSubmatch(text); m != nil {
		return t.duplicate(registeredIdentity(m[1:]), err)
	}
	file := t.dirs[t.dir]
	if t.overlaid != nil {
		file = overlayFile
	}
	if all := deepest.FindAllStringSubmatch(text, -1); all != nil {
		dir, _ := below(path.Clean(all[len(all)-1][1]))
		if f, ok := t.dirs[dir]; ok {
			file = f
		}
	}
	r := &reason{text: plainText(err), original: err}
	if strings.Contains(text, "produces ID conflict") {
		r.text, r.sentinel = "namespace: "+t.meeting(), ErrDuplicate
	}
	return at(file, r)
}
