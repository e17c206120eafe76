package kustomize

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Overlay is what [Build] does on top of the folder that it builds: it is a kustomization whose only resource is that
// folder, and it means what kustomize makes of such a one, in kustomize's order. The files stay as they are. The fields and
// their JSON are those of a kustomization, so that a custom resource can hold an Overlay.
//
// Beside its own fields it has the sortOptions and the buildMetadata of the folder's kustomization, which kustomize takes
// from the uppermost kustomization only. An error in it names the file "Options.Overlay".
type Overlay struct {
	// Namespace is set on every object that has one, and in what refers to ServiceAccounts. An object of kind Namespace gets
	// it for its name.
	Namespace string `json:"namespace,omitempty"`

	// NamePrefix and NameSuffix are added to the names of all objects but definitions and Namespaces, and where objects
	// of the build refer to each other.
	NamePrefix string `json:"namePrefix,omitempty"`
	NameSuffix string `json:"nameSuffix,omitempty"`

	// Labels are set on every object.
	Labels []Label `json:"labels,omitempty"`

	// CommonAnnotations are set on every object and on the templates of pods in it: a change of one starts new pods.
	CommonAnnotations map[string]string `json:"commonAnnotations,omitempty"`

	// Patches are applied one after the other.
	Patches []Patch `json:"patches,omitempty"`

	// Images sets names, tags and digests of containers' images.
	Images []Image `json:"images,omitempty"`

	// Replicas sets how many replicas the Deployments, ReplicaSets, ReplicationControllers and StatefulSets of a name have.
	Replicas []Replica `json:"replicas,omitempty"`

	// Components are folders of kustomizations of kind Component, relative to the folder that is built.
	Components []string `json:"components,omitempty"`

	// IgnoreMissingComponents passes over components whose folder does not exist, which else is an error that matches
	// [fs.ErrNotExist].
	IgnoreMissingComponents bool `json:"ignoreMissingComponents,omitempty"`

	// SortOptions says in which order the objects come. Nil: in that of the folder's kustomization, if it says one, and
	// else in the order of the files. The kustomize program by itself sorts as "legacy" does.
	SortOptions *SortOptions `json:"sortOptions,omitempty"`

	// BuildMetadata asks for originAnnotations, transformerAnnotations and managedByLabel. Paths in the annotations are
	// relative to the folder that is built. The label's value has kustomize's version, which a program that imports it has
	// to be linked with (-ldflags "-X sigs.k8s.io/kustomize/api/provenance.version=v5.8.0"): without, the label is not valid.
	BuildMetadata []string `json:"buildMetadata,omitempty"`
}

// Label is a set of labels.
type Label struct {
	Pairs            map[string]string `json:"pairs,omitempty"`
	IncludeSelectors bool              `json:"includeSelectors,omitempty"` // also in selectors, most of which cannot be changed later, and in templates
	IncludeTemplates bool              `json:"includeTemplates,omitempty"` // also in the templates of pods: a change starts new pods
}

// Patch is a strategic merge patch, or a JSON patch of RFC 6902, in YAML or JSON.
type Patch struct {
	Patch  string    `json:"patch,omitempty"`  // the patch itself
	Path   string    `json:"path,omitempty"`   // or its file, relative to the folder that is built
	Target *Selector `json:"target,omitempty"` // what it is for; nil: the object that a strategic merge patch names
}

// Selector says which objects a patch is for; that there is none is no error. Fields that are empty match everything; group, version, kind, name and
// namespace are regular expressions that have to match as a whole.
type Selector struct {
	Group              string `json:"group,omitempty"`
	Version            string `json:"version,omitempty"`
	Kind               string `json:"kind,omitempty"`
	Name               string `json:"name,omitempty"`
	Namespace          string `json:"namespace,omitempty"`
	LabelSelector      string `json:"labelSelector,omitempty"`      // as of kubectl -l
	AnnotationSelector string `json:"annotationSelector,omitempty"` // the same for annotations
}

// Image says what becomes of the images that are called Name, be their tag or digest what it is. That there is none is no
// error.
type Image struct {
	Name    string `json:"name,omitempty"`
	NewName string `json:"newName,omitempty"`
	NewTag  string `json:"newTag,omitempty"`
	Digest  string `json:"digest,omitempty"` // with its algorithm: "sha256:…"; instead of a tag
}

// Replica says how many replicas the workload called Name has.
type Replica struct {
	Name  string `json:"name,omitempty"`
	Count int64  `json:"count"`
}

// SortOptions is an order of objects.
type SortOptions struct {
	Order  string             `json:"order,omitempty"`             // "legacy": by kind, or "fifo": as they were listed
	Legacy *LegacySortOptions `json:"legacySortOptions,omitempty"` // for "legacy"; nil: kustomize's own order of kinds
}

// LegacySortOptions is an order of kinds. Kinds that are in neither list come between them.
type LegacySortOptions struct {
	OrderFirst []string `json:"orderFirst,omitempty"`
	OrderLast  []string `json:"orderLast,omitempty"`
}

// overlayFile is what errors call the overlay.
const overlayFile = "Options.Overlay"

// kustomization returns the overlay as if it stood in the folder dir, without its resource, and nil if there is nothing in
// it.
func (o Overlay) kustomization(dir string) (*kustomization, error) {
	o.IgnoreMissingComponents = false // no field of a kustomization
	content, err := json.Marshal(o)
	if err != nil || string(content) == "{}" {
		return nil, at(overlayFile, err)
	}
	k := &kustomization{dir: dir, file: overlayFile}
	return k, at(overlayFile, k.parse(content))
}

// overlay checks the overlay over the kustomization below, which has been visited, and hands it to kustomize.
func (s *scanner) overlay(below *kustomization) error {
	k, err := s.limits.Overlay.kustomization(below.dir)
	if k == nil || err != nil {
		return err
	}
	if s.transforming == 0 && !s.tree.noted {
		s.merge(below.dir, s.tree.manifests)
	}
	if s.limits.Overlay.IgnoreMissingComponents {
		if err := s.dropMissing(k); err != nil {
			return err
		}
	}
	s.transforming++
	s.level = &level{kustomization: k, parts: []part{{base: s.tree.root}}}
	s.tree.root = s.level
	if err := at(overlayFile, s.references(k)); err != nil {
		return err
	}
	if k.SortOptions == nil {
		k.SortOptions = below.SortOptions
	}
	s.tree.sorted = k.SortOptions != nil
	for _, m := range below.BuildMetadata {
		if !slices.Contains(k.BuildMetadata, m) {
			k.BuildMetadata = append(k.BuildMetadata, m)
		}
	}
	s.tree.overlaid = k
	return s.giveOverlay(k)
}

func (s *scanner) dropMissing(k *kustomization) error {
	var there []string
	for _, ref := range k.Components {
		name, err := resolve(k.dir, ref)
		if err == nil {
			_, err = s.look(name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		there = append(there, ref) // other errors are told where it is followed
	}
	k.Components = there
	return s.ctx.Err()
}

// giveOverlay writes the overlay for kustomize, which finds it beside the tree.
func (s *scanner) giveOverlay(k *kustomization) error {
	beside := func(ref string) string {
		if name, ok := k.moved[ref]; ok {
			return path.Join("..", name)
		}
		return path.Join("..", sourceRoot, k.dir, ref)
	}
	written := k.Kustomization
	written.Resources = []string{beside("")}
	written.Components, written.Patches = nil, nil
	for _, ref := range k.Components {
		written.Components = append(written.Components, beside(ref))
	}
	for _, p := range k.Patches {
		if p.Path != "" {
			p.Path = beside(p.Path)
		}
		written.Patches = append(written.Patches, p)
	}
	content, err := json.Marshal(written)
	s.tree.overlay = content
	return at(overlayFile, err)
}

// renameNotes makes the paths in kustomize's notes relative to the folder that is built. Kustomize has them relative to the
// overlay's.
func (t *tree) renameNotes(m map[string]any) {
	metadata, _ := m["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	for _, key := range []string{"config.kubernetes.io/origin", "alpha.config.kubernetes.io/transformations"} {
		note, ok := annotations[key].(string)
		if !ok {
			continue
		}
		const beside = ".." + sourceRoot + "/"
		up := ""
		if t.dir != "." {
			note = strings.ReplaceAll(note, beside+t.dir+"/", "")
			up = strings.Repeat("../", strings.Count(t.dir, "/")+1)
		}
		annotations[key] = strings.ReplaceAll(note, beside, up)
	}
}

// begin is the folder at which kustomize begins.
func (t *tree) begin() string {
	if t.overlay != nil {
		return overlayRoot
	}
	return path.Join(sourceRoot, t.dir)
}
