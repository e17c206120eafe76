package kustomize

import (
	"math"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// spelling says how much of what a YAML text says is in the values that toObject makes of it. Kustomize's merge looks at the
// text: it compares the keys in lists as text, drops an empty value that is not spelt null, and takes JSON in a comment for a
// schema.
type spelling int

const (
	exact        spelling = iota // all of it: there is one way to spell the values
	oddNumbers                   // all but how numbers are spelt, such as 0644
	oddSpellings                 // not all
	oddTexts                     // and a text has more in the end than its value says, once kustomize has printed it
)

func spellingOf(n *yaml.Node) spelling {
	if strings.IndexByte(n.HeadComment, '{') >= 0 || strings.IndexByte(n.LineComment, '{') >= 0 {
		return oddSpellings
	}
	if n.Kind != yaml.ScalarNode {
		return exact
	}
	if n.Style&(yaml.FoldedStyle|yaml.LiteralStyle) != 0 && strings.HasSuffix(n.Value, "\n\n") {
		return oddTexts
	}
	switch n.Tag {
	case yaml.NodeTagString:
		return exact
	case yaml.NodeTagInt:
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil && strconv.FormatInt(i, 10) == n.Value {
			return exact
		}
		return oddNumbers
	case yaml.NodeTagFloat:
		// One without a fraction becomes an int, and there are two ways to write large and tiny ones.
		f, err := strconv.ParseFloat(n.Value, 64)
		if err == nil && f != math.Trunc(f) && strconv.FormatFloat(f, 'g', -1, 64) == n.Value {
			return exact
		}
		return oddNumbers
	case yaml.NodeTagBool:
		return exactIf(n.Value == "true" || n.Value == "false")
	case yaml.NodeTagNull:
		return exactIf(n.Value == "null")
	case "": // kustomize has set it
		return exactIf(n.ShortTag() == yaml.NodeTagString)
	}
	return oddSpellings
}

func exactIf(is bool) spelling {
	if is {
		return exact
	}
	return oddSpellings
}

// spellingOfTree is that of the oddest node in a tree.
func spellingOfTree(n *yaml.Node) spelling {
	s := spellingOf(n)
	for _, child := range n.Content {
		s = max(s, spellingOfTree(child))
	}
	return s
}
