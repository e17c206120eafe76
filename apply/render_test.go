package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "rewrite the wanted results in testdata")

// shownPlan has one of each that a plan can tell, and what would break out of a diff or of Markdown.
func shownPlan() *Plan {
	ref := func(group, kind, name string) Ref {
		return Ref{Group: group, Version: "v1", Kind: kind, Namespace: "default", Name: name}
	}
	const conf = "listen 80\nuser www\n\nkeepalive 10\nlog info\ngzip on\ntls off\nroot /srv\n"
	p := &Plan{ID: ID{Namespace: "default", Name: "podinfo"}, parent: "0a1b/1234", secrets: "c2FsdA"}
	p.Changes = []PlannedChange{
		{Change: Change{Ref: ref("", "ConfigMap", "settings"), Action: Created}, intent: "aa", Differences: []Difference{
			{Path: "data", Will: map[string]any{"colour": "blue", "on": "true", "empty": "", "nginx.conf": conf}, Origin: FromManifest}}},
		{Change: Change{Ref: ref("apps", "Deployment", "web"), Action: Configured}, Adopted: true, Note: noteAdopted, intent: "bb", state: "cc",
			Differences: []Difference{
				{Path: `metadata.annotations["example.com/conf"]`, Was: conf, Will: strings.Replace(conf, "info", "debug", 1), Origin: FromManifest},
				{Path: "spec.replicas", Was: int64(2), Will: int64(3), Origin: FromManifest},
				{Path: "spec.template.spec.containers[name=main].args", Was: []any{"a", "b"}, Will: []any{"a", "--x=1", "b"}, Origin: FromManifest},
				{Path: "spec.template.spec.containers[name=side]", Will: map[string]any{"name": "side", "ports": []any{
					map[string]any{"containerPort": int64(80), "name": "http"}}, "resources": map[string]any{}}, Origin: FromManifest},
				{Path: "spec.template.spec.containers[name=side].imagePullPolicy", Will: "Always", Origin: FromServer},
				{Path: "spec.template.spec.volumes", Was: []any{map[string]any{"name": "tmp", "emptyDir": map[string]any{}}}, Origin: FromManifest},
			}},
		{Change: Change{Ref: ref("", "Secret", "keys"), Action: Configured}, state: "dd", Omitted: 3, Differences: []Difference{
			{Path: "data.password", Was: mask, Will: maskChanged, Origin: FromManifest}}},
		{Change: Change{Ref: ref("", "ConfigMap", "evil"), Action: Configured}, Differences: []Difference{
			{Path: `data["a` + "`" + `|b"]`, Was: "```\n</details>\n# title\n@everyone", Will: "````\n\x1b[31mred\x1b[0m\u202eback\r\n<script>", Origin: FromManifest}}},
		{Change: Change{Ref: ref("", "Service", "web"), Action: Unchanged}, intent: "ee", state: "ff"},
		{Change: Change{Ref: ref("", "Service", "old"), Action: Pruned}, state: "11"},
	}
	bad := PlannedChange{Change: Change{Ref: ref("", "Service", "bad`|<b>@me\n## x")}}
	bad.fail(errors.New("the port is 99999\n```\n<img src=x>"))
	p.Changes = append(p.Changes, bad)
	return p
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is otherwise; with -update it becomes:\n%s", file, got)
	}
}

func TestPlanIsShown(t *testing.T) {
	p := shownPlan()
	for name, write := range map[string]func(*bytes.Buffer) error{
		"plan.diff":        func(b *bytes.Buffer) error { return p.WriteDiff(b, View{}) },
		"plan.server.diff": func(b *bytes.Buffer) error { return p.WriteDiff(b, View{Server: true}) },
		"plan.ansi":        func(b *bytes.Buffer) error { return p.WriteDiff(b, View{Color: true}) },
		"plan.md":          func(b *bytes.Buffer) error { return p.WriteMarkdown(b, View{Color: true}) },
		"plan.json": func(b *bytes.Buffer) error {
			text, err := json.MarshalIndent(p, "", "  ")
			b.Write(append(text, '\n'))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatal(err)
			}
			if name != "plan.ansi" && bytes.ContainsAny(out.Bytes(), "\x1b\r") {
				t.Error("it has what steers a terminal")
			}
			golden(t, name, out.Bytes())
		})
	}
	var empty bytes.Buffer
	if err := (&Plan{ID: p.ID}).WriteDiff(&empty, View{}); err != nil || empty.String() != "plan of default/podinfo: no objects\n" {
		t.Errorf("an empty plan is shown as %q, %v", empty.String(), err)
	}
}

func TestAPlanThatCouldNotBeMadeSaysSo(t *testing.T) {
	p := &Plan{ID: ID{Namespace: "default", Name: "podinfo"}, failure: "refused to prune by an <empty> set"}
	var diff, markdown strings.Builder
	if err := errors.Join(p.WriteDiff(&diff, View{}), p.WriteMarkdown(&markdown, View{})); err != nil {
		t.Fatal(err)
	}
	if want := "plan of default/podinfo: it could not be made: refused to prune by an <empty> set\n"; diff.String() != want {
		t.Errorf("the diff is %q, want %q", diff.String(), want)
	}
	if want := "**Plan of `default/podinfo`:** it could not be made: `refused to prune by an <empty> set`\n"; markdown.String() != want {
		t.Errorf("the Markdown is %q, want %q", markdown.String(), want)
	}
	text, err := json.Marshal(p)
	var again Plan
	if err := errors.Join(err, json.Unmarshal(text, &again)); err != nil || again.failure != p.failure {
		t.Errorf("after %s: %v, %q", text, err, again.failure)
	}
}

func TestMarkdownIsBounded(t *testing.T) {
	p := &Plan{ID: ID{Namespace: "default", Name: "many"}}
	for i := range 600 {
		c := PlannedChange{Change: Change{Ref: Ref{Kind: "ConfigMap", Namespace: "default", Name: fmt.Sprintf("map-%d", i)}, Action: Configured}}
		for j := range 40 {
			c.Differences = append(c.Differences, Difference{Path: fmt.Sprint("data.key", j), Was: "ä", Will: strings.Repeat("ö", j), Origin: FromManifest})
		}
		p.Changes = append(p.Changes, c)
	}
	p.Changes[599].fail(errors.New("it is refused"))
	for _, limit := range []int{0, 2000, 500, 10} {
		var out bytes.Buffer
		if err := p.WriteMarkdown(&out, View{MaxBytes: limit}); err != nil {
			t.Fatal(err)
		}
		most := limit
		if limit == 0 {
			most = maxMarkdown
		}
		if out.Len() > most || limit != 10 && !strings.HasSuffix(out.String(), cutNote) {
			t.Errorf("of %d bytes it wrote %d: %s", most, out.Len(), out.String())
		}
		if limit != 10 && limit != 500 && !strings.Contains(out.String(), "it is refused") {
			t.Error("what failed is not told")
		}
		wantWellFormed(t, out.String())
	}
}

// wantWellFormed reads Markdown as far as WriteMarkdown makes it: what is in no fence may be only what it writes itself.
func wantWellFormed(t *testing.T, text string) {
	t.Helper()
	fence, open := "", 0
	for _, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case fence != "":
			if ticks := strings.TrimRight(trimmed, " "); strings.Trim(ticks, "`") == "" && len(ticks) >= len(fence) {
				fence = ""
			}
		case strings.HasPrefix(line, "```"):
			fence = strings.TrimSuffix(line, "diff")
		case line == "</details>":
			open--
		case strings.HasPrefix(line, "<details><summary>"):
			open++
			if strings.Count(line, "<") != 5 || strings.Count(line, ">") != 5 {
				t.Errorf("a summary has HTML in it: %s", line)
			}
		default:
			if strings.Contains(withoutCode(line), "<") || strings.Contains(withoutCode(line), "@") || strings.HasPrefix(line, "#") {
				t.Errorf("a line outside of a fence is %q", line)
			}
		}
	}
	if fence != "" || open != 0 {
		t.Errorf("%d folds and the fence %q stay open:\n%s", open, fence, text)
	}
}

// withoutCode returns a line without its code spans.
func withoutCode(line string) string {
	var plain []string
	for i, part := range strings.Split(line, "`") {
		if i%2 == 0 {
			plain = append(plain, part)
		}
	}
	return strings.Join(plain, "")
}

// FuzzMarkdown holds that nothing that a manifest or a server says gets out of where it is shown.
func FuzzMarkdown(f *testing.F) {
	f.Add("name", "a.b", "was\nit", "```\n</details>\n<script>", "refused", uint16(0))
	f.Add("`|<b>@me", `a["`+"`"+`"]`, "~~~\n```diff", "````", "\x1b]8;;\a\xff\u2028", uint16(900))
	f.Fuzz(func(t *testing.T, name, path, was, will, reason string, limit uint16) {
		c := PlannedChange{Change: Change{Ref: Ref{Kind: name, Name: name}, Action: Configured}, Note: reason,
			Differences: []Difference{{Path: path, Was: was, Will: map[string]any{path: []any{will, was}}}, {Path: path, Was: was, Will: will}}}
		failed := PlannedChange{Change: Change{Ref: Ref{Kind: path, Group: will, Namespace: reason, Name: name}}}
		failed.fail(errors.New(reason))
		p := &Plan{ID: ID{Namespace: name, Name: path}, Changes: []PlannedChange{c, failed}}
		var text, diff bytes.Buffer
		if err := errors.Join(p.WriteMarkdown(&text, View{MaxBytes: int(limit)}), p.WriteDiff(&diff, View{})); err != nil {
			t.Fatal(err)
		}
		if limit > 0 && text.Len() > int(limit) || !utf8.Valid(text.Bytes()) || bytes.ContainsAny(append(diff.Bytes(), text.Bytes()...), "\x1b\r\x00\a") {
			t.Errorf("%d bytes of %d, or not plain text: %q", text.Len(), limit, text.String())
		}
		wantWellFormed(t, text.String())
	})
}

func TestDiffLinesKeepWhatStays(t *testing.T) {
	var long, longer []string
	for i := range 1500 {
		long, longer = append(long, fmt.Sprint("a", i)), append(longer, fmt.Sprint("b", i))
	}
	if got := diffLines(long, longer); len(got) != 3000 {
		t.Errorf("%d lines where nothing is the same", len(got))
	}
	got := diffLines([]string{"x", "1", "2", "3", "4", "5", "6", "z"}, []string{"x", "1", "2", "3", "4", "5", "6", "y", "z"})
	want := []string{"  x", "# 3 lines", "  4", "  5", "  6", "+ y", "  z"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestValuesAreShownAsYAML(t *testing.T) {
	for value, want := range map[any]string{
		"plain text": "plain text", "": `""`, "yes": `"yes"`, "1.5": `"1.5"`, "a: b": `"a: b"`, "-x": `"-x"`, "end:": `"end:"`, "a #b": `"a #b"`,
		"\x1b[0m": `"\x1b[0m"`, "ärger": "ärger", "a\xffb": `"a\xffb"`, mask: mask, nil: "null",
		int64(3): "3", 1.5e9: "1.5e+09", true: "true",
	} {
		if got := yamlScalar(value); got != want {
			t.Errorf("%q is shown as %s, want %s", value, got, want)
		}
	}
	if got := visible(strings.Repeat("x", 1003)); got != strings.Repeat("x", 1000)+"… (3 bytes more)" {
		t.Errorf("a long line is shown as %s", got)
	}
	nested := []any{[]any{int64(1), "a\n\n"}, map[string]any{}, []any{}}
	want := []string{"a:", "  - - 1", "    - |+", "      a", "  - {}", "  - []"}
	if got := yamlEntry("a", nested); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
