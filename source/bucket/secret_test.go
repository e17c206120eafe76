package bucket

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestSecretsAreHiddenHoweverManyFollow(t *testing.T) {
	s := newSecrets("the proxy's", "ann")
	for i := range 200 {
		s.add(fmt.Sprintf("access-%d", i), fmt.Sprintf("secret/%d", i), "")
	}
	for text, want := range map[string]string{
		"the proxy's password, the%20proxy%27s too": "(redacted) password, (redacted) too",
		"ann cannot, nor can ann":                   "(redacted) cannot, nor can (redacted)",
		"access-199 with secret%2F199":              "(redacted) with (redacted)",
		"nothing to hide":                           "nothing to hide",
	} {
		if got := s.redact(text); got != want {
			t.Errorf("%s: got %s", text, got)
		}
	}
	if len(s.recent) > maxRecent {
		t.Errorf("%d spellings are kept", len(s.recent))
	}
}

func TestCleanErrorsAreAskedAboutTheirCause(t *testing.T) {
	s := newSecrets("planted")
	err := s.clean(&fs.PathError{Op: "open", Path: "/planted", Err: fs.ErrNotExist})
	cause := new(fs.PathError)
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &cause) || cause.Op != "open" {
		t.Errorf("got %v", err)
	}
	if printed := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(printed, "planted") || errors.Unwrap(err) != nil {
		t.Errorf("got %s", printed)
	}
	if plain := errors.New("plain"); s.clean(plain) != plain {
		t.Error("what has no secret is changed")
	}
}
