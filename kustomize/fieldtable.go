package kustomize

import (
	_ "embed"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// fieldTableText says which fields of which kinds kustomize's transformers work on. Kustomize keeps that where nobody can
// import it; a test reads it from kustomize's source and fails when it is not this. A line is
//
//	field create|keep group,version,kind path
//
// where an empty group, version or kind stands for any, and the field nameReference has the kind that is referred to.
//
//go:embed fieldtable.txt
var fieldTableText string

// fieldTable is kustomize's default configuration of its transformers.
type fieldTable struct {
	fields     map[string]types.FsSlice // by the name of the field, but for nameReference
	references map[string][]reference   // by the kind of the object that refers
}

// reference is a field that holds the name of an object of the kind target.
type reference struct {
	fieldSpec
	target resid.Gvk
}

// defaultFields parses the table, once in a process. Nobody changes the result.
var defaultFields = sync.OnceValue(func() *fieldTable {
	t := &fieldTable{fields: map[string]types.FsSlice{}, references: map[string][]reference{}}
	for line := range strings.Lines(fieldTableText) {
		words := strings.Fields(line)
		fs := types.FieldSpec{Gvk: gvkOfWord(words[2]), Path: words[3], CreateIfNotPresent: words[1] == "create"}
		field, target, ok := strings.Cut(words[0], "=")
		if !ok {
			t.fields[field] = append(t.fields[field], fs)
			continue
		}
		t.references[fs.Kind] = append(t.references[fs.Kind], reference{compileField(fs), gvkOfWord(target)})
	}
	for _, refs := range t.references { // one field may refer to several kinds, and they have their turns
		slices.SortStableFunc(refs, func(a, b reference) int {
			switch {
			case a.target.IsLessThan(b.target):
				return -1
			case b.target.IsLessThan(a.target):
				return 1
			}
			return 0
		})
	}
	return t
})

func gvkOfWord(word string) resid.Gvk {
	words := strings.SplitN(word, ",", 3)
	return resid.Gvk{Group: words[0], Version: words[1], Kind: words[2]}
}

// knownKustomize is the version that the direct path was compared with. Another one may do something else.
const knownKustomize = "v0.21.2"

// isKnownKustomize says whether the program was built with that version, as far as it can tell: a program that was built
// without the go command does not know.
var isKnownKustomize = sync.OnceValue(func() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return true
	}
	for _, dep := range info.Deps {
		switch dep.Path {
		case "sigs.k8s.io/kustomize/api", "sigs.k8s.io/kustomize/kyaml":
			if dep.Version != knownKustomize || dep.Replace != nil {
				return false
			}
		}
	}
	return true
})
