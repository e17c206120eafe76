package git_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
)

// A plainVersion is what semver.org says a version is, without a library.
type plainVersion struct {
	numbers [3]int
	pre     []string
}

var plainSyntax = regexp.MustCompile(`^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?` +
	`(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$`)

func plain(text string) (plainVersion, bool) {
	m := plainSyntax.FindStringSubmatch(text)
	if m == nil {
		return plainVersion{}, false
	}
	var v plainVersion
	for i := range v.numbers {
		v.numbers[i], _ = strconv.Atoi(m[i+1])
	}
	if m[4] != "" {
		v.pre = strings.Split(m[4], ".")
	}
	return v, true
}

func (v plainVersion) compare(w plainVersion) int {
	for i := range v.numbers {
		if c := cmp.Compare(v.numbers[i], w.numbers[i]); c != 0 {
			return c
		}
	}
	if len(v.pre) == 0 || len(w.pre) == 0 {
		return cmp.Compare(len(w.pre), len(v.pre)) // a release is after its prereleases
	}
	for i := range min(len(v.pre), len(w.pre)) {
		a, errA := strconv.Atoi(v.pre[i])
		b, errB := strconv.Atoi(w.pre[i])
		c := cmp.Compare(v.pre[i], w.pre[i])
		switch {
		case errA == nil && errB == nil:
			c = cmp.Compare(a, b)
		case errA == nil:
			c = -1 // numbers are before words
		case errB == nil:
			c = 1
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(v.pre), len(w.pre))
}

// A plainRange is alternatives, in each of which everything has to hold.
type plainRange struct {
	text string
	any  [][]plainBound
}

// A plainBound holds for versions from low on and before high, or only up to high.
type plainBound struct {
	low, high plainVersion
	open      bool // low itself is out
	closed    bool // high itself is in
	pre       bool // a prerelease is named
}

var noLimit = plainVersion{numbers: [3]int{1 << 30, 0, 0}}

func (r plainRange) has(v plainVersion, prereleases bool) bool {
	for _, all := range r.any {
		holds, named := true, prereleases
		for _, b := range all {
			named = named || b.pre
			low, high := v.compare(b.low), v.compare(b.high)
			holds = holds && (low > 0 || low == 0 && !b.open) && (high < 0 || high == 0 && b.closed)
		}
		if holds && (named || len(v.pre) == 0) {
			return true
		}
	}
	return false
}

// bound writes one condition. With full, prereleases may meet it, and then it names all of a version.
func bound(random *rand.Rand, full bool) (string, plainBound) {
	a, b, c := random.IntN(4), random.IntN(5), random.IntN(6)
	v := plainVersion{numbers: [3]int{a, b, c}}
	text := fmt.Sprintf("%d.%d.%d", a, b, c)
	if full && random.IntN(3) == 0 {
		v.pre = []string{[]string{"alpha", "rc", "0", "beta"}[random.IntN(4)]}
		text += "-" + v.pre[0]
	}
	pre := len(v.pre) > 0
	lowest := plainVersion{pre: []string{"0"}}
	kind := random.IntN(5)
	if !full {
		kind = random.IntN(11)
	}
	next := func(numbers ...int) plainVersion { return plainVersion{numbers: [3]int(append(numbers, 0, 0)[:3])} }
	switch kind {
	case 0:
		return ">=" + text, plainBound{low: v, high: noLimit, pre: pre}
	case 1:
		return ">" + text, plainBound{low: v, high: noLimit, open: true, pre: pre}
	case 2:
		return "<" + text, plainBound{low: lowest, high: v, pre: pre}
	case 3:
		return "<=" + text, plainBound{low: lowest, high: v, closed: true, pre: pre}
	case 4:
		return "=" + text, plainBound{low: v, high: v, closed: true, pre: pre}
	case 5:
		return "~" + text, plainBound{low: v, high: next(a, b+1)}
	case 6:
		return fmt.Sprintf("~%d.%d", a, b), plainBound{low: next(a, b), high: next(a, b+1)}
	case 7:
		high := next(a + 1)
		if a == 0 {
			high = next(0, b+1)
		}
		if a == 0 && b == 0 {
			high = next(0, 0, c+1)
		}
		return "^" + text, plainBound{low: v, high: high}
	case 8:
		return fmt.Sprintf("%d.x", a), plainBound{low: next(a), high: next(a + 1)}
	case 9:
		return fmt.Sprintf("%d.%d.*", a, b), plainBound{low: next(a, b), high: next(a, b+1)}
	}
	return "*", plainBound{high: noLimit}
}

func someRange(random *rand.Rand, full bool) plainRange {
	var alternatives []string
	var r plainRange
	for range 1 + random.IntN(3) {
		var texts []string
		var all []plainBound
		for range 1 + random.IntN(2) {
			text, b := bound(random, full)
			texts, all = append(texts, text), append(all, b)
		}
		alternatives = append(alternatives, strings.Join(texts, []string{" ", ", ", ","}[random.IntN(3)]))
		r.any = append(r.any, all)
	}
	r.text = strings.Join(alternatives, " || ")
	return r
}

// chosen is the tag that has to be chosen, or none.
func (r plainRange) chosen(tags map[string]string, pattern *regexp.Regexp, prereleases bool) string {
	best, name := plainVersion{}, ""
	for tag := range tags {
		version := tag
		if pattern != nil {
			m := pattern.FindStringSubmatch(tag)
			if m == nil {
				continue
			}
			version = m[len(m)-1]
		}
		v, ok := plain(version)
		if !ok || !r.has(v, prereleases) {
			continue
		}
		if c := v.compare(best); name == "" || c > 0 || c == 0 && tag > name {
			best, name = v, tag
		}
	}
	return name
}
