package git

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
	"github.com/gitopskit/gitopskit/source/git/internal/wire"
)

// A tip is what options mean in a repository as it is now.
type tip struct {
	name   string      // what a revision says
	tag    string      // the tag's own name, where it is one
	want   object.Hash // what to ask for: an annotated tag itself, since servers need not give its commit by hash
	commit object.Hash
	pinned bool        // the commit was named by its hash
	branch object.Hash // where a pinned commit's history is looked for
}

// A chooser finds the tip among the references that a server lists.
type chooser struct {
	find    func(*wire.Advertisement) (tip, error)
	full    string   // the reference's full name, where it is one
	twin    string   // of a branch the tag of the same name, and the other way around, which may have been meant
	prefix  string   // what the names of the references that matter start with
	commit  string   // pins
	pattern *pattern // of versions
}

// newChooser reads the options in the order in which they count: Reference, SemVer, Tag, Branch, and HEAD.
func newChooser(o Options) (*chooser, error) {
	c := &chooser{commit: o.Commit}
	switch {
	case o.Reference != "":
		c.name("reference", o.Reference, o.Reference)
	case o.SemVer != "":
		p, err := newPattern(o)
		if err != nil {
			return nil, err
		}
		c.pattern, c.prefix, c.find = p, "refs/tags/", p.newest
	case o.Tag != "":
		c.twin = "refs/heads/" + o.Tag
		c.name("tag", o.Tag, "refs/tags/"+o.Tag)
	case o.Branch != "":
		c.twin = "refs/tags/" + o.Branch
		c.name("branch", o.Branch, "refs/heads/"+o.Branch)
	default:
		c.prefix, c.full, c.find = "HEAD", "HEAD", head
	}
	return c, nil
}

func (c *chooser) name(kind, name, full string) {
	c.full, c.prefix = full, full
	c.find = func(a *wire.Advertisement) (tip, error) {
		ref, ok := a.Find(full)
		if !ok {
			return tip{}, fmt.Errorf("%s %q: %w%s", kind, name, source.ErrNotFound, c.instead(kind, a))
		}
		return tipOf(name, ref), nil
	}
}

// instead says what there is instead of a branch or a tag. In version 2 the server was not asked for the others.
func (c *chooser) instead(kind string, a *wire.Advertisement) string {
	text := ""
	if a.Version != 2 {
		switch kind {
		case "branch":
			text = " among " + counted(a.Branches, "branch", "branches")
		case "tag":
			text = " among " + counted(a.Tags, "tag", "tags")
		}
	}
	if branch, ok := strings.CutPrefix(a.Head, "refs/heads/"); ok && kind == "branch" {
		text += fmt.Sprintf("; HEAD is %q", branch)
	}
	if _, ok := a.Find(c.twin); ok && kind == "branch" {
		text += "; there is a tag of this name, for Options.Tag"
	} else if ok {
		text += "; there is a branch of this name, for Options.Branch"
	}
	return text
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// keeps reports whether a reference may matter, so that of a million only those few are held.
func (c *chooser) keeps(name string) bool {
	return name == "HEAD" || name == c.full || name == c.twin || c.pattern != nil && strings.HasPrefix(name, c.prefix)
}

// prefixes are what a server of version 2 is asked for.
func (c *chooser) prefixes() []string {
	if c.prefix == "HEAD" {
		return []string{"HEAD"}
	}
	if c.twin != "" {
		return []string{"HEAD", c.prefix, c.twin}
	}
	return []string{"HEAD", c.prefix}
}

// needsNone reports whether a revision is current without asking, which a commit that nothing else names always is, and
// returns its tip.
func (c *chooser) needsNone(known source.Revision) (tip, bool) {
	if c.commit == "" || c.prefix != "HEAD" {
		return tip{}, false
	}
	commit, err := object.ParseHash(c.commit)
	return tip{want: commit, commit: commit, pinned: true}, err == nil && known.Current(revision("", commit))
}

// choose returns the tip. A commit alone needs no reference.
func (c *chooser) choose(a *wire.Advertisement) (tip, error) {
	t, err := c.find(a)
	if c.commit == "" {
		return t, err
	}
	if err != nil && c.prefix != "HEAD" {
		return tip{}, err
	}
	pinned := object.Hash{}
	if pinned, err = object.ParseHash(c.commit); err != nil {
		return tip{}, err
	}
	if t.commit != pinned {
		t = tip{name: t.name, tag: t.tag, want: pinned, commit: pinned, pinned: true, branch: t.want}
	}
	if c.prefix == "HEAD" {
		t.name = ""
	}
	return t, nil
}

func tipOf(name string, ref wire.Ref) tip {
	t := tip{name: name, want: ref.Hash, commit: ref.Hash}
	t.tag, _ = strings.CutPrefix(ref.Name, "refs/tags/")
	if t.tag == ref.Name {
		t.tag = ""
	}
	if !ref.Peeled.IsZero() {
		t.commit = ref.Peeled
	}
	return t
}

// head is named for its branch where the server says which it is.
func head(a *wire.Advertisement) (tip, error) {
	ref, ok := a.Find("HEAD")
	if !ok {
		return tip{}, fmt.Errorf("HEAD: %w: its branch has no commit", source.ErrNotFound)
	}
	name := "HEAD"
	if a.Head != "" {
		name = strings.TrimPrefix(a.Head, "refs/heads/")
	}
	return tipOf(name, ref), nil
}

// A pattern is a range of versions, and how tags are versions.
type pattern struct {
	versions *semver.Constraints
	tags     *regexp.Regexp // nil: every tag is a version as it is
	asked    string
}

func newPattern(o Options) (*pattern, error) {
	p := &pattern{asked: o.SemVer}
	var err error
	if p.versions, err = semver.NewConstraint(o.SemVer); err != nil {
		return nil, fmt.Errorf("Options.SemVer %q is no range of versions: %w", o.SemVer, err)
	}
	p.versions.IncludePrerelease = o.Prereleases
	if o.TagPattern == "" {
		return p, nil
	}
	if p.tags, err = regexp.Compile(o.TagPattern); err != nil {
		return nil, fmt.Errorf("Options.TagPattern: %w", err)
	}
	if p.tags.NumSubexp() > 1 {
		return nil, fmt.Errorf("Options.TagPattern %q has %d groups, and the version can be only one: write the others as (?:…)",
			o.TagPattern, p.tags.NumSubexp())
	}
	return p, nil
}

// version returns what a tag's name says, or nil if it is none. It is strict: a date such as 2024.01.15 or a moving tag such as
// v1 is no version, and would often be the highest one.
func (p *pattern) version(tag string) *semver.Version {
	if p.tags != nil {
		found := p.tags.FindStringSubmatch(tag)
		if found == nil {
			return nil
		}
		tag = found[len(found)-1]
		if p.tags.NumSubexp() == 0 {
			tag = found[0]
		}
	}
	v, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v"))
	if err != nil {
		return nil
	}
	return v
}

// newest finds the tag of the highest version within the range. Of tags of one version, which metadata or a "v" may set
// apart, it is the one whose name sorts last, whatever their order in the list.
func (p *pattern) newest(a *wire.Advertisement) (tip, error) {
	var best, highest *semver.Version // within the range, and at all
	var chosen wire.Ref
	tags, matching, versions := 0, 0, 0
	for _, ref := range a.Refs {
		name, ok := strings.CutPrefix(ref.Name, "refs/tags/")
		if !ok {
			continue
		}
		tags++
		if p.tags != nil && p.tags.MatchString(name) {
			matching++
		}
		v := p.version(name)
		if v == nil {
			continue
		}
		if versions++; highest == nil || v.GreaterThan(highest) {
			highest = v
		}
		if !p.versions.Check(v) {
			continue
		}
		if best == nil || v.Compare(best) > 0 || v.Compare(best) == 0 && ref.Name > chosen.Name {
			best, chosen = v, ref
		}
	}
	if best == nil {
		return tip{}, p.none(tags, matching, versions, highest)
	}
	return tipOf(strings.TrimPrefix(chosen.Name, "refs/tags/"), chosen), nil
}

// none says why no tag was chosen.
func (p *pattern) none(tags, matching, versions int, highest *semver.Version) error {
	text := counted(tags, "tag", "tags")
	if p.tags != nil {
		text += fmt.Sprintf(", of which %d match Options.TagPattern", matching)
	}
	switch {
	case highest != nil:
		text += fmt.Sprintf(" and %d are versions, the highest %.100q", versions, highest)
	case tags > 0:
		text += " and none is a version, which has three numbers as 1.2.3 does"
	}
	if highest != nil && highest.Prerelease() != "" && !p.versions.IncludePrerelease {
		text += "; prereleases count with Options.Prereleases"
	}
	return fmt.Errorf("a tag within the range %q: %w among %s", p.asked, source.ErrNotFound, text)
}
