package kustomize

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Variables says what the expressions in the built objects, such as ${name} and ${name:=default}, stand for. With both
// Values and Lookup nil nothing is substituted, and ${name} is text like any other. A map that is empty but not nil has
// expressions expanded: to their defaults.
type Variables struct {
	// Values holds variables by name. A name is made of ASCII letters, digits and underscores, and begins with no digit. A
	// value is UTF-8 text, and is taken as it is, also with newlines in it.
	Values map[string]string

	// Lookup is asked for what is not in Values, at most once a build for each name, and only for names that an expression
	// needs. It returns ok false for a name that it does not know. Its error ends the build, and its text becomes part of
	// the build's error. It is called by the goroutine of the build, one call at a time.
	Lookup func(ctx context.Context, name string) (value string, ok bool, err error)

	// Unknown says what becomes of a name that neither of the two knows, in an expression that has no default for it.
	Unknown UnknownPolicy
}

// UnknownPolicy says what an unknown variable is.
type UnknownPolicy int

const (
	// RefuseUnknown makes it an error that matches ErrUnknownVariable. One error tells several, up to ten.
	RefuseUnknown UnknownPolicy = iota

	// LeaveUnknown leaves the expression in the text as it is.
	LeaveUnknown

	// EmptyUnknown takes the empty string for its value.
	EmptyUnknown
)

// on says whether anything is to be substituted.
func (v Variables) on() bool { return v.Values != nil || v.Lookup != nil }

// Format writes the names and not the values, whatever the verb, so that options can be logged.
func (v Variables) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{Values:%v Lookup:%t Unknown:%d}", slices.Sorted(maps.Keys(v.Values)), v.Lookup != nil, int(v.Unknown))
}

// LogValue is what Format writes.
func (v Variables) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(v)) }

// check returns an error if a name in Values is one that no expression can have, or the policy is none.
func (v Variables) check() error {
	for _, name := range slices.Sorted(maps.Keys(v.Values)) {
		if !isVariableName(name) {
			return fmt.Errorf("Options.Variables.Values: %s is not the name of a variable: letters, digits and _, no digit first",
				shown(name))
		}
	}
	if v.Unknown < RefuseUnknown || v.Unknown > EmptyUnknown {
		return fmt.Errorf("Options.Variables.Unknown: there is no policy %d", v.Unknown)
	}
	return nil
}

func isVariableName(name string) bool { return name != "" && len(leadingName(name)) == len(name) }

// leadingName is the name of a variable that text begins with, or nothing.
func leadingName(text string) string {
	for i := range len(text) {
		c := text[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return text[:i]
		}
	}
	return text
}

// lookedUp is what a build found out about a variable. A build with the same files comes to the same objects as long as it
// finds the same for each name that it looks up.
type lookedUp struct {
	value string
	found bool
	err   error
}

// lookUp returns what a name stands for. It asks for each name once.
func (s *substituter) lookUp(name string) lookedUp {
	if known, ok := s.looked[name]; ok {
		return known
	}
	var l lookedUp
	if l.value, l.found = s.variables.Values[name]; !l.found && s.variables.Lookup != nil {
		l.value, l.found, l.err = s.variables.Lookup(s.ctx, name)
	}
	switch {
	case l.err != nil:
		l = lookedUp{err: fmt.Errorf("looking up variable %s: %w", shownName(name), l.err)}
	case !l.found:
		l.value = ""
	case !utf8.ValidString(l.value):
		l = lookedUp{found: true, err: fmt.Errorf("the value of variable %s is not UTF-8 text", shownName(name))}
	}
	s.looked[name] = l
	return l
}

// shownName keeps a name of a variable short. It is of ASCII letters, so it needs no quotes.
func shownName(name string) string { return shortened(name, 60) }

// maxVariableErrors is how many problems with variables one error tells.
const maxVariableErrors = 10

// VariableError says which expression could not be expanded, and where. It matches [ErrUnknownVariable], [ErrExpression],
// or what [Variables].Lookup returned; an object that is none any more with its variables matches [ErrNotObject]. It never
// holds a value, nor the text of the field.
type VariableError struct {
	Object string // as in "Deployment.apps default/web", by its name before substitution
	Field  string // as in "spec.template.spec.containers[0].image"; empty where it is about the object as a whole
	Name   string // of the variable; empty where the expression has none
	Err    error
}

func (e *VariableError) Error() string {
	place := shortened(e.Object, 200)
	if e.Field != "" {
		place += ": " + shortened(e.Field, 200)
	}
	return place + ": " + shortened(e.Err.Error(), maxText)
}

func (e *VariableError) Unwrap() error { return e.Err }

// variableErrors are the problems of a build with its variables, in the order of the objects and then of the fields.
type variableErrors struct {
	all  []*VariableError
	more bool // there are others
}

func (e *variableErrors) Error() string {
	var texts []string
	for _, problem := range e.all {
		texts = append(texts, strings.Join(strings.Fields(problem.Error()), " "))
	}
	if e.more {
		texts = append(texts, "and more")
	}
	return strings.Join(texts, "; ")
}

func (e *variableErrors) Unwrap() []error {
	errs := make([]error, len(e.all))
	for i, problem := range e.all {
		errs[i] = problem
	}
	return errs
}
