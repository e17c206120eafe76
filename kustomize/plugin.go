//lint:file-ignore SA1019 deprecated fields are read: kustomizations in the wild have them

package kustomize

import (
	"errors"
	"fmt"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/yaml"
)

// plugins checks the fields generators, transformers and validators. Each of them names objects that configure a plugin of
// kustomize's own, or stands for such objects itself.
func (s *scanner) plugins(k *kustomization) error {
	for _, f := range []struct {
		name    string
		entries []string
	}{{"generators", k.Generators}, {"transformers", k.Transformers}, {"validators", k.Validators}} {
		for _, text := range f.entries {
			s.tree.fragile = true
			if err := s.plugin(k, f.name, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *scanner) plugin(k *kustomization, field, text string) error {
	isText, err := s.isText(text)
	if err != nil {
		return k.atWord(field, text, inline(field, err))
	}
	if isText {
		return k.atWord(field, text, inline(field, s.pluginConfigs(k, []byte(text))))
	}
	name, e, err := s.reach(k, field, text, anything)
	if err != nil {
		return err
	}
	if e.dir {
		return s.pluginFolder(k, field, e.real, 0)
	}
	return s.pluginFile(k, name)
}

func (s *scanner) pluginFile(k *kustomization, name string) error {
	content, err := s.give(name)
	if err != nil {
		return err
	}
	return at(name, s.pluginConfigs(k, content))
}

// pluginFolder checks configurations that are built from a kustomization of their own. It may only list files: what is to be
// refused in a configuration must be there to see, and not come about when it is built.
func (s *scanner) pluginFolder(k *kustomization, field, dir string, depth int) error {
	if depth == s.limits.MaxDepth {
		return fmt.Errorf("%s: %w: %s is too deep (Options.MaxDepth)", field, ErrTooLarge, dir)
	}
	if s.leadsHere(dir) {
		return cycle(field, dir)
	}
	sub, err := s.kustomization(dir)
	if err != nil {
		return err
	}
	if sub == nil {
		return noKustomization(field, dir)
	}
	if !sub.plain() {
		return at(sub.file, fmt.Errorf("%w: a kustomization under %s may only have resources", ErrUnsupported, field))
	}
	s.tree.dirs[dir] = sub.file
	for _, ref := range sub.Resources {
		if err := s.pluginResource(k, sub, field, ref, depth); err != nil {
			return at(sub.file, err)
		}
	}
	return nil
}

func (s *scanner) pluginResource(k, sub *kustomization, field, ref string, depth int) error {
	name, e, err := s.reach(sub, "resources", ref, anything)
	if err != nil {
		return err
	}
	if !e.dir {
		return s.pluginFile(k, name)
	}
	if isWithin(sub.dir, e.real) {
		return cycle("resources", name)
	}
	return s.pluginFolder(k, field, e.real, depth+1)
}

// pluginConfigs checks each object in a configuration. The paths in it are relative to the kustomization that uses it,
// wherever the configuration is.
func (s *scanner) pluginConfigs(k *kustomization, content []byte) error {
	nodes, err := s.nodes(content)
	if err != nil {
		if _, explained := s.parser.manifest(content); explained != nil {
			return explained
		}
		return shortenedError(err)
	}
	for _, n := range nodes {
		m, err := toObject(n.YNode())
		if err != nil {
			return err
		}
		if err := checkObject(m); err != nil {
			return err
		}
		group, version := resid.ParseGroupVersion(n.GetApiVersion())
		if group != "" || version != konfig.BuiltinPluginApiVersion {
			err := fmt.Errorf("%w: %s of %s is not built into kustomize", ErrUnsupported, n.GetKind(), n.GetApiVersion())
			return atLine(objectLine(content, n.GetApiVersion(), n.GetKind()), err)
		}
		config, err := yaml.Marshal(m)
		if err != nil {
			return err
		}
		if err := s.pluginConfig(k, n.GetKind(), config); err != nil {
			err = fmt.Errorf("%s: %w", n.GetKind(), err)
			if e := (*Error)(nil); errors.As(err, &e) || !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrRemote) {
				return err
			}
			return atLine(objectLine(content, n.GetApiVersion(), n.GetKind()), err)
		}
	}
	return nil
}

// pluginConfig follows the paths in the configuration of a plugin.
func (s *scanner) pluginConfig(k *kustomization, kind string, config []byte) error {
	read, ok := pluginReaders[kind]
	if !ok {
		return fmt.Errorf("%w: kustomize has no such plugin that can be used here", ErrUnsupported)
	}
	if read == nil {
		return nil
	}
	spec := types.Kustomization{}
	if err := read(config, &spec); err != nil {
		return &reason{text: plainText(err), original: err}
	}
	return s.references(&kustomization{Kustomization: spec, dir: k.dir, file: k.file, embedded: true})
}

// pluginReaders are the plugins that may be configured, with what translates a configuration into the fields of a
// kustomization that refer to the same files; nil where it refers to none.
var pluginReaders = map[string]func([]byte, *types.Kustomization) error{
	"AnnotationsTransformer":  nil,
	"HashTransformer":         nil,
	"IAMPolicyGenerator":      nil,
	"ImageTagTransformer":     nil,
	"LabelTransformer":        nil,
	"NamespaceTransformer":    nil,
	"PrefixSuffixTransformer": nil,
	"PrefixTransformer":       nil,
	"ReplicaCountTransformer": nil,
	"SuffixTransformer":       nil,

	"ConfigMapGenerator": func(config []byte, k *types.Kustomization) error {
		k.ConfigMapGenerator = make([]types.ConfigMapArgs, 1)
		return yaml.Unmarshal(config, &k.ConfigMapGenerator[0])
	},
	"SecretGenerator": func(config []byte, k *types.Kustomization) error {
		k.SecretGenerator = make([]types.SecretArgs, 1)
		return yaml.Unmarshal(config, &k.SecretGenerator[0])
	},
	"PatchTransformer": func(config []byte, k *types.Kustomization) error {
		k.Patches = make([]types.Patch, 1)
		return yaml.Unmarshal(config, &k.Patches[0])
	},
	"PatchJson6902Transformer":       readJSONPatch,
	"PatchStrategicMergeTransformer": readStrategicPatch,
	"ReplacementTransformer": func(config []byte, k *types.Kustomization) error {
		var c struct {
			Replacements []types.ReplacementField `json:"replacements"`
		}
		err := yaml.Unmarshal(config, &c)
		k.Replacements = c.Replacements
		return err
	},
	"ValueAddTransformer": func(config []byte, k *types.Kustomization) error {
		var c struct {
			TargetFilePath string `json:"targetFilePath"`
		}
		err := yaml.Unmarshal(config, &c)
		if c.TargetFilePath != "" {
			k.Configurations = []string{c.TargetFilePath}
		}
		return err
	},
}

func readJSONPatch(config []byte, k *types.Kustomization) error {
	var c struct {
		Target *types.Selector `json:"target"`
		Path   string          `json:"path"`
		JSONOp string          `json:"jsonOp"`
	}
	err := yaml.Unmarshal(config, &c)
	k.PatchesJson6902 = []types.Patch{{Target: c.Target, Path: c.Path, Patch: c.JSONOp}}
	return err
}

func readStrategicPatch(config []byte, k *types.Kustomization) error {
	var c struct {
		Paths   []types.PatchStrategicMerge `json:"paths"`
		Patches string                      `json:"patches"`
	}
	err := yaml.Unmarshal(config, &c)
	k.PatchesStrategicMerge = c.Paths
	if c.Patches != "" {
		k.PatchesStrategicMerge = append(k.PatchesStrategicMerge, types.PatchStrategicMerge(c.Patches))
	}
	return err
}
