package transport

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
	mu      sync.Mutex
	lasting []string // in all their spellings: those that are hidden for good
	words   []string // and the others, those that were added last at the end
}

const (
	maxSecrets = 256 // spellings; tokens that expire are followed by others
	maxText    = 500 // bytes of somebody else's text in an error
	shortWord  = 6   // a shorter one hides only where it stands alone: "ann" is not all of "cannot"
)

// public are users that everybody has, and whose place in an error is of use.
var public = []string{"", "git", "oauth2", "x-access-token", "x-token-auth", "token"}

// add has words hidden from now on, until many others have followed.
func (s *secrets) add(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, spelling := range spellings(words) {
		if i := slices.Index(s.words, spelling); i >= 0 {
			s.words = slices.Delete(s.words, i, i+1)
		}
		s.words = append(s.words, spelling)
	}
	s.words = s.words[max(0, len(s.words)-maxSecrets):]
}

// addForGood has words hidden from now on, whatever follows.
func (s *secrets) addForGood(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lasting = append(s.lasting, spellings(words)...)
}

// all returns all spellings.
func (s *secrets) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.lasting, s.words)
}

// spellings returns words as they are, and as they stand in URLs and in quotes, each spelling once.
func spellings(words []string) []string {
	for _, word := range words { // what servers say loses the spaces around it
		if trimmed := strings.TrimSpace(word); trimmed != word {
			words = append(words[:len(words):len(words)], trimmed)
		}
	}
	var all []string
	for _, word := range words {
		if slices.Contains(public, word) {
			continue
		}
		quoted := strconv.Quote(word)
		graphic := strconv.QuoteToGraphic(word)
		for _, spelling := range []string{
			word, quoted[1 : len(quoted)-1], graphic[1 : len(graphic)-1], url.QueryEscape(word), url.PathEscape(word),
			url.UserPassword("", word).String()[1:], (&url.URL{Path: "/" + word}).EscapedPath()[1:],
			base64.StdEncoding.EncodeToString([]byte(word)),
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
	words := s.all()
	slices.SortFunc(words, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, word := range words {
		text = hide(text, word)
	}
	return text
}

// hideTail takes the start of a secret off the end of text.
func (s *secrets) hideTail(text string) string {
	longest := 0
	for _, word := range s.all() {
		for n := min(len(word)-1, len(text)); n > max(longest, shortWord/2); n-- {
			if strings.HasSuffix(text, word[:n]) {
				longest = n
			}
		}
	}
	if longest == 0 {
		return text
	}
	return text[:len(text)-longest] + "(redacted)"
}

func hide(text, word string) string {
	if len(word) >= shortWord {
		return strings.ReplaceAll(text, word, "(redacted)")
	}
	var out strings.Builder
	for {
		i := strings.Index(text, word)
		if i < 0 {
			return out.String() + text
		}
		end := i + len(word)
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[end:])
		out.WriteString(text[:i])
		if partOfWord(before) || partOfWord(after) {
			out.WriteString(word)
		} else {
			out.WriteString("(redacted)")
		}
		text = text[end:]
	}
}

func partOfWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// quote returns somebody else's text, which may have been cut in the middle of a secret, as an error may tell it.
func (s *secrets) quote(text string) string {
	text = s.redact(strings.TrimSpace(s.hideTail(text)))
	return strconv.QuoteToGraphic(text[:min(len(text), maxText)])
}

// clean returns err, or one like it whose text has no secrets, no control characters and an end.
func (s *secrets) clean(err error) error {
	if err == nil {
		return nil
	}
	text := s.redact(err.Error())
	if len(text) > 2*maxText {
		text = text[:2*maxText] + "…"
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) }) {
		text = strconv.QuoteToGraphic(text)
	}
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

func (e *cleanError) Is(target error) bool { return errors.Is(e.cause(), target) }

func (e *cleanError) As(target any) bool { return errors.As(e.cause(), target) }
