package kustomize

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestPlainText has texts as kustomize makes them.
func TestPlainText(t *testing.T) {
	inner := errors.New("no such thing")
	for text, c := range map[string]struct {
		err  error
		want string
	}{
		"wrapped": {fmt.Errorf("accumulating resources: %w", fmt.Errorf("more: %w", inner)), "no such thing"},
		"flattened": {errors.New(`accumulating resources: accumulation err='accumulating resources from '../a': ` +
			`'/src/a' must resolve to a file': recursed accumulation of path '/src/a': no such thing`), "no such thing"},
		"quoted":     {errors.New(`accumulateDirectory: "recursed accumulation of path '/src/c': no such thing"`), "no such thing"},
		"object":     {errors.New(`found {"apiVersion": "v1", "data": {"a": "secret"}}`), "found …"},
		"go map":     {errors.New(`invalid map[data:secret]`), "invalid …"},
		"value":      {errors.New("yaml: cannot decode !!str `secret` as a !!int"), "cannot decode !!str… as a !!int"},
		"patch":      {errors.New(`unable to parse SM or JSON patch from [patch: "secret"]`), "unable to parse SM or JSON patch from …"},
		"many lines": {errors.New("first\nsecret"), "first"},
	} {
		if got := plainText(c.err); got != c.want {
			t.Errorf("%s: got %q, want %q", text, got, c.want)
		}
	}
}

func TestErrorTextIsShort(t *testing.T) {
	err := &Error{Dir: "app", File: "app/a.yaml", Line: 3, Err: errors.New(strings.Repeat("ä\n", 10_000))}
	text := err.Error()
	if utf8.RuneCountInString(text) > 2*maxText || strings.Contains(text, "\n") || !utf8.ValidString(text) {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

func TestErrorText(t *testing.T) {
	for want, err := range map[string]*Error{
		"building app: x":               {Dir: "app", Err: errors.New("x")},
		"building app: app/a.yaml: x":   {Dir: "app", File: "app/a.yaml", Err: errors.New("x")},
		"building app: app/a.yaml:7: x": {Dir: "app", File: "app/a.yaml", Line: 7, Err: errors.New("x")},
		"building .: x":                 {Dir: ".", File: ".", Err: errors.New("x")},
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}
