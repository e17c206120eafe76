// Package secret takes secrets out of texts that others write and errors repeat:
//
//	hidden := secret.New(proxyPassword)  // for good
//	hidden.Add(token)                    // for as long as tokens live
//	hidden.Clean(err)                    // the same error, with a text without them
package secret

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Words are what no error may tell. Several goroutines may use them at once.
type Words struct {
	lasting []string // in all their spellings: those that are hidden for good
	mu      sync.Mutex
	recent  []string // and the others, those that were added last at the end
}

const (
	maxRecent = 256 // spellings; tokens that expire are followed by others
	maxText   = 500 // bytes of somebody else's text in an error
	longWord  = 16
	shortWord = 6 // a shorter one hides only where it stands alone: "ann" is not all of "cannot"
)

// public are users that everybody has, and whose place in an error is of use.
var public = []string{"", "git", "oauth2", "x-access-token", "x-token-auth", "token"}

// New has words hidden for good.
func New(words ...string) *Words { return &Words{lasting: spellings(words)} }

// Format implements [fmt.Formatter]. It tells nothing.
func (w *Words) Format(f fmt.State, _ rune) { fmt.Fprint(f, "(redacted)") }

// Add has words hidden from now on, too, until many others have followed.
func (w *Words) Add(words ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, spelling := range spellings(words) {
		if i := slices.Index(w.recent, spelling); i >= 0 {
			w.recent = slices.Delete(w.recent, i, i+1)
		}
		w.recent = append(w.recent, spelling)
	}
	w.recent = w.recent[max(0, len(w.recent)-maxRecent):]
}

// all returns all spellings.
func (w *Words) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Concat(w.lasting, w.recent)
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
		encoded := base64.StdEncoding.EncodeToString([]byte(word))
		for _, spelling := range []string{
			word, quoted[1 : len(quoted)-1], graphic[1 : len(graphic)-1], url.QueryEscape(word), url.PathEscape(word),
			url.UserPassword("", word).String()[1:], (&url.URL{Path: "/" + word}).EscapedPath()[1:],
			encoded, url.QueryEscape(encoded), hex.EncodeToString([]byte(word)),
		} {
			if !slices.Contains(all, spelling) {
				all = append(all, spelling)
			}
		}
	}
	return all
}

// Redact replaces the secrets in text.
func (w *Words) Redact(text string) string { return w.redact(text, 0) }

// redact takes spellings of so many bytes or more.
func (w *Words) redact(text string, least int) string {
	words := slices.DeleteFunc(w.all(), func(word string) bool { return len(word) < least })
	slices.SortFunc(words, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // one may be in another
	for _, word := range words {
		text = hide(text, word)
	}
	return text
}

// hideTail takes the start of a secret off the end of text.
func (w *Words) hideTail(text string) string {
	longest := 0
	for _, word := range w.all() {
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

// Quote returns somebody else's text, which may have been cut in the middle of a secret, as an error may tell it: in quotes,
// on one line, and not all of a long one.
func (w *Words) Quote(text string) string {
	text = strings.TrimSpace(w.hideTail(w.Redact(text))) // first what is whole: a secret may end as it begins
	return strconv.QuoteToGraphic(text[:min(len(text), maxText)])
}

// Clean returns err, or one like it whose text has no secrets, no control characters and an end. Of a long text the middle
// is left out: the cause is at its end.
func (w *Words) Clean(err error) error {
	if err == nil {
		return nil
	}
	return cleaned(err, w.Redact(err.Error()))
}

// CleanNames is Clean of an error that is about names, which short secrets may be, too, such as the user of a server that is
// tried out: only long ones are taken out.
func (w *Words) CleanNames(err error) error { return cleaned(err, w.redact(err.Error(), longWord)) }

func cleaned(err error, text string) error {
	if len(text) > 2*maxText {
		text = text[:maxText] + "…" + text[len(text)-maxText:]
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

// Is is for [errors.Is].
func (e *cleanError) Is(target error) bool { return errors.Is(e.cause(), target) }

// As is for [errors.As].
func (e *cleanError) As(target any) bool { return errors.As(e.cause(), target) }
