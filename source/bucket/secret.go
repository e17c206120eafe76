package bucket

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// secrets are what no error may tell.
type secrets struct {
	always []string // in all their spellings
	mu     sync.Mutex
	recent []string // the same, the oldest first
}

const (
	maxRecent = 256 // spellings; credentials that expire are followed by others
	shortWord = 6   // a shorter one hides only where it stands alone: "ann" is not all of "cannot"
)

func newSecrets(words ...string) *secrets { return &secrets{always: spell(nil, words)} }

// add has words hidden from now on.
func (s *secrets) add(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent = spell(s.recent, words)
	s.recent = s.recent[max(0, len(s.recent)-maxRecent):]
}

// spell adds words to what is there, also as they stand in URLs and in quotes.
func spell(all, words []string) []string {
	for _, word := range words {
		if word == "" {
			continue
		}
		quoted := strconv.Quote(word)
		for _, spelling := range []string{
			word, quoted[1 : len(quoted)-1], url.QueryEscape(word), url.PathEscape(word), url.UserPassword("", word).String()[1:],
			(&url.URL{Path: "/" + word}).EscapedPath()[1:], base64.StdEncoding.EncodeToString([]byte(word)),
		} {
			if !slices.Contains(all, spelling) {
				all = append(all, spelling)
			}
		}
	}
	return all
}

// redact replaces the secrets in text, the longest first, since one may be in another.
func (s *secrets) redact(text string) string {
	s.mu.Lock()
	words := slices.Concat(s.always, s.recent)
	s.mu.Unlock()
	slices.SortFunc(words, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, word := range words {
		text = hide(text, word)
	}
	return text
}

func hide(text, word string) string {
	if len(word) >= shortWord {
		return strings.ReplaceAll(text, word, "(redacted)")
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, word)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		last, _ := utf8.DecodeLastRuneInString(before)
		next, _ := utf8.DecodeRuneInString(after)
		if partOfWord(last) || partOfWord(next) {
			out.WriteString(word)
		} else {
			out.WriteString("(redacted)")
		}
		text = after
	}
}

func partOfWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// quote returns somebody else's text as an error may tell it: on one line, and not all of it.
func (s *secrets) quote(text string) string {
	const most = 500 // bytes
	text = s.redact(strings.TrimSpace(text))
	return strconv.QuoteToGraphic(text[:min(len(text), most)])
}

// clean returns err, or one like it whose text has no secrets.
func (s *secrets) clean(err error) error {
	text := s.redact(err.Error())
	if text == err.Error() {
		return err
	}
	return &cleanError{text: text, cause: func() error { return err }}
}

// A cleanError tells less than its cause does. It can be asked about the cause, which has no other way out: printing does
// not follow functions.
type cleanError struct {
	text  string
	cause func() error
}

func (e *cleanError) Error() string { return e.text }

// Is is for [errors.Is].
func (e *cleanError) Is(target error) bool { return errors.Is(e.cause(), target) }

// As is for [errors.As].
func (e *cleanError) As(target any) bool { return errors.As(e.cause(), target) }
