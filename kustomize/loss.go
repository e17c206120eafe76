package kustomize

import (
	"bytes"
	"errors"
	"io"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// guardLoss refuses a file of which kustomize would silently leave out a part. Kustomize splits a file at lines that begin
// with "---" and reads one YAML document from each piece; to YAML, a document can also end with "...", or at a "---" after a
// line break that is not "\n". Nothing that someone declared is to be lost without a word.
func guardLoss(content []byte) error {
	if !mayHide(content) {
		return nil
	}
	for _, doc := range splitDocuments(content) {
		if err := doc.guardSingle(); err != nil {
			return err
		}
	}
	return nil
}

// otherBreaks are the line breaks of YAML beside "\n".
var otherBreaks = [][]byte{[]byte("\r"), []byte("\u0085"), []byte("\u2028"), []byte("\u2029")}

// mayHide is a cheap test with false alarms.
func mayHide(content []byte) bool {
	content = unixLines(content)
	for _, b := range otherBreaks {
		if bytes.Contains(content, b) {
			return true
		}
	}
	last := content[bytes.LastIndexByte(content, '\n')+1:]
	return bytes.HasPrefix(last, separator) || bytes.HasPrefix(content, ending) || bytes.Contains(content, lineEnding)
}

var (
	ending     = []byte("...")
	lineEnding = []byte("\n...")
)

func (d document) guardSingle() error {
	decoder := yaml.NewDecoder(bytes.NewReader(d.text))
	for i := 0; ; i++ {
		var n yaml.Node
		err := decoder.Decode(&n)
		if err == io.EOF {
			return nil
		}
		if err == nil && (i == 0 || yaml.IsYNodeEmptyDoc(&n)) {
			continue
		}
		if i == 0 {
			return d.syntaxError(err)
		}
		return atLine(d.line, errors.New(`another document follows without a line "---" before it`))
	}
}
