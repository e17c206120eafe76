package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/api/types"
)

// openAPI takes in a custom OpenAPI schema. Kustomize puts it into a global; see schema.go.
func (s *scanner) openAPI(k *kustomization) error {
	if len(k.OpenAPI) == 0 {
		return nil
	}
	s.tree.schema = true
	ref, ok := k.OpenAPI["path"]
	if !ok {
		return nil
	}
	name, content, err := s.yamlFile(k, "openapi", ref)
	if err != nil {
		return err
	}
	schema, err := checkOpenAPI(content)
	if err != nil {
		return at(name, err)
	}
	s.tree.files[name] = schema // as it was understood here, lest a key that is there twice is understood differently
	return nil
}

// crds takes in OpenAPI definitions of custom resources. In spite of what it is called, this field does not touch
// kustomize's schema: the definitions only say which fields hold names and labels.
func (s *scanner) crds(k *kustomization) error {
	for _, ref := range k.Crds {
		name, content, err := s.yamlFile(k, "crds", ref)
		if err != nil {
			return err
		}
		s.tree.fragile = true
		definitions, err := checkDefinitions(content)
		if err != nil {
			return at(name, err)
		}
		s.tree.files[name] = definitions
	}
	return nil
}

func (s *scanner) configurations(k *kustomization) error {
	for _, ref := range k.Configurations {
		s.tree.fragile = true
		if _, _, err := s.yamlFile(k, "configurations", ref); err != nil {
			return err
		}
	}
	return nil
}

// kvSources takes in what ConfigMaps and Secrets are generated from.
func (s *scanner) kvSources(k *kustomization) error {
	s.objects += len(k.ConfigMapGenerator) + len(k.SecretGenerator)
	for _, g := range k.ConfigMapGenerator {
		if err := s.generator(k, "configMapGenerator", &g.GeneratorArgs); err != nil {
			return err
		}
	}
	for _, g := range k.SecretGenerator {
		if err := s.generator(k, "secretGenerator", &g.GeneratorArgs); err != nil {
			return err
		}
	}
	return s.limits.checkObjects(s.objects)
}

// generator checks one ConfigMap's or Secret's sources. Those that kustomize cannot read it would quote in its error; here
// they are only counted, since they may be secret.
func (s *scanner) generator(k *kustomization, field string, g *types.GeneratorArgs) error {
	field = fmt.Sprintf("%s %q", field, g.Name)
	for i, literal := range g.LiteralSources {
		if strings.IndexByte(literal, '=') < 1 {
			return fmt.Errorf("%s: literal %d is not of the form key=value", field, i+1)
		}
		_, value, _ := strings.Cut(literal, "=")
		s.unprintable([]byte(strings.TrimLeft(value, `"'`)))
	}
	for i, source := range g.FileSources {
		if n := strings.Count(source, "="); n > 1 || strings.HasPrefix(source, "=") {
			return fmt.Errorf("%s: file %d is not of the form [key=]path", field, i+1)
		}
		_, ref, ok := strings.Cut(source, "=")
		if !ok {
			ref = source
		}
		_, content, err := s.file(k, field, ref)
		if err != nil {
			return err
		}
		s.unprintable(content)
	}
	envs := g.EnvSources
	if g.EnvSource != "" {
		envs = append(envs[:len(envs):len(envs)], g.EnvSource)
	}
	lines, err := s.envFiles(k, field, envs)
	if err != nil {
		return err
	}
	// Kustomize looks for each key among those that are there already. See Options.MaxWork.
	keys := int64(len(g.LiteralSources) + len(g.FileSources) + lines)
	s.work = added(s.work, keys*keys/64)
	return prefixed(field, s.limits.checkWork(s.work))
}

// unprintable looks for a text that kustomize prints in a way that cannot be read, and has the build rehearsed then.
func (s *scanner) unprintable(text []byte) {
	if bytes.HasPrefix(bytes.TrimLeft(text, " \n"), []byte("\t")) {
		s.tree.fragile = true
	}
}

func (s *scanner) envFiles(k *kustomization, field string, refs []string) (lines int, err error) {
	for _, ref := range refs {
		name, content, err := s.file(k, field, ref)
		if err != nil {
			return 0, err
		}
		if !utf8.Valid(content) {
			return 0, at(name, errors.New("is not UTF-8 text"))
		}
		lines += bytes.Count(content, windowsEnd[1:]) + 1
		for i, line := range bytes.Split(content, windowsEnd[1:]) {
			key, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte("="))
			s.tree.fragile = s.tree.fragile || len(key) > 0 && key[0] != '#' && isOddKey(string(key))
			if len(line) > maxEnvLine {
				return 0, at(name, atLine(i+1, fmt.Errorf("%w: a line may have %d bytes", ErrTooLarge, maxEnvLine)))
			}
		}
	}
	return lines, nil
}

// maxEnvLine is where kustomize stops reading an env file without a word: the buffer of its bufio.Scanner.
const maxEnvLine = 64<<10 - 1

func (s *scanner) helm(k *kustomization) error {
	if len(k.HelmCharts) == 0 {
		return nil
	}
	return k.atWord("helmCharts", "", fmt.Errorf("helmCharts: %w: the chart %q", ErrUnsupported, k.HelmCharts[0].Name))
}

func (s *scanner) replacements(k *kustomization) error {
	for i, r := range k.Replacements {
		s.tree.fragile = true
		field := fmt.Sprintf("replacements[%d]", i)
		if r.Path == "" {
			if err := prefixed(field, s.replaced(r.Replacement)); err != nil {
				return err
			}
			continue
		}
		name, content, err := s.yamlFile(k, field, r.Path)
		if err != nil {
			return err
		}
		if err := at(name, s.replacedIn(content)); err != nil {
			return err
		}
	}
	return nil
}
