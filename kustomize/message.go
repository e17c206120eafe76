package kustomize

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// maxText is how much of an error of kustomize is worth reading.
const maxText = 300

// plainText returns what kustomize's error is about, without the list of functions that passed it on: the innermost error,
// or what is quoted of it where somebody on the way made a string of it. It is one line. What comes after that, kustomize
// uses to print objects and configurations, which may be Secrets.
func plainText(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			break
		}
		err = inner
	}
	text := err.Error()
	for {
		inner := stripped(text)
		if inner == text {
			break
		}
		text = inner
	}
	return firstLine(withoutContent(text))
}

// content finds the places where kustomize puts what it works on into its messages: objects, patches, values.
var content = regexp.MustCompile("(?s)(?:\\{\"|map\\[|&?\\[?&?\\{|\\[patch: | for value ).*|(!!\\w+) `[^`]*`")

func withoutContent(text string) string {
	return strings.TrimPrefix(content.ReplaceAllString(text, "$1…"), "yaml: ")
}

var (
	// quoted is how kustomize passes on the errors of components.
	quoted = regexp.MustCompile(`^(?:accumulateDirectory|loader\.New): (".*)$`)

	// noise is what kustomize puts before an error. The s flag is for configurations, which have many lines.
	noise = regexp.MustCompile("(?s)^(?:" + strings.Join([]string{
		`accumulating (?:resources|components)(?: from '[^']*')?`,
		`accumulation err='[^']*(?:'[^']*'[^']*)*'`,
		`recursed (?:accumulation of|merging from) path '[^']*'`,
		`couldn't make target for path '[^']*'`,
		"trouble configuring builtin \\w+ with config: `\n.*\n`",
		`merging (?:resources )?from '[^']*'`,
		`loading KV pairs`,
	}, "|") + "): ")
)

func stripped(text string) string {
	if m := quoted.FindStringSubmatch(text); m != nil {
		if inner, err := strconv.Unquote(m[1]); err == nil {
			return inner
		}
	}
	return text[len(noise.FindString(text)):]
}

func firstLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}
