package kustomize

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// document is one piece of a YAML stream.
type document struct {
	text      []byte
	line      int    // of its first line in the file, from 1
	separator []byte // the line before it
}

// at places an error of a line of the document on the line of the file. An error that has a line of the document already
// keeps that.
func (d document) at(line int, err error) error {
	var e *Error
	if errors.As(err, &e) {
		line, err = e.Line, e.Err
	}
	return atLine(d.line+max(line, 1)-1, err)
}

// separatorError refuses what kustomize does: a document that begins on the line of the separator.
func (d document) separatorError() error {
	rest := bytes.TrimSpace(bytes.TrimPrefix(d.separator, separator))
	if len(rest) == 0 || rest[0] == '#' {
		return nil
	}
	return atLine(d.line-1, errors.New(`text follows "---" on the same line`))
}

// splitDocuments cuts a file where kustomize does: at each line that begins with "---" but the first. A line of "---" at the
// very start belongs to the piece that it begins.
func splitDocuments(content []byte) []document {
	content = unixLines(content)
	var docs []document
	doc, begin := document{line: 1}, 0
	for pos, line := 0, 1; pos < len(content); line++ {
		end := len(content)
		if i := bytes.IndexByte(content[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		if pos > begin && end < len(content) && bytes.HasPrefix(content[pos:end], separator) {
			doc.text = content[begin:pos]
			docs = append(docs, doc)
			begin, doc = end, document{line: line + 1, separator: content[pos:end]}
		}
		pos = end
	}
	doc.text = content[begin:]
	return append(docs, doc)
}

var separator = []byte("---")

// unixLines makes line ends of Windows those of Unix, as kustomize does.
func unixLines(content []byte) []byte {
	if !bytes.Contains(content, windowsEnd) {
		return content
	}
	return bytes.ReplaceAll(content, windowsEnd, windowsEnd[1:])
}

var windowsEnd = []byte("\r\n")

// yamlLine finds the line number in an error of the YAML package, which has no field for it.
var yamlLine = regexp.MustCompile(`line (\d+):?\s*`)

// syntaxError makes an error of the YAML package ours: without its prefixes, and with the line in the file.
func (d document) syntaxError(err error) error {
	text, line := err.Error(), d.line
	if i := strings.Index(text, "yaml: "); i >= 0 {
		text = text[i+len("yaml: "):]
	}
	if m := yamlLine.FindStringSubmatchIndex(text); m != nil {
		if n, convErr := strconv.Atoi(text[m[2]:m[3]]); convErr == nil {
			line += n - 1
			text = text[m[1]:]
		}
	}
	return atLine(line, &reason{text: "broken YAML: " + firstLine(text), original: err})
}
