package secret

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

func TestSecretsAreHiddenInEverySpelling(t *testing.T) {
	w := New(`planted"pass wörd/`, " padded\t", "ann", "git", "")
	w.Add("planted", "planted-longer")
	for text, want := range map[string]string{
		`planted"pass wörd/ and planted\"pass wörd/`:                    "(redacted) and (redacted)",
		"planted%22pass%20w%C3%B6rd%2F planted%22pass+w%C3%B6rd%2F":     "(redacted) (redacted)",
		"/planted%22pass%20w%C3%B6rd/":                                  "/(redacted)",
		"cGxhbnRlZCJwYXNzIHfDtnJkLw== cGxhbnRlZCJwYXNzIHfDtnJkLw%3D%3D": "(redacted) (redacted)",
		"706c616e746564 and planted":                                    "(redacted) and (redacted)",
		"it was padded":                                                 "it was (redacted)",
		"ann cannot git, nor can ann":                                   "(redacted) cannot git, nor can (redacted)",
		"planted-longer, planted":                                       "(redacted), (redacted)",
		"nothing to hide":                                               "nothing to hide",
	} {
		if got := w.Redact(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if printed := fmt.Sprintf("%v %+v %#v %s %q", w, w, w, w, w); strings.Contains(printed, "p") {
		t.Errorf("got %s", printed)
	}
}

func TestQuoteIsOneLineWithoutSecretsAndNotLong(t *testing.T) {
	w := New("planted-secret")
	for text, want := range map[string]string{
		" no\nplanted-secret\x1b ": `"no\n(redacted)\x1b"`,
		"cut in a planted-se":      `"cut in a (redacted)"`,
		"cut in a pla":             `"cut in a pla"`, // which is in many words
		"\U0001F600 wörd":          "\"\U0001F600 wörd\"",
	} {
		if got := w.Quote(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if got := w.Quote(strings.Repeat("y", 5000)); len(got) != maxText+2 {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestCleanErrorsKeepTheirCause(t *testing.T) {
	w := New("planted-secret", "ann", "git")
	own := &source.LimitError{Option: "planted-secret"}
	err := w.Clean(fmt.Errorf("ann cannot git planted-secret, she's ann\x1b[1m%s: %w: %w", strings.Repeat("y", 5000), own, context.Canceled))
	typed := new(source.LimitError)
	if !errors.Is(err, context.Canceled) || !errors.As(err, &typed) || typed != own || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	text := err.Error()
	if !strings.HasPrefix(text, `"(redacted) cannot git (redacted), she's (redacted)\x1b`) || len(text) > 1100 ||
		!strings.HasSuffix(text, `the limit that (redacted) sets: context canceled"`) {
		t.Errorf("got %s", text)
	}
	plain := errors.New("plain")
	if w.Clean(plain) != plain || w.Clean(nil) != nil {
		t.Error("an error without secrets is another one")
	}
}

func TestCleanErrorsAreNotPrintedWithTheirCause(t *testing.T) {
	err := New("planted").Clean(&fs.PathError{Op: "open", Path: "/planted", Err: fs.ErrNotExist})
	if printed := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(printed, "planted") || errors.Unwrap(err) != nil {
		t.Errorf("got %s", printed)
	}
}

func TestManyTokensAreForgottenAndOnlyThose(t *testing.T) {
	w := New("the proxy's")
	for i := range 1000 {
		w.Add(fmt.Sprintf("token-%d/", i), "the account's")
	}
	for text, want := range map[string]string{
		"token-999/ token-1/":                       "(redacted) token-1/",
		"the proxy's password, the%20proxy%27s too": "(redacted) password, (redacted) too",
		"the account's key":                         "(redacted) key",
	} {
		if got := w.Redact(text); got != want {
			t.Errorf("%s: got %s", text, got)
		}
	}
	if len(w.recent) > maxRecent {
		t.Errorf("%d spellings are kept", len(w.recent))
	}
}

// What is whole is hidden before what may be cut: this one ends as it begins.
func TestSecretThatEndsAsItBeginsIsHiddenWhole(t *testing.T) {
	w := New("token-of-ann-token-of-")
	if got := w.Quote("no such key: token-of-ann-token-of-"); got != `"no such key: (redacted)"` {
		t.Errorf("got %s", got)
	}
	if got := w.Quote("no such key: token-of-ann-tok"); got != `"no such key: (redacted)"` {
		t.Errorf("cut: got %s", got)
	}
}
