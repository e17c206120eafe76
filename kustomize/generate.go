package kustomize

import (
	"io/fs"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/ifc"
	"sigs.k8s.io/kustomize/api/kv"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

// generation makes the objects of the fields configMapGenerator and secretGenerator of one kustomization. What is in them,
// and what is left of two where one is merged into the other, kustomize's own code says; it is given nothing but them.
type generation struct {
	*directBuild
	level   *level
	factory *resmap.Factory
	loader  ifc.KvLoader
	items   []*item
	known   map[itemID][]*item // by all that they are and were called
}

// generate adds the objects that a kustomization generates to its items, ConfigMaps first.
func (b *directBuild) generate(l *level, items []*item) ([]*item, error) {
	if len(l.ConfigMapGenerator)+len(l.SecretGenerator) == 0 {
		return items, nil
	}
	b.generated = true
	loader := kv.NewLoader(kvFiles{b.tree, l.kustomization}, provider.NewDefaultDepProvider().GetFieldValidator())
	g := &generation{b, l, resmap.NewFactory(b.factory), loader, items, map[itemID][]*item{}}
	for _, o := range items {
		if err := g.know(o); err != nil {
			return nil, err
		}
	}
	for _, args := range l.ConfigMapGenerator {
		if err := g.configMap(args); err != nil {
			return nil, err
		}
	}
	for _, args := range l.SecretGenerator {
		if err := g.secret(args); err != nil {
			return nil, err
		}
	}
	return g.items, nil
}

func (g *generation) know(o *item) error {
	ids, err := o.previousIDs()
	if err != nil {
		return err
	}
	for _, id := range append(ids, o.id()) {
		if !slices.Contains(g.known[id], o) {
			g.known[id] = append(g.known[id], o)
		}
	}
	return nil
}

func (g *generation) configMap(args types.ConfigMapArgs) error {
	var configured types.ConfigMapArgs
	var err error
	if args.Options, err = g.options(args.Options); err != nil {
		return err
	}
	if err := throughYAML(args, &configured); err != nil {
		return err
	}
	made, err := g.factory.FromConfigMapArgs(g.loader, configured)
	if err != nil {
		return errUnsure
	}
	return g.absorb(made)
}

func (g *generation) secret(args types.SecretArgs) error {
	var configured types.SecretArgs
	var err error
	if args.Options, err = g.options(args.Options); err != nil {
		return err
	}
	if err := throughYAML(args, &configured); err != nil {
		return err
	}
	made, err := g.factory.FromSecretArgs(g.loader, configured)
	if err != nil {
		return errUnsure
	}
	return g.absorb(made)
}

// options returns those of a generator with those of all generators. Kustomize's function would write into the former.
func (g *generation) options(local *types.GeneratorOptions) (*types.GeneratorOptions, error) {
	if local != nil {
		own := *local
		own.Labels, own.Annotations = maps.Clone(own.Labels), maps.Clone(own.Annotations)
		local = &own
	}
	merged := types.MergeGlobalOptionsIntoLocal(local, g.level.GeneratorOptions)
	if merged != nil {
		for key := range merged.Annotations {
			if isForeignNote(key) {
				return nil, errUnsure
			}
		}
	}
	return merged, nil
}

// throughYAML is the way on which kustomize hands arguments to its generators.
func throughYAML(args, configured any) error {
	text, err := yaml.Marshal(args)
	if err == nil {
		err = yaml.Unmarshal(text, configured)
	}
	if err != nil {
		return errUnsure
	}
	return nil
}

// absorb takes in an object that was generated: a new one, or one to be merged into the only one of that name, which has to
// be generated, too, for its texts to be known as kustomize has them.
func (g *generation) absorb(made resmap.ResMap) error {
	r := made.Resources()[0]
	o, err := g.item(r)
	if err != nil {
		return err
	}
	merges := false
	switch r.Behavior() {
	case types.BehaviorMerge, types.BehaviorReplace:
		merges = true
	}
	same := g.known[o.id()]
	if !merges && len(same) == 0 {
		g.items = append(g.items, o)
		return g.know(o)
	}
	if !merges || len(same) != 1 || same[0].annotations()[behaviorNote] == nil || !same[0].hasPlainTexts() {
		return errUnsure
	}
	old := &resource.Resource{RNode: *kyaml.NewRNode((&nodeWriter{}).node(same[0].object))}
	both := g.factory.FromResource(old)
	if err := both.AbsorbAll(made); err != nil || both.Size() != 1 {
		return errUnsure
	}
	merged, err := g.item(both.Resources()[0])
	if err == nil {
		*same[0] = *merged
	}
	return err
}

// item is what kustomize has generated.
func (g *generation) item(r *resource.Resource) (*item, error) {
	object, err := toMap(r.YNode(), false)
	if err != nil {
		return nil, errUnsure
	}
	o := &item{object: object, spelling: spellingOfTree(r.YNode()), scopes: g.scopes}
	if err := o.check(); err != nil {
		return nil, err
	}
	if !isPlainText(o.name()) || o.namespace() != "" && !isPlainText(o.namespace()) || !o.hasPlainTexts() {
		return nil, errUnsure
	}
	return o, nil
}

// dataFields are the fields of ConfigMaps and Secrets with texts from elsewhere.
var dataFields = [...]string{"data", "binaryData", "stringData"}

// hasPlainTexts says whether the content of a ConfigMap or Secret is texts, which kustomize prints such that it reads the
// same again, in whatever style it has them.
func (o *item) hasPlainTexts() bool {
	if metadata := o.metadata(); !isTexts(metadata["labels"]) || !isTexts(metadata["annotations"]) {
		return false
	}
	for _, field := range dataFields {
		if !isTexts(o.object[field]) {
			return false
		}
	}
	return true
}

func isTexts(value any) bool {
	m, ok := value.(map[string]any)
	if !ok {
		return value == nil
	}
	for key, child := range m {
		if shared, ok := child.(*sharedText); ok {
			child = shared.text
		}
		if text, ok := child.(string); !ok || isOddInPrint(text) || isOddInPrint(key) || strings.Contains(key, "\n") {
			return false
		}
	}
	return true
}

// isOddInPrint is changesInPrint for a text whose style is not known, but for that it is not folded. It takes for odd what
// only might be, such as the line breaks of Unicode and all that begins with a tab.
func isOddInPrint(text string) bool {
	n := kyaml.Node{Value: text}
	return changesInPrint(&n) || strings.HasPrefix(strings.TrimLeft(text, " \n"), "\t") ||
		strings.ContainsAny(text, "\u0085\u2028\u2029\ufeff")
}

// hasOddStyle says whether a patch has a text that kustomize may print in another way, which then counts for the hash.
func hasOddStyle(n *kyaml.Node) bool {
	return n.Kind == kyaml.ScalarNode && changesInPrint(n) || slices.ContainsFunc(n.Content, hasOddStyle)
}

// kvFiles is kustomize's loader of the files that a kustomization generates objects from: those that the scan took in.
type kvFiles struct {
	tree *tree
	k    *kustomization
}

func (f kvFiles) Load(ref string) ([]byte, error) {
	name, err := f.k.named(ref)
	if err != nil {
		return nil, err
	}
	content, ok := f.tree.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return content, nil
}

func (f kvFiles) Repo() string                   { return "" }
func (f kvFiles) Root() string                   { return f.k.dir }
func (f kvFiles) New(string) (ifc.Loader, error) { return nil, errRefused }
func (f kvFiles) Cleanup() error                 { return nil }
