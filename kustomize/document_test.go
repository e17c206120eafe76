package kustomize

import (
	"errors"
	"strings"
	"testing"
)

// TestSplitDocuments cuts where kustomize does and keeps count of the lines.
func TestSplitDocuments(t *testing.T) {
	type piece struct {
		text string
		line int
	}
	for content, want := range map[string][]piece{
		"":                           {{"", 1}},
		"a: 1\n":                     {{"a: 1\n", 1}},
		"---\na: 1\n":                {{"---\na: 1\n", 1}},
		"a: 1\n---\nb: 2\n":          {{"a: 1\n", 1}, {"b: 2\n", 3}},
		"a: 1\r\n---\r\nb: 2\r\n":    {{"a: 1\n", 1}, {"b: 2\n", 3}},
		"a: 1\n--- # c\nb: 2":        {{"a: 1\n", 1}, {"b: 2", 3}},
		"a: 1\n---\n---\nb: 2\n":     {{"a: 1\n", 1}, {"---\nb: 2\n", 3}},
		"a: 1\n---\n\n---\nb: 2\n":   {{"a: 1\n", 1}, {"\n", 3}, {"b: 2\n", 5}},
		"a: |\n  x\n  ---\n  y\n":    {{"a: |\n  x\n  ---\n  y\n", 1}},
		"a: 1\n---":                  {{"a: 1\n---", 1}},
		"a: 1\n---\nb: 2\n---\nc: 3": {{"a: 1\n", 1}, {"b: 2\n", 3}, {"c: 3", 5}},
	} {
		var got []piece
		for _, d := range splitDocuments([]byte(content)) {
			got = append(got, piece{string(d.text), d.line})
		}
		if len(got) != len(want) {
			t.Errorf("%q: got %+v, want %+v", content, got, want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q: piece %d is %+v, want %+v", content, i, got[i], want[i])
			}
		}
	}
}

// TestErrorsSayTheLine breaks manifests in the second document.
func TestErrorsSayTheLine(t *testing.T) {
	const first = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\n" // the next line is the fifth
	for content, want := range map[string]struct {
		line int
		text string
	}{
		"# comment\n\nkind: A\n":                                       {7, "no apiVersion, no metadata.name"},
		"apiVersion: v1\nkind: A\nmetadata: {name: [b]}\n":             {5, "metadata.name is not a string"},
		"apiVersion: v1\nkind: A\nmetadata: {name: b, labels: []}\n":   {5, "metadata.labels is not a map"},
		"apiVersion: v1\nkind: A\nmetadata: {name: b}\nkind: A\n":      {8, `"kind" is there twice`},
		"apiVersion: v1\nkind: A\nmetadata: {name: b}\n? [x]\n: y\n":   {8, "is not a string"},
		"apiVersion: v1\nkind: A\nmetadata: {name: b}\nx: .inf\n":      {8, "not a number in JSON"},
		"apiVersion: v1\nkind: A\nmetadata: {name: b}\nx: !!int y\n":   {8, "not of its type, int"},
		"kind: A\n\tbroken: 1\n":                                       {6, "broken YAML"},
		"- 1\n":                                                        {5, "it is a list"},
		"text\n":                                                       {5, "it is a plain value"},
		"apiVersion: v1\nkind: AList\nitems: [1]\n":                    {0, "items[0]"},
		"apiVersion: v1\nkind: AList\nitems: {a: b}\n":                 {0, "are not a list"},
		"apiVersion: v1\nkind: A\nmetadata: {name: b}\n--- x: y\n{}\n": {8, "on the same line"},
		"apiVersion: v1\nkind: A\nmetadata: {name: b}\n...\nkind: B\n": {5, "another document follows"},
		"apiVersion: v1\nkind: A\nmetadata: {name: b}\r---\rkind: B\n": {5, "another document follows"},
		"apiVersion: v1\nkind: A\nmetadata: {name: b}\n--- {a: b}":     {5, "another document follows"},
		"a: \xff\n": {0, "not UTF-8"},
	} {
		_, err := newParser(Options{}.withDefaults()).manifest([]byte(first + content))
		var e *Error
		line := 0
		if errors.As(err, &e) {
			line = e.Line
		}
		if err == nil || line != want.line || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%q: line %d, %v; want line %d and %q", content, line, err, want.line, want.text)
		}
	}
}

// TestDocumentsThatLookLost has what resembles the end of a document and is none, or has nothing behind it.
func TestDocumentsThatLookLost(t *testing.T) {
	for _, content := range []string{
		oneObject + "...\n",
		oneObject + "...\n# comment\n",
		oneObject + "---",
		oneObject + "data: {a: \"x\\r---\"}\n",
		oneObject + "data:\n  a: |\n    ...\n    ---\n",
		"\ufeff" + oneObject,
		strings.ReplaceAll(oneObject, "\n", "\r\n"),
	} {
		m, err := newParser(Options{}.withDefaults()).manifest([]byte(content))
		if err != nil || len(m.objects) != 1 {
			t.Errorf("%q: %d objects, %v", content, len(m.objects), err)
		}
	}
}
