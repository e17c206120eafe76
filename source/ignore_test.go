package source_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

func ignoreRules(t *testing.T, text string) source.IgnoreRules {
	t.Helper()
	rules, err := source.ParseIgnore(text, source.Limits{})
	must(t, err)
	return rules
}

// ignoresPath walks to a path, of a folder if it ends in a slash.
func ignoresPath(rules source.IgnoreRules, name string) bool {
	elements := strings.Split(strings.TrimSuffix(name, "/"), "/")
	for _, element := range elements[:len(elements)-1] {
		rules = rules.Folder(element)
	}
	return rules.Ignores(elements[len(elements)-1], strings.HasSuffix(name, "/"))
}

// ignoreLineTests are lines, and what they ignore and keep; a name that ends in a slash is a folder, and ␠ is a space.
func ignoreLineTests() []ignoreLineTest {
	return []ignoreLineTest{
		{"", "", "a a/ a/b"},
		{"#a\n\\#b\n #c", `#b`, "#a a b #c"},
		{"a", "a a/ b/a a/b", "ab A"},
		{"a/", "a/ a/b b/a/", "a b/a"},
		{"/a", "a a/b", "b/a"},
		{"a/b", "a/b a/b/c", "c/a/b"},
		{"a//b", "", "a/b"},
		{"*.md\n!/R.md", "a.md d/R.md", "R.md a.mdx"},
		{"!!a\n\\!b", "!b", "!a a b"},
		{"!a\na", "a", "b"},
		{"d\n!d/a", "d/ d/a", "a"},
		{"a\n!a/\n/b/c\n!/b/c/", "a b/c d/a", "a/ d/a/ b/c/"},
		{"!a\na/", "a/ b/a/c", "a b/a"},
		{"d/*\n!d/a", "d/b d/b/a", "d/ d/a"},
		{"abc/**", "abc/a abc/a/b", "abc abc/ x/abc/a"},
		{"**/a", "a b/a b/c/a", "ab"},
		{"a/**/b", "a/b a/x/b a/x/y/b", "b ab c/a/b"},
		{"a/**/", "a/b/ a/b/c", "a/ a/b"},
		{"/a**/b", "a/b ax/b a/x/b ab", "b x/a/b ac"},
		{"/a**", "a ab a/b", "b"},
		{"x/a*/b", "x/a/b x/ac/b", "x/a/c/b x/b"},
		{`a/**\/b`, "a/x/b", "a/b"},
		{"[!a]", "b ! ^", "a bb"},
		{"[^a]b", "bb", "ab b"},
		{"[[:alpha:]]1", "a1 Z1", "11 _1"},
		{"[[:nope:]]\n[a", "", "a : n [a"},
		{"[a-c]x\n[]-]y\n[a-]z", "bx ]y -y az -z", "dx ay bz"},
		{"x[a/b]y\nx[/]z", "xay", "x/y x/z a/xay"},
		{`\a\*` + "\nb\\", "a*", `\a* ab b b\`},
		{"a \nb\\ \nc\\  \n d", "a b␠ c␠ ␠d", "b c d"},
		{"a\r\nb\r", "a b", "c"},
		{"\ufeffa\n\ufeffb", "a", "b"},
		{"a\x00b\nc", "a c", "ab"},
		{"[\x80-\xff]x", "\xffx \x80x", "\x7fx éx"},
		{"?", "a \xff", "é aa"},
		{"*a*b*c", "abc xaxbxc", "acb abcd"},
		{"/\n//\n!\n\n\r\n   \n", "", "a a/ a/b"},
	}
}

type ignoreLineTest struct{ text, ignored, kept string }

// names says of each name whether it is ignored.
func (tt ignoreLineTest) names() map[string]bool {
	all := make(map[string]bool)
	for name := range strings.FieldsFuncSeq(tt.ignored, func(r rune) bool { return r == ' ' }) {
		all[strings.ReplaceAll(name, "␠", " ")] = true
	}
	for name := range strings.FieldsFuncSeq(tt.kept, func(r rune) bool { return r == ' ' }) {
		all[strings.ReplaceAll(name, "␠", " ")] = false
	}
	return all
}

func TestIgnoreLines(t *testing.T) {
	for _, tt := range ignoreLineTests() {
		rules := ignoreRules(t, tt.text)
		for name, want := range tt.names() {
			if got := ignoresPath(rules, name); got != want {
				t.Errorf("%q of %q: got %v, want %v", name, tt.text, got, want)
			}
		}
	}
}

func TestIgnoreOrder(t *testing.T) {
	rules := ignoreRules(t, "*.o\n!k.t")
	root, err := rules.With([]byte("*.t\n*.m\n/web/n\nout/\n!a.o"))
	must(t, err)
	web, err := root.Folder("web").With([]byte("!d.m\n/x\nsub/n"))
	must(t, err)
	out, err := root.Folder("out").With([]byte("!*"))
	must(t, err)
	for _, tt := range []struct {
		rules source.IgnoreRules
		name  string
		want  bool
	}{
		{root, "k.t", false}, {root, "l.t", true}, {root, "a.o", true}, // the options come before the files
		{root, "d.m", true}, {web, "d.m", false}, {web, "e.m", true}, // and deeper files before others
		{web, "n", true}, {root, "n", false}, {web, "x", true}, {root, "x", false},
		{web.Folder("sub"), "n", true}, {web.Folder("sub"), "x", false}, {root.Folder("sub"), "n", false},
		{out, "a", true}, {out.Folder("deep"), "a", true}, {root, "a", false}, // nothing in an ignored folder is kept
		{source.IgnoreRules{}, "a", false}, {source.IgnoreRules{}.Folder("a"), "a", false},
	} {
		if got := tt.rules.Ignores(tt.name, false); got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}

func TestIgnoreLimits(t *testing.T) {
	limits := source.Limits{MaxIgnoreBytes: 10}
	check := func(err error, name string) {
		t.Helper()
		crossed := new(source.LimitError)
		want := source.LimitError{Option: "Limits.MaxIgnoreBytes", Max: 10, Name: name}
		if !errors.As(err, &crossed) || *crossed != want {
			t.Errorf("got %v, want one of %q", err, name)
		}
	}
	_, err := source.ParseIgnore("0123456789\n", limits)
	check(err, "")
	if !strings.Contains(err.Error(), "options") {
		t.Errorf("got %v", err)
	}
	root, err := source.ParseIgnore("012", limits)
	must(t, err)
	_, err = root.With([]byte("01234567"))
	check(err, ".sourceignore")
	sub, err := root.Folder("a").Folder("b").With([]byte("0123"))
	must(t, err)
	_, err = sub.Folder("c").With([]byte("0123"))
	check(err, "a/b/c/.sourceignore")
	_, err = sub.Folder("c").With([]byte("012"))
	must(t, err)
	// In an ignored folder, no file is looked at.
	_, err = root.Folder("012").With(make([]byte, 11))
	must(t, err)
	var zero source.IgnoreRules
	_, err = zero.With(make([]byte, source.DefaultMaxIgnoreBytes))
	must(t, err)
	_, err = zero.With(make([]byte, source.DefaultMaxIgnoreBytes+1))
	if !errors.Is(err, source.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestIgnoreFilter(t *testing.T) {
	bodies := map[string]string{
		".sourceignore":          "out/\n*.md",
		"web/.sourceignore":      "!a.md\n.sourceignore",
		"web/deep/.sourceignore": "x",
		"out/.sourceignore":      "!*",
	}
	paths := []string{
		"web/deep/x", "web/a.md", "web/deep/y", "b.md", "out/c", "../up", "web/", "web//e.md", "out/../f",
		"out/.sourceignore", "web/deep/.sourceignore",
		"web/.sourceignore", ".sourceignore", "g", "web/deep/deeper/x", "web/a.md", "/h", "",
	}
	given := slices.Clone(paths)
	var read []string
	got, err := ignoreRules(t, "up").Filter(t.Context(), paths, func(name string) ([]byte, error) {
		read = append(read, name)
		return []byte(bodies[name]), nil
	})
	must(t, err)
	want := []string{"web/a.md", "web/deep/y", "web/", ".sourceignore", "g", "web/a.md", "/h", ""}
	if !slices.Equal(got, want) || !slices.Equal(paths, given) {
		t.Errorf("got %q, want %q", got, want)
	}
	slices.Sort(read)
	if want := []string{".sourceignore", "web/.sourceignore", "web/deep/.sourceignore"}; !slices.Equal(read, want) {
		t.Errorf("read %q, want %q", read, want)
	}
	plain, err := ignoreRules(t, "*.md").Filter(t.Context(), []string{".sourceignore", "a.md", "out/c"}, nil)
	if want := []string{".sourceignore", "out/c"}; err != nil || !slices.Equal(plain, want) {
		t.Errorf("got %q, %v", plain, err)
	}
	for _, name := range []string{"", "web/"} {
		failed := errors.New("failed")
		paths := []string{name + "a", name + source.IgnoreFile}
		got, err := source.IgnoreRules{}.Filter(t.Context(), paths, func(string) ([]byte, error) { return nil, failed })
		if got != nil || err != failed {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func ExampleIgnoreRules() {
	rules, err := source.ParseIgnore("*.md\n!/docs/*.md", source.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	// The tree has an ignore file in web.
	files := map[string]string{"web/.sourceignore": "/test/"}
	keys := []string{"README.md", "docs/index.md", "web/.sourceignore", "web/app.yaml", "web/test/app.yaml"}
	left, err := rules.Filter(context.Background(), keys, func(name string) ([]byte, error) { return []byte(files[name]), nil })
	fmt.Println(left, err)

	// The same, by walking down.
	web, err := rules.Folder("web").With([]byte(files[path.Join("web", source.IgnoreFile)]))
	fmt.Println(web.Ignores("app.yaml", false), web.Ignores("test", true), err)
	// Output:
	// [docs/index.md web/.sourceignore web/app.yaml] <nil>
	// false true <nil>
}

// To Git's own matcher, each of these takes longer than anybody waits.
func TestIgnoreEndsForHostileLines(t *testing.T) {
	long := strings.Repeat("a", 2000)
	deep := strings.Repeat("a/", 1000)
	for line, want := range map[string]map[string]bool{
		strings.Repeat("*a", 500) + "b":         {long: false, long + "b": true},
		strings.Repeat("*?", 500) + "*b":        {long: false, long + "b": true},
		strings.Repeat("*[ab]", 300) + "c":      {long: false, long + "c": true},
		"/" + strings.Repeat("**/a/", 300):      {deep + "b": true, deep[:600] + "b": true, deep[:598] + "b": false},
		strings.Repeat("**/a*a*/", 99) + "**b":  {deep + "b": false, strings.Repeat("aa/", 99) + "b": true},
		strings.Repeat("**/*", 200) + "b":       {deep + "a": false},
		strings.Repeat("*/**/", 200) + "b":      {deep + "a": false, deep + "b": true},
		"[" + strings.Repeat("[:", 5000) + "x]": {"[": true, ":": true, "x": true, "a": false},
	} {
		rules := ignoreRules(t, strings.Repeat(line+"\n", 3))
		for name, ignored := range want {
			if got := ignoresPath(rules, name); got != ignored {
				t.Errorf("%.20s… of %d bytes, %.20s… of %d bytes: got %v", line, len(line), name, len(name), got)
			}
		}
	}
}
