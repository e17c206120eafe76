package kustomize

import (
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// growth bounds what copying inside of objects comes to. A JSON patch that copies a field into itself doubles it, and thirty
// such lines make gigabytes of nothing. It is reckoned on the safe side, without a look at the objects: as if all patches were
// about one, which is as large as the largest file.
type growth struct {
	size   int64 // of that object
	places []grownPlace
	total  int64
}

// grownShare is how much may come about by copies, for each byte that may be read. The reckoning is rough, and many copies of
// small fields beside a large object are no harm.
const grownShare = 4

// grownPlace is where something was copied to.
type grownPlace struct {
	path string
	size int64
}

// copied reckons with a copy from one path to another. What is copied may be all of the object, and has in it what was copied
// before to where it comes from, or around that.
func (g *growth) copied(from, to string, limits Options) error {
	size := g.size
	for _, p := range g.places {
		if isUnder(p.path, from) || isUnder(from, p.path) {
			size = added(size, p.size)
		}
	}
	g.places = append(g.places, grownPlace{settled(to), size})
	g.total = added(g.total, size)
	if g.total/grownShare <= limits.MaxBytes {
		return nil
	}
	return fmt.Errorf("%w: what it copies can grow to more than %d times %d bytes (Options.MaxBytes)",
		ErrTooLarge, grownShare, limits.MaxBytes)
}

func isUnder(path, other string) bool {
	return path == other || other == "" || strings.HasPrefix(path, other+"/")
}

// settled is a path without an index at its end: what is put into a list may stand at any index later.
func settled(path string) string {
	i := strings.LastIndexByte(path, '/')
	if last := path[i+1:]; i >= 0 && strings.Trim(last, "0123456789-") == "" {
		return path[:i]
	}
	return path
}

// operations are those of a JSON patch that copy something.
func (s *scanner) operations(content []byte) error {
	var ops []map[string]any
	unmarshal := func(content []byte) error { return yaml.Unmarshal(content, &ops) }
	if json.Valid(content) {
		unmarshal = func(content []byte) error { return json.Unmarshal(content, &ops) }
	}
	if err := unmarshal(content); err != nil {
		return nil // for kustomize to say, or not a JSON patch
	}
	s.growth.size = max(s.growth.size, s.largest(), int64(len(content)))
	for _, op := range ops {
		s.printing.operation(op)
		if op["op"] != "copy" && op["op"] != "move" {
			continue
		}
		from, _ := op["from"].(string)
		to, _ := op["path"].(string)
		if err := s.growth.copied(from, to, s.limits); err != nil {
			return err
		}
	}
	return nil
}

// largest is the size of the largest file taken in so far.
func (s *scanner) largest() int64 {
	var n int64
	for _, content := range s.tree.files {
		n = max(n, int64(len(content)))
	}
	return n
}

// replaced reckons with what a replacement copies. A path in it that names several places counts as the part before.
func (s *scanner) replaced(r types.Replacement) error {
	if r.Source == nil {
		return nil
	}
	s.growth.size = max(s.growth.size, s.largest())
	from := replacementPath(r.Source.FieldPath)
	for _, t := range r.Targets {
		for _, path := range t.FieldPaths {
			s.printing.field(path)
			if err := s.growth.copied(from, replacementPath(path), s.limits); err != nil {
				return err
			}
		}
	}
	return nil
}

// replacedIn is that for a file of replacements, which holds one or a list.
func (s *scanner) replacedIn(content []byte) error {
	var all []types.Replacement
	if yaml.Unmarshal(content, &all) != nil {
		all = make([]types.Replacement, 1)
		if yaml.Unmarshal(content, &all[0]) != nil {
			return nil // for kustomize to say
		}
	}
	for _, r := range all {
		if err := s.replaced(r); err != nil {
			return err
		}
	}
	return nil
}

func replacementPath(fieldPath string) string {
	if fieldPath == "" {
		fieldPath = "metadata.name"
	}
	fieldPath, _, _ = strings.Cut(fieldPath, "*")
	fieldPath, _, _ = strings.Cut(fieldPath, "[")
	return "/" + strings.Trim(strings.ReplaceAll(fieldPath, ".", "/"), "/")
}
