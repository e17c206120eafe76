package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// patches takes in patches of all three fields.
func (s *scanner) patches(k *kustomization) error {
	for i, p := range k.Patches {
		if err := s.patch(k, fmt.Sprintf("patches[%d]", i), p.Path, p.Patch); err != nil {
			return err
		}
	}
	for i, p := range k.PatchesJson6902 {
		if p.Target == nil {
			return fmt.Errorf("patchesJson6902[%d]: no target", i)
		}
		if err := s.patch(k, fmt.Sprintf("patchesJson6902[%d]", i), p.Path, p.Patch); err != nil {
			return err
		}
	}
	for i, p := range k.PatchesStrategicMerge {
		if err := s.strategicPatch(k, fmt.Sprintf("patchesStrategicMerge[%d]", i), string(p)); err != nil {
			return err
		}
	}
	return nil
}

// strategicPatch takes p for a patch if it can be read as one, and else for the path of one, as kustomize does.
func (s *scanner) strategicPatch(k *kustomization, field, p string) error {
	isText, err := s.isText(p)
	if err != nil {
		return inline(field, err)
	}
	if isText {
		return s.patch(k, field, "", p)
	}
	return s.patch(k, field, p, "")
}

// isText says whether an entry of a kustomization that can be objects or the path of a file with objects is the former.
// Kustomize takes for a path whatever it cannot read; what has several lines is an error here.
func (s *scanner) isText(entry string) (bool, error) {
	if err := guardYAML([]byte(entry), s.limit); err != nil {
		return false, err
	}
	_, err := s.nodes([]byte(entry))
	if err == nil || !strings.Contains(entry, "\n") {
		return err == nil, nil
	}
	if err := s.syntax([]byte(entry)); err != nil {
		return false, err
	}
	return false, &reason{text: plainText(err), original: err}
}

// patch checks a patch that is in the file ref, or else is text.
func (s *scanner) patch(k *kustomization, field, ref, text string) error {
	if ref == "" {
		return inline(field, s.checkPatch([]byte(text)))
	}
	name, content, err := s.yamlFile(k, field, ref)
	if err != nil {
		return err
	}
	return at(name, s.checkPatch(content))
}

// checkPatch checks the values in a strategic merge patch as those in a manifest are: they become those of objects. A JSON
// patch is for kustomize to read.
func (s *scanner) checkPatch(content []byte) error {
	if err := guardYAML(content, s.limit); err != nil {
		return err
	}
	nodes, err := s.nodes(content)
	if err != nil {
		if bytes.HasPrefix(bytes.TrimSpace(content), []byte("[")) {
			return nil // JSON, which may have tabs where YAML must not
		}
		return s.syntax(content)
	}
	for _, n := range nodes {
		if _, err := toObject(n.YNode()); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) syntax(content []byte) error {
	for _, doc := range splitDocuments(content) {
		if err := doc.checkSyntax(); err != nil {
			return err
		}
	}
	return nil
}

// inline places an error in text that stands inside a kustomization. Its lines are not those of the file.
func inline(field string, err error) error {
	var e *Error
	if err == nil || !errors.As(err, &e) {
		return prefixed(field, err)
	}
	if e.Line > 0 {
		return fmt.Errorf("%s: line %d of it: %w", field, e.Line, e.Err)
	}
	return fmt.Errorf("%s: %w", field, e.Err)
}

func prefixed(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", field, err)
}
