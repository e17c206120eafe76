package kustomize

import (
	"context"
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// expandText expands one text as the field of an object.
func expandText(v Variables, text string) (string, error) {
	s, err := newSubstituter(context.Background(), Options{Variables: v, MaxBytes: 1 << 20})
	if err != nil {
		return "", err
	}
	out, ok := s.expand(text)
	if s.fatal != nil {
		return "", s.fatal
	}
	if !ok {
		return "", &s.problems
	}
	return out, nil
}

var expressionValues = map[string]string{
	"v": "cluster", "path": "/srv/data/app.tar.gz", "dots": "a.b.c", "empty": "", "word": "ünïcode", "n": "3", "minus": "-3",
	"upper": "CLUSTER", "slash": "/", "pattern": "*.", "dollar": "$", "sql": `a\b/c`, "brace": "${v}",
}

var expressionForms = []struct{ text, want string }{
	// Text
	{"", ""}, {"no expression", "no expression"}, {"$v $(v) $ {v} }", "$v $(v) $ {v} }"}, {"cost: $5", "cost: $5"},
	{"${v}", "cluster"}, {"a ${v}-${n} b", "a cluster-3 b"}, {"${v}${v}", "clustercluster"}, {"${empty}", ""},
	{"{${v}}", "{cluster}"}, {"$ ${v}", "$ cluster"}, {"${brace}", "${v}"}, {"${dollar}{v}", "${v}"},
	// Escapes
	{"$${v}", "${v}"}, {"$$${v}", "$cluster"}, {"$$$${v}", "$${v}"}, {"a $${b} ${v}", "a ${b} cluster"},
	{"$$(v) ${v}", "$$(v) cluster"}, {"$$ ${v} $$", "$$ cluster $$"}, {"$${v=${v}}", "${v=cluster}"},
	// Length and case
	{"${#v}", "7"}, {"${#empty}", "0"}, {"${#word}", "7"},
	{"${v^}", "Cluster"}, {"${v^^}", "CLUSTER"}, {"${upper,}", "cLUSTER"}, {"${upper,,}", "cluster"}, {"${word^}", "Ünïcode"},
	{"${word^^}", "ÜNÏCODE"}, {"${empty^}${empty,}", ""},
	// Substrings
	{"${v:0}", "cluster"}, {"${v:2}", "uster"}, {"${v:2:3}", "ust"}, {"${v:7}", ""}, {"${v:8:1}", ""}, {"${v:5:99}", "er"},
	{"${v: -3}", "ter"}, {"${v: -3:2}", "te"}, {"${v: -99:2}", "cl"}, {"${v:1:-1}", "luste"}, {"${v:5:-5}", ""},
	{"${v:2:0}", ""}, {"${v:${n}}", "ster"}, {"${v:${n}:${n}}", "ste"}, {"${v:${minus}:1}", "t"}, {"${word:0:3}", "ünï"},
	{"${v:1:9223372036854775807}", "luster"}, {"${v:9223372036854775807:1}", ""}, {"${v:0:-9223372036854775807}", ""},
	{"${v:-9223372036854775807}", "cluster"}, {"${v: -9223372036854775807}", "cluster"},
	// Trimming
	{"${path#*/}", "srv/data/app.tar.gz"}, {"${path##*/}", "app.tar.gz"}, {"${path%.*}", "/srv/data/app.tar"},
	{"${path%%.*}", "/srv/data/app"}, {"${path#/srv}", "/data/app.tar.gz"}, {"${path#srv}", "/srv/data/app.tar.gz"},
	{"${path%/*}", "/srv/data"}, {"${v#?}", "luster"}, {"${v%??}", "clust"}, {"${v#*}", "cluster"}, {"${v##*}", ""},
	{"${v%*}", "cluster"}, {"${v%%*}", ""}, {"${v#[a-c]}", "luster"}, {"${v#[!a-c]}", "cluster"}, {"${v#[^x]}", "luster"},
	{"${v%[a-z]}", "cluste"}, {"${v%e[rs]}", "clust"}, {"${v##[a-t]*[a-t]}", ""}, {"${v###x}", "cluster"},
	{"${dots%%.*}", "a"}, {"${dots##*.}", "c"}, {"${dots#${pattern}}", "b.c"}, {"${dots#*${slash}}", "a.b.c"},
	{`${dots#a\.}`, "b.c"}, {`${dots%\.c}`, "a.b"}, {`${dots%\*}`, "a.b.c"}, {"${word#?}", "nïcode"}, {"${word%%ï*}", "ün"},
	{"${v#[]c]}", "luster"}, {"${v#[c-]}", "luster"}, {"${v%[-r]}", "cluste"}, {`${v#[\c]}`, "luster"}, {"${v#c**s}", "ter"},
	{"${empty#*}", ""}, {"${empty%x}", ""}, {"${v%%cl*}", ""}, {"${v#*s*}", "ter"}, {"${v%s*}", "clu"},
	// Defaults
	{"${none-x}", "x"}, {"${none=x}", "x"}, {"${none:-x}", "x"}, {"${none:=x}", "x"}, {"${none:-}", ""}, {"${none-}", ""},
	{"${v-x}", "cluster"}, {"${v:=x}", "cluster"}, {"${empty-x}", ""}, {"${empty=x}", ""}, {"${empty:-x}", "x"},
	{"${empty:=x}", "x"}, {"${none:=${v}}", "cluster"}, {"${none:=${v}-x}", "cluster-x"}, {"${none:=a ${v^} b}", "a Cluster b"},
	{"${none:-${other:-${v}}}", "cluster"}, {"${v:-${none}}", "cluster"}, {"${none:=${other:=a}${v}}", "acluster"},
	{"${none:=a=b:c#d%e/f}", "a=b:c#d%e/f"}, {"${none:={}}", "{}"}, {"${none:=a\nb}", "a\nb"}, {"${none:=$v}", "$v"},
	{"${none:=$${v}}", "$cluster"},
	// Replacement
	{"${dots/./-}", "a-b.c"}, {"${dots//./-}", "a-b-c"}, {"${dots/./}", "ab.c"}, {"${dots//.}", "abc"}, {"${dots/.}", "ab.c"},
	{"${dots/#a/x}", "x.b.c"}, {"${dots/#b/x}", "a.b.c"}, {"${dots/%c/x}", "a.b.x"}, {"${dots/%b/x}", "a.b.c"},
	{"${dots/#a./}", "b.c"}, {"${dots/%.c/}", "a.b"}, {`${path//\//-}`, "-srv-data-app.tar.gz"}, {`${dots//./\/}`, "a/b/c"},
	{`${dots//./\\}`, `a\b\c`}, {`${sql/\\/-}`, "a-b/c"}, {`${dots//./$$}`, "a$b$c"}, {"${dots//[.]/-}", "a.b.c"},
	{"${path//${slash}/-}", "-srv-data-app.tar.gz"}, {"${dots//./${v}}", "aclusterbclusterc"}, {"${dots/${empty}/x}", "a.b.c"},
	{"${dots//./a/b}", "aa/bba/bc"}, {"${dots/x/y}", "a.b.c"}, {"${dots//./-${n}-}", "a-3-b-3-c"},
}

func TestExpressionForms(t *testing.T) {
	for _, c := range expressionForms {
		got, err := expandText(Variables{Values: expressionValues}, c.text)
		if err != nil || got != c.want {
			t.Errorf("%s: got %q and %v, want %q", c.text, got, err, c.want)
		}
	}
}

// TestExpressionRefused holds for what bash has and we have not, and for what nobody has: none passes for something else.
func TestExpressionRefused(t *testing.T) {
	nested := strings.Repeat("${none:-", 40) + strings.Repeat("}", 40)
	for _, c := range []struct{ text, want string }{
		{"${v:+x}", "operator :+ is not supported"}, {"${v:?x}", "operator :? is not supported"},
		{"${v+x}", "operator + is not supported"}, {"${v?x}", "operator ? is not supported"},
		{"${v@Q}", "operator @ is not supported"}, {"${!v}", "no name"}, {"${}", "no name"}, {"${", "no name"}, {"${1}", "no name"},
		{"${ v}", "no name"}, {"${#}", "no name"}, {"${é}", "no name"}, {"${-x}", "no name"}, {"${v", "no closing brace"},
		{"${v:-x", "no closing brace"}, {"${v#x", "no closing brace"}, {"${v/a/b", "no closing brace"},
		{"${v:-${n}", "no closing brace"}, {"${v.w}", "cannot stand there"}, {"${v w}", "cannot stand there"},
		{"${#v:1}", "cannot stand there"}, {"${v^x}", "cannot stand there"}, {"${v,^}", "cannot stand there"},
		{"${v^^^}", "cannot stand there"}, {"${v#}", "no pattern"}, {"${v%%}", "no pattern"}, {"${v/}", "no text to replace"},
		{"${v///x}", "no text to replace"}, {"${v:}", "no offset"}, {"${v::2}", "no offset"}, {"${v:1:}", "no length"},
		{"${v:x}", "not a number"}, {"${v:1:x}", "not a number"}, {"${v:${v}}", "not a number"}, {"${v:1::2}", "not a number"},
		{"${v#[a}", "a pattern that ends"}, {`${v#a\}`, "a pattern that ends"}, {"${v#[[:alpha:]]}", "a pattern that ends"},
		{"${v%${none:=[}}", "a pattern that ends"}, {nested, "inside of each other"},
		{"${none:-" + strings.Repeat("x", maxExpression) + "}", "longer than"},
		{"${" + strings.Repeat("x", maxExpression) + "}", "longer than"},
	} {
		got, err := expandText(Variables{Values: expressionValues}, c.text)
		if !errors.Is(err, ErrExpression) || !strings.Contains(err.Error(), c.want) || got != "" {
			t.Errorf("%.40s: got %q and %v, want %q", c.text, got, err, c.want)
		}
	}
}

func TestExpressionUnknown(t *testing.T) {
	for _, c := range []struct{ text, left, empty string }{
		{"a${none}b", "a${none}b", "ab"}, {"${#none}", "${#none}", "0"}, {"${none^^}", "${none^^}", ""},
		{"${none:1:2}", "${none:1:2}", ""}, {"${none#x}", "${none#x}", ""}, {"${none%%x*}", "${none%%x*}", ""},
		{"${none//a/b}", "${none//a/b}", ""}, {"${v#${none}}", "${v#${none}}", "cluster"},
		{"${v/c/${none}}", "${v/c/${none}}", "luster"}, {"${other:-x${none}}", "x${none}", "x"},
		{"$${none} ${none}", "${none} ${none}", "${none} "}, {"${v}${none}", "cluster${none}", "cluster"},
		{"${none:=x}${none}", "x${none}", "x"}, // sets nothing
	} {
		if _, err := expandText(Variables{Values: expressionValues}, c.text); !errors.Is(err, ErrUnknownVariable) ||
			!strings.Contains(err.Error(), "none") {
			t.Errorf("%s: %v", c.text, err)
		}
		for policy, want := range map[UnknownPolicy]string{LeaveUnknown: c.left, EmptyUnknown: c.empty} {
			got, err := expandText(Variables{Values: expressionValues, Unknown: policy}, c.text)
			if err != nil || got != want {
				t.Errorf("%s with %d: got %q and %v, want %q", c.text, policy, got, err, want)
			}
		}
	}
}

// TestExpressionBounded tries what grows, or what takes long where it is done in the obvious way.
func TestExpressionBounded(t *testing.T) {
	values := map[string]string{
		"long": strings.Repeat("a", 1000), "huge": strings.Repeat("a", 1<<19), "b": "b",
		"stars": strings.Repeat("*a", 60) + "b",
	}
	for _, text := range []string{
		"${long//a/${long}}${long//a/${long}}", "${huge}${huge}${huge}", strings.Repeat("${huge:-x}", 3),
		"${none:-${huge}${huge}}", strings.Repeat("${#huge}", 3), "${huge#${stars}}",
		strings.Repeat("${none:-"+strings.Repeat("x", 60_000)+"}", 20),
	} {
		if _, err := expandText(Variables{Values: values}, text); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "MaxBytes") {
			t.Errorf("%.40s: %v", text, err)
		}
	}
	got, err := expandText(Variables{Values: values}, "${long#${stars}}${long%%b*a*a*a*a*a*a*a*a*a*a*a*c}")
	if err != nil || len(got) != 2000 {
		t.Errorf("%d bytes and %v", len(got), err)
	}
}

// checkReading holds what a text reads as against what it reads as in a manifest.
func checkReading(t *testing.T, text string) {
	t.Helper()
	read, ok := plainReading(text)
	if ok {
		runtime.DeepCopyJSONValue(read) // panics on what an object may not hold
	}
	text = strings.TrimSpace(text)
	want, err := toScalar(&yaml.Node{Kind: yaml.ScalarNode, Value: text})
	if err != nil || text == "" || len(text) > maxPlain {
		return
	}
	if _, isText := want.(string); isText == ok || ok && read != want {
		t.Fatalf("%q reads as %#v, and in a manifest as %#v", text, read, want)
	}
}

// FuzzExpression expands any text with values that have little to do with it.
func FuzzExpression(f *testing.F) {
	for _, c := range expressionForms {
		f.Add(c.text, "value.of/it", 0)
	}
	f.Add("${v}", `"a\"b"`, 0)
	for _, value := range []string{"0x8", "~", "-.5e1", "+1_0", "yes", ".inf", "<<", "017", "2024-01-01", "nUll", "1:30", "0o7"} {
		f.Add("${v}", value, 0)
	}
	f.Add("${v//${w}/${v}}", "a*[b", 1)
	f.Add("${none:-${v%${w}*}}$$${none}", "é\"", 2)
	f.Fuzz(func(t *testing.T, text, value string, policy int) {
		values := map[string]string{"v": value, "w": "e", "path": value, "dots": "a.b.c", "n": "2", "empty": ""}
		v := Variables{Values: values, Unknown: UnknownPolicy(uint(policy) % 3)}
		got, err := expandText(v, text)
		if again, errAgain := expandText(v, text); again != got || (err == nil) != (errAgain == nil) {
			t.Fatalf("%q, then %q", got, again)
		}
		if !strings.Contains(text, "${") && (got != text || err != nil) {
			t.Fatalf("%q became %q, %v", text, got, err)
		}
		if len(got) > len(text)+1<<20 {
			t.Fatalf("%d bytes of %d", len(got), len(text))
		}
		if inner, ok := unquoted("${", got); ok && len(inner) > 4*len(got) {
			t.Fatalf("%q from %q", inner, got)
		}
		checkReading(t, got)
		checkReading(t, value)
		if err != nil && (strings.Contains(err.Error(), "\n") || len(err.Error()) > 5000) {
			t.Fatalf("%q", err)
		}
	})
}
