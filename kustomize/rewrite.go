//lint:file-ignore SA1019 deprecated fields are rewritten: kustomizations in the wild have them

package kustomize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// replaceAddresses makes the kustomizations with remote references those of the same with paths into the mounts: kustomize
// would run git for an address, or fetch it. What kustomize gets is the kustomization as it understands it itself, encoded
// again, which is held against the original.
//
// At last it makes sure that no kustomization that kustomize gets has an address.
func (s *scanner) replaceAddresses() error {
	if len(s.mounts.all) == 0 {
		return nil
	}
	if s.tree.traced {
		return at(s.tree.dirs[s.tree.dir], fmt.Errorf("buildMetadata: %w: annotations that tell origins, with remote references",
			ErrUnsupported))
	}
	for _, dir := range sortedNames(s.known) {
		k := s.known[dir]
		if len(k.moved) == 0 {
			continue
		}
		if s.named[k.file] {
			return at(k.file, fmt.Errorf("%w: is listed as a file, and has remote references", ErrUnsupported))
		}
		content, err := k.withoutAddresses()
		if err != nil {
			return at(k.file, err)
		}
		s.tree.files[k.file] = content
	}
	for _, dir := range sortedNames(s.tree.dirs) {
		file := s.tree.dirs[dir]
		if content, ok := s.tree.files[file]; ok {
			if err := checkAddresses(content); err != nil {
				return at(file, err)
			}
		}
	}
	return nil
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// withoutAddresses returns the content of k's file with paths in place of what k.moved has.
func (k *kustomization) withoutAddresses() ([]byte, error) {
	original, err := json.Marshal(k.Kustomization)
	if err != nil {
		return nil, err
	}
	var rewritten, again types.Kustomization
	if err := readAgain(original, &rewritten); err != nil {
		return nil, err
	}
	if same, err := json.Marshal(rewritten); err != nil || !bytes.Equal(same, original) {
		return nil, errors.Join(errChanged, err)
	}
	eachReference(&rewritten, k.path)
	content, err := json.Marshal(rewritten)
	if err != nil {
		return nil, err
	}
	if err := readAgain(content, &again); err != nil {
		return nil, err
	}
	if same, err := json.Marshal(again); err != nil || !bytes.Equal(same, content) {
		return nil, errors.Join(errChanged, err)
	}
	return content, nil
}

var errChanged = errors.New("remote references in it cannot be replaced without changing it")

func readAgain(content []byte, into *types.Kustomization) error {
	if err := into.Unmarshal(content); err != nil {
		return &reason{text: errChanged.Error(), original: err}
	}
	into.FixKustomization()
	return nil
}

// path returns what a reference of k is called in kustomize's memory, where that is not what k calls it.
func (k *kustomization) path(ref string) string {
	name, ok := k.moved[ref]
	if !ok {
		return ref
	}
	return pathToRoot(k.dir) + strings.TrimPrefix(name, "/")
}

// pathToRoot leads from a folder of the tree to the root of the memory.
func pathToRoot(dir string) string {
	return strings.Repeat("../", strings.Count(inMemory(dir), "/"))
}

// inMemory returns where kustomize finds what the scan calls name.
func inMemory(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(sourceRoot, name)
}

// eachReference replaces each path or address in a kustomization by what replace makes of it. These are all the fields by
// which kustomize goes to its loader.
func eachReference(k *types.Kustomization, replace func(string) string) {
	for _, list := range [][]string{
		k.Resources, k.Bases, k.Components, k.Crds, k.Configurations, k.Generators, k.Transformers, k.Validators,
	} {
		replaceAll(list, replace)
	}
	if ref, ok := k.OpenAPI["path"]; ok {
		k.OpenAPI["path"] = replace(ref)
	}
	for _, patches := range [][]types.Patch{k.Patches, k.PatchesJson6902} {
		for i := range patches {
			patches[i].Path = replace(patches[i].Path)
		}
	}
	for i, p := range k.PatchesStrategicMerge {
		k.PatchesStrategicMerge[i] = types.PatchStrategicMerge(replace(string(p)))
	}
	for i := range k.Replacements {
		k.Replacements[i].Path = replace(k.Replacements[i].Path)
	}
	for i := range k.ConfigMapGenerator {
		eachSource(&k.ConfigMapGenerator[i].KvPairSources, replace)
	}
	for i := range k.SecretGenerator {
		eachSource(&k.SecretGenerator[i].KvPairSources, replace)
	}
}

func replaceAll(list []string, replace func(string) string) {
	for i, ref := range list {
		list[i] = replace(ref)
	}
}

// eachSource is eachReference for what an object is generated from. A file's name is its key, unless one is given.
func eachSource(sources *types.KvPairSources, replace func(string) string) {
	for i, source := range sources.FileSources {
		key, ref, keyed := strings.Cut(source, "=")
		if !keyed {
			key, ref = path.Base(source), source
		}
		if to := replace(ref); to != ref {
			sources.FileSources[i] = key + "=" + to
		}
	}
	replaceAll(sources.EnvSources, replace)
	sources.EnvSource = replace(sources.EnvSource)
}

// checkAddresses makes sure that there is none left in a kustomization.
func checkAddresses(content []byte) (err error) {
	var k types.Kustomization
	if err := readAgain(content, &k); err != nil {
		return err
	}
	eachReference(&k, func(ref string) string {
		if isAddress(ref) {
			err = fmt.Errorf("%w: kustomize would have been given %s", ErrRemote, quotedReference(ref))
		}
		return ref
	})
	return err
}
