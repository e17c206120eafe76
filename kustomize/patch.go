//lint:file-ignore SA1019 deprecated fields are read: kustomizations in the wild have them

package kustomize

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// patches takes in patches of all three fields.
func (s *scanner) patches(k *kustomization) error {
	for i, p := range k.Patches {
		// Kustomize trims the text of these, and of no others.
		if err := s.patch(k, fmt.Sprintf("patches[%d]", i), p.Path, strings.TrimSpace(p.Patch)); err != nil {
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
		return k.atWord(field, p, inline(field, err))
	}
	if isText {
		return s.patch(k, field, "", p)
	}
	return s.patch(k, field, p, "")
}

// isText says whether an entry of a kustomization that can be objects or the path of a file with objects is the former.
// Kustomize takes for a path whatever it cannot read; what has several lines is an error here. So is what it would take for
// an address then: it reads objects of one identity, and only later finds that it cannot have two.
func (s *scanner) isText(entry string) (bool, error) {
	address := isAddress(entry)
	if address && strings.ContainsAny(entry, lineBreaks) {
		line, _, _ := strings.Cut(entry, "\n")
		return false, fmt.Errorf("%w: %s", ErrRemote, shown(redact(line)))
	}
	if address && s.limits.Remote == nil {
		return false, unserved(entry)
	}
	_, err := s.nodes([]byte(entry))
	if err == nil && address {
		return false, unserved(entry)
	}
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrCycle) && !strings.ContainsAny(entry, lineBreaks) {
		return false, nil
	}
	return false, shortenedError(err)
}

// lineBreaks are all that YAML knows.
const lineBreaks = "\n\r\u0085\u2028\u2029"

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
	nodes, err := s.nodes(content)
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	if err := s.operations(content); err != nil {
		return err
	}
	if err != nil && json.Valid(content) {
		return nil // a JSON patch, which may have tabs where YAML must not
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return err
	}
	for _, n := range nodes {
		m, err := toObject(n.YNode())
		if err != nil {
			return err
		}
		s.printing.value(m)
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
