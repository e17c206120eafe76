package signature

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// readOptions reads the options of a line, of which none may be there twice.
func (s *allowedSigner) readOptions(text string) error {
	seen := make(map[string]bool)
	for text != "" {
		name, rest, hasValue := text, "", false
		if at := strings.IndexAny(text, ",="); at >= 0 {
			name, rest, hasValue = text[:at], text[at+1:], text[at] == '='
		}
		name = strings.ToLower(name)
		value := ""
		if hasValue {
			var err error
			if value, rest, err = cutValue(rest); err != nil {
				return fmt.Errorf("option %.40q: %w", name, err)
			}
		}
		if seen[name] {
			return fmt.Errorf("the option %.40q is there twice", name)
		}
		seen[name] = true
		if err := s.setOption(name, value, hasValue); err != nil {
			return err
		}
		text = rest
	}
	if !s.after.IsZero() && !s.before.IsZero() && !s.after.Before(s.before) {
		return errors.New("its valid-before is not later than its valid-after")
	}
	return nil
}

// cutValue cuts a value in quotes off, and the comma after it.
func cutValue(text string) (value, rest string, err error) {
	text, ok := strings.CutPrefix(text, `"`)
	value, rest, closed := strings.Cut(text, `"`)
	if !ok || !closed {
		return "", "", errors.New("its value has to be in quotes")
	}
	if rest == "" {
		return value, "", nil
	}
	after, ok := strings.CutPrefix(rest, ",")
	if !ok || after == "" {
		return "", "", errors.New("after its value there is no comma and a further option")
	}
	return value, after, nil
}

func (s *allowedSigner) setOption(name, value string, hasValue bool) error {
	var err error
	switch {
	case name == "cert-authority":
		return errors.New("certificates are not supported, and so neither is cert-authority: give the keys themselves")
	case name == "namespaces" && hasValue:
		s.elsewhere = !matchesList(namespace, value)
	case name == "valid-after" && hasValue:
		s.after, err = parseTime(value)
	case name == "valid-before" && hasValue:
		s.before, err = parseTime(value)
	default:
		return fmt.Errorf("the option %.40q is not one of allowed_signers that is supported: "+
			`namespaces="git", valid-after="…", valid-before="…" are`, name)
	}
	if err != nil {
		return fmt.Errorf("option %s: %w", name, err)
	}
	return nil
}

// parseTime reads what ssh-keygen reads: 20240131, 202401312359 or 20240131235959, in the local time zone, or in UTC with a
// Z after it.
func parseTime(text string) (time.Time, error) {
	zone := time.Local
	if upper := strings.ToUpper(text); strings.HasSuffix(upper, "Z") || strings.HasSuffix(upper, "UTC") {
		zone = time.UTC
		text = strings.TrimSuffix(strings.TrimSuffix(upper, "Z"), "UTC")
	}
	const layout = "20060102150405"
	switch len(text) {
	case 8, 12, 14:
		if t, err := time.ParseInLocation(layout[:len(text)], text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New(`it is not a time like "20240131" or "20240131235959Z"`)
}

// matchesList holds a name against patterns with commas between them, of which those that start with ! exclude.
func matchesList(name, patterns string) bool {
	matched := false
	for pattern := range strings.SplitSeq(patterns, ",") {
		pattern, not := strings.CutPrefix(pattern, "!")
		if matches(name, pattern) {
			if not {
				return false
			}
			matched = true
		}
	}
	return matched
}

// matches knows * and ?, and nothing else is special. It takes at most the product of both lengths.
func matches(name, pattern string) bool {
	star, retry := -1, 0 // the last * there was, and how much of name is left to it
	n, p := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			n++
			p++
		case star >= 0:
			retry++
			n, p = retry, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
