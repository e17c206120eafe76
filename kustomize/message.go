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
	whole := err.Error()
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
	if where := jsonPatchStep.FindString(whole); where != "" && !strings.Contains(text, where) {
		text = where + ": " + text
	}
	return firstLine(withoutContent(text))
}

// jsonPatchStep is what says which step of a JSON patch cannot be done, by its path.
var jsonPatchStep = regexp.MustCompile(
	`error in \w+ for path: '[^'\s]*'|\w+ operation does not apply: doc is missing [a-z ]*(?:path|key): [^\s:]+|testing value \S+ failed`)

// quotedInput finds the places where kustomize puts what it works on into its messages: objects, patches, values.
var quotedInput = regexp.MustCompile("(?s)(?:\\{\"|map\\[|&?\\[?&?\\{|\\[patch: | for value ).*|(!!\\w+) `[^`]*`")

func withoutContent(text string) string {
	return strings.TrimPrefix(quotedInput.ReplaceAllString(text, "$1…"), "yaml: ")
}

// shortenedError gives an error of kustomize a text of ours. Errors of ours stay as they are.
func shortenedError(err error) error {
	var e *Error
	if errors.As(err, &e) || errors.Is(err, ErrTooLarge) {
		return err
	}
	return &reason{text: plainText(err), original: err}
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
	return shortened(text, maxText)
}

// oneLine keeps what is in the input, such as a name that somebody chose, from making a long message or several lines of one.
func oneLine(text string) string {
	return shortened(strings.Join(strings.Fields(text), " "), 2*maxText)
}

func shortened(text string, enough int) string {
	if len(text) > enough {
		text = text[:enough] + "…"
	}
	return strings.ToValidUTF8(text, "")
}

// shown is a word of the input as it may stand in a message: quoted, and not all of it if it is long.
func shown(word string) string {
	return strconv.Quote(shortened(word, 100))
}
