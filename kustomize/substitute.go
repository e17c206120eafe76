package kustomize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// substituteKey is Flux's name for the annotation or label that, with the value "disabled", keeps an object as it is.
const substituteKey = "kustomize.toolkit.fluxcd.io/substitute"

// substituter expands the expressions in the objects of one build. It works on the strings in them and not on their text in
// YAML, so that no value can become a key, a list or a second object.
type substituter struct {
	ctx       context.Context
	variables Variables
	maxBytes  int64
	left      int64               // of maxBytes
	looked    map[string]lookedUp // each variable that was needed, by name
	types     fieldTypes

	object   map[string]any // the current one
	id       identity       // of that, as it was
	path     []step         // from the object to the current value
	keys     []string       // of the maps on the way there, each sorted
	told     map[string]bool
	failures int
	problems variableErrors
	fatal    error // what ended it
}

// step leads from a map or a list to a value in it.
type step struct {
	key   string
	index int // where it is a list; -1 where not
}

func newSubstituter(ctx context.Context, opts Options) (*substituter, error) {
	if err := opts.Variables.check(); err != nil {
		return nil, err
	}
	return &substituter{
		ctx: ctx, variables: opts.Variables, maxBytes: opts.MaxBytes, left: opts.MaxBytes,
		looked: map[string]lookedUp{}, told: map[string]bool{},
	}, nil
}

// substitute changes the objects in place. They are those of a finished build, no two of one identity: two that kustomize
// cannot tell apart before substitution are an error, also if they were to differ after it.
func (s *substituter) substitute(objects []*unstructured.Unstructured) error {
	if !s.variables.on() {
		return nil
	}
	before := make([]identity, len(objects))
	for i, o := range objects {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		before[i] = identityOf(o.Object)
		s.visit(before[i], o.Object)
		if s.fatal != nil {
			return s.fatal
		}
		if s.problems.more {
			break
		}
	}
	if s.problems.all != nil {
		return &s.problems
	}
	return checkIdentities(before, objects)
}

// checkIdentities returns an error if substitution has made one identity of two. It names them as they were.
func checkIdentities(before []identity, objects []*unstructured.Unstructured) error {
	seen := make(map[identity]identity, len(objects))
	for i, o := range objects {
		id := identityOf(o.Object)
		if first, ok := seen[id]; ok {
			return fmt.Errorf("%w: with their variables, %s and %s are one", ErrDuplicate, first, before[i])
		}
		seen[id] = before[i]
	}
	return nil
}

// visit substitutes in one object.
func (s *substituter) visit(id identity, o map[string]any) {
	if isLeftAlone(o) || !mentionsExpression(o) {
		return
	}
	s.object, s.id = o, id
	kind, apiVersion := o["kind"], o["apiVersion"]
	// These two say which types the other fields have.
	s.entry(o, "apiVersion")
	s.entry(o, "kind")
	done := []string{"apiVersion", "kind"}
	if kind == "Secret" && apiVersion == "v1" {
		done = append(done, "data")
	}
	failures := s.failures
	s.mapping(o, done...)
	if s.failures > failures || s.fatal != nil {
		return
	}
	if err := checkObject(o); err != nil {
		s.report("", fmt.Errorf("with its variables: %w", err))
	}
}

func isLeftAlone(o map[string]any) bool {
	metadata, _ := o["metadata"].(map[string]any)
	for _, field := range []string{"annotations", "labels"} {
		if marks, _ := metadata[field].(map[string]any); marks[substituteKey] == "disabled" {
			return true
		}
	}
	return false
}

// mentionsExpression is what most objects cost. It looks at them in any order.
func mentionsExpression(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, "${")
	case map[string]any:
		for key, value := range v {
			if strings.Contains(key, "${") || mentionsExpression(value) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, mentionsExpression)
	}
	return false
}

// mapping substitutes in a map, in the order of its keys, except for those that are done. A key that has changed moves once
// the others have been seen, since it may take the place of one that moves too.
func (s *substituter) mapping(m map[string]any, done ...string) {
	type entry struct {
		path  []step
		key   string
		value any
	}
	var moved []entry
	first := len(s.keys)
	for key := range m {
		s.keys = append(s.keys, key)
	}
	slices.Sort(s.keys[first:])
	for i, last := first, len(s.keys); i < last && !s.stopped(); i++ {
		key := s.keys[i]
		if slices.Contains(done, key) {
			continue
		}
		s.entry(m, key)
		if name := s.key(key); name != key {
			moved = append(moved, entry{s.at(step{key, -1}), name, m[key]})
			delete(m, key)
		}
	}
	s.keys = s.keys[:first]
	for _, e := range moved {
		if _, ok := m[e.key]; ok {
			path := s.path
			s.path = e.path
			s.report("", errors.New("with its variables, this key is there twice"))
			s.path = path
		}
		m[e.key] = e.value
	}
}

// at is the path with one step more, in a slice of its own.
func (s *substituter) at(last step) []step { return append(slices.Clone(s.path), last) }

// entry substitutes in the value of a key, if there is one.
func (s *substituter) entry(m map[string]any, key string) {
	value, ok := m[key]
	if !ok {
		return
	}
	s.path = append(s.path, step{key, -1})
	if text, ok := value.(string); !ok {
		s.descend(value)
	} else if strings.Contains(text, "${") {
		m[key] = s.scalar(text)
	}
	s.path = s.path[:len(s.path)-1]
}

func (s *substituter) descend(value any) {
	switch value := value.(type) {
	case map[string]any:
		s.mapping(value)
	case []any:
		for i := 0; i < len(value) && !s.stopped(); i++ {
			s.path = append(s.path, step{"", i})
			if text, ok := value[i].(string); !ok {
				s.descend(value[i])
			} else if strings.Contains(text, "${") {
				value[i] = s.scalar(text)
			}
			s.path = s.path[:len(s.path)-1]
		}
	}
}

// key returns what becomes of a key of a map, which always is a string.
func (s *substituter) key(key string) string {
	if !strings.Contains(key, "${") {
		return key
	}
	s.path = append(s.path, step{key, -1})
	expanded, ok := s.expand(key)
	s.path = s.path[:len(s.path)-1]
	if !ok {
		return key
	}
	if text, ok := unquoted(key, expanded); ok {
		return text
	}
	return expanded
}

// spend takes n bytes from what the expressions of a build may expand to.
func (s *substituter) spend(n int) bool {
	if s.left -= int64(n); s.left < 0 && s.fatal == nil {
		// Which field it was depends on nothing but the objects, but the field is not to blame.
		s.fatal = fmt.Errorf("%w: the variables in %s and before it come to more than %d bytes (Options.MaxBytes)",
			ErrTooLarge, shortened(s.id.String(), 200), s.maxBytes)
	}
	return s.fatal == nil
}

// stopped says that there is no use in going on.
func (s *substituter) stopped() bool { return s.fatal != nil || s.problems.more }

// reportOnce is report for what is wrong with a variable wherever it is used.
func (s *substituter) reportOnce(name string, err error) {
	if s.failures++; !s.told[name] {
		s.told[name] = true
		s.report(name, err)
	}
}

// report notes a problem at the current path.
func (s *substituter) report(name string, err error) {
	s.failures++
	if stopped := s.ctx.Err(); stopped != nil && s.fatal == nil {
		s.fatal = stopped
	}
	if len(s.problems.all) == maxVariableErrors {
		s.problems.more = true
		return
	}
	s.problems.all = append(s.problems.all, &VariableError{s.id.String(), pathText(s.path), name, err})
}
