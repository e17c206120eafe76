package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/fluxcd/pkg/envsubst"

	"github.com/gitopskit/gitopskit/kustomize"
)

// substituted is what Build makes of a text in a ConfigMap. An x before it keeps quotes in it from being taken for the text's own.
func substituted(t testing.TB, text string, values map[string]string) (string, error) {
	t.Helper()
	object, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"}, "data": map[string]any{"a": "x" + text},
	})
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"app/a.yaml": {Data: object}}
	objects, err := kustomize.Build(context.Background(), fsys, "app", kustomize.Options{Variables: kustomize.Variables{Values: values}})
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(objects[0].Object["data"].(map[string]any)["a"].(string), "x"), nil
}

func byEnvsubst(text string, values map[string]string) (string, error) {
	return envsubst.Eval(text, func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	})
}

// TestVariablesDifferFromEnvsubst pins each difference: what is meant where envsubst does not do what it documents, or not
// what bash does. Should envsubst change, its side of a line fails.
func TestVariablesDifferFromEnvsubst(t *testing.T) {
	values := map[string]string{"v": "cluster", "word": "é!", "empty": "", "dots": "a.b"}
	const refused = "(error)"
	for _, c := range []struct{ text, ours, theirs string }{
		{"${none-x}", "x", refused},               // documented
		{"${v:-${none}}", "cluster", refused},     // a default that is not needed
		{"${empty=x}", "", "x"},                   // set, though empty
		{"${#word}", "2", "3"},                    // characters
		{"${word:1}", "!", "\xa9!"},               // half a character
		{"${word#?}", "!", "\xa9!"},               //
		{"${v: -3}", "ter", "cluster"},            // bash's way to write a negative offset
		{"${v:x}", refused, "cluster"},            // no number
		{"${v#*}", "cluster", "luster"},           // the shortest match is empty
		{"${v%*}", "cluster", "cluste"},           //
		{`${dots%\.*}`, "a", "a.b"},               // patterns are reversed by character, not by what they mean
		{"${v%[q-s]}", "cluste", "cluster"},       //
		{"${v#[!x]}", "luster", "cluster"},        //
		{"${v#[x}", refused, "cluster"},           // not a pattern
		{"${dots/#a/}", ".b", "a.b"},              // nothing for something
		{"${dots/%b/}", "a.", "a.b"},              //
		{"${dots//${empty}/-}", "a.b", "-a-.-b-"}, // nothing is nowhere
		{"${v/c} a/b}", "luster a/b}", "cluster"}, // a brace ends an expression
		{"${v:+x}", refused, "cluster"},           // not supported
		{"${empty:?x}", refused, "x"},             //
		{"${v,^}", refused, "cluster"},            //
		{"${v#a${dots}}", "cluster", refused},     // a word of text and an expression
		{"$$(v)", "$$(v)", "$(v)"},                // no expression, so nothing to escape
		{"${1:=x}", refused, "x"},                 // no name
		{"a\x00${v}", "a\x00cluster", "a"},        // envsubst takes NUL for the end
	} {
		ours, err := substituted(t, c.text, values)
		if err != nil {
			ours = refused
		}
		theirs, err := byEnvsubst(c.text, values)
		if err != nil {
			theirs = refused
		}
		if ours != c.ours || theirs != c.theirs {
			t.Errorf("%q: ours %q, want %q; theirs %q, want %q", c.text, ours, c.ours, theirs, c.theirs)
		}
	}
}

// variableForms are the forms that both have, with places for a word and another.
var variableForms = []string{
	"${v}", "${#v}", "${v^}", "${v^^}", "${v,}", "${v,,}", "${v:%d}", "${v:%d:%d}", "${v#%s}", "${v##%s}", "${v%%%s}", "${v%%%%%s}",
	"${v=%s}", "${v:-%s}", "${v:=%s}", "${none=%s}", "${none:-%s}", "${none:=%s}", "${none:=%s${v}%s}", "${none:=${v/%s/%s}}",
	"${v/%s/%s}", "${v//%s/%s}", "${v/#%s/%s}", "${v/%%%s/%s}", "$${v}%s${v}", "%s${v}%s", "${none}%s",
}

// fillForm puts words, or the numbers they can be read as, into a form.
func fillForm(form string, words ...string) string {
	var args []any
	for i := 0; i+1 < len(form); i++ {
		switch {
		case form[i:i+2] == "%%":
			i++
		case form[i:i+2] == "%s":
			args, words = append(args, words[0]), words[1:]
		case form[i:i+2] == "%d":
			n, err := strconv.ParseInt(words[0], 10, 16)
			if err != nil {
				n = int64(len(words[0]))
			}
			if n < 0 && args == nil {
				n = -n // it would be a default
			}
			args, words = append(args, n), words[1:]
		}
	}
	return fmt.Sprintf(form, args...)
}

// FuzzVariablesAgainstEnvsubst fills the forms that both have with words. What envsubst expands comes out the same, but for
// the differences in the test above, which are kept out by the words.
func FuzzVariablesAgainstEnvsubst(f *testing.F) {
	for i := range variableForms {
		for _, seed := range [][3]string{
			{"*.", "-", "a.b.c"}, {"a", "", "banana"}, {"1", "-1", "offset"}, {"-3", "2", "offset"}, {"a?a*", "x/y", "banana"}, {"", "", ""},
			{"*a*n", ":=", "bananas and bandanas"}, {"9", "9", "short"}, {"v", "n", "ABC def"},
		} {
			f.Add(i, seed[0], seed[1], seed[2])
		}
	}
	f.Fuzz(func(t *testing.T, form int, word, other, value string) {
		if form < 0 || form >= len(variableForms) || !isAlike(word) || !isAlike(other) || !ascii(value) {
			return
		}
		text := fillForm(variableForms[form], word, other)
		if isKnownDifference(variableForms[form], word, other, value) {
			return
		}
		values := map[string]string{"v": value, "n": "2"}
		want, wantErr := byEnvsubst(text, values)
		got, err := substituted(t, text, values)
		if wantErr != nil {
			return // more words can be read here
		}
		if err != nil || got != want {
			t.Errorf("%q of %q: got %q and %v, want %q", text, value, got, err, want)
		}
	})
}

// isAlike says whether a word has the same meaning in both, wherever it stands.
func isAlike(word string) bool { return ascii(word) && !strings.ContainsAny(word, `$\[]{}`) }

func ascii(text string) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf || c == 0 {
			return false
		}
	}
	return true
}

func isKnownDifference(form, word, other, value string) bool {
	switch {
	case strings.HasPrefix(form, "${v#%s"), strings.HasPrefix(form, "${v%%%s"):
		return strings.Trim(word, "*") == "" || strings.HasPrefix(word, "#") || strings.HasPrefix(word, "%")
	case form == "${v=%s}":
		return value == ""
	case strings.HasPrefix(form, "${v/#"), strings.HasPrefix(form, "${v/%%"):
		return other == "" || strings.Contains(word, "/")
	case form == "${v/%s/%s}", form == "${none:=${v/%s/%s}}":
		// A first word that begins with a sign makes another operator of the slash.
		return word == "" || strings.ContainsAny(word[:1], "/#%") || strings.Contains(word, "/")
	}
	return false
}
