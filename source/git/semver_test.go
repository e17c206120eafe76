package git_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

func someTag(random *rand.Rand) string {
	tag := fmt.Sprintf("%d.%d.%d", random.IntN(4), random.IntN(5), random.IntN(6))
	if random.IntN(3) == 0 {
		tag += []string{"-alpha", "-alpha.1", "-alpha.10", "-alpha.2", "-beta", "-rc.1", "-rc.1.x", "-1", "-0", "-a-b",
			"-01", "-rc..1"}[random.IntN(12)]
	}
	if random.IntN(5) == 0 {
		tag += []string{"+build", "+1", "+a.b", "+"}[random.IntN(4)]
	}
	return []string{"", "v", "v", "release-", "podinfo/v", "V", "vv"}[random.IntN(7)] + tag
}

var oddTags = []string{"1", "v1", "1.2", "v3.4", "v01.2.3", "9.02.3", "2024.01.15", "20240115", "latest", "v", "9.9",
	"9.9.9.9", "v9.9.9-", "1.x", "9.9.09"}

// tagged is a repository with these tags, some of them annotated, and the commit of each.
func tagged(t *testing.T, repo *testbed.Repository, tags []string) map[string]string {
	t.Helper()
	var in bytes.Buffer
	const commits = 30
	for i := range commits {
		fmt.Fprintf(&in, "commit refs/heads/main\nmark :%d\ncommitter A <a@example.com> %d +0000\ndata 1\nx\n"+
			"M 644 inline v\ndata 2\n%02d\n", i+1, 1_700_000_000+i, i)
	}
	for i, tag := range tags {
		if i%3 == 0 {
			fmt.Fprintf(&in, "tag %s\nfrom :%d\ntagger A <a@example.com> 1700000000 +0000\ndata 1\nx\n", tag, i%commits+1)
		} else {
			fmt.Fprintf(&in, "reset refs/tags/%s\nfrom :%d\n\n", tag, i%commits+1)
		}
	}
	gitIn(t, repo, &in, "fast-import", "--quiet")
	made := make(map[string]string)
	for line := range strings.Lines(gitIn(t, repo, nil, "for-each-ref",
		"--format=%(refname:strip=2) %(objectname) %(*objectname)", "refs/tags")) {
		fields := strings.Fields(line)
		made[fields[0]] = fields[len(fields)-1]
	}
	return made
}

func gitRevision(name, commit string) source.Revision {
	return source.Revision{Name: name, Digest: digest.NewDigestFromEncoded("sha1", commit)}
}

func TestSemVerIsTheTagThatAPlainReadingChooses(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	repo := testbed.Git(t)
	seen := make(map[string]bool)
	tags := append([]string(nil), oddTags...)
	for range 150 {
		if tag := someTag(random); !seen[tag] && !strings.Contains(tag, "..") {
			seen[tag], tags = true, append(tags, tag)
		}
	}
	commits := tagged(t, repo, tags)
	urls := []string{repo.URL(), repo.SSHURL()}
	none, pre := 0, 0
	for i := range 120 {
		opts := git.Options{KnownHosts: repo.KnownHosts(), Prereleases: i%4 == 0}
		r := someRange(random, opts.Prereleases || i%4 == 1)
		opts.SemVer = r.text
		opts.TagPattern = []string{"", "", `^release-(.*)$`, `^podinfo/v(.*)$`, `^[^-]*$`}[random.IntN(5)]
		var pattern *regexp.Regexp
		if opts.TagPattern != "" {
			pattern = regexp.MustCompile(opts.TagPattern)
		}
		want := r.chosen(commits, pattern, opts.Prereleases)
		snapshot, err := newSource(t, urls[i%8/7], opts).Fetch(t.Context(), gitRevision(want, commits[want]))
		switch {
		case want == "":
			none++
			checkError(t, err, source.ErrNotFound, fmt.Sprintf("%q", r.text))
		case err == nil:
			t.Errorf("%q, pattern %q, prereleases %t: got %s, want %s", r.text, opts.TagPattern, opts.Prereleases,
				snapshot.Revision, want)
		case !errors.Is(err, source.ErrNotModified):
			t.Errorf("%q: got %v", r.text, err)
		case strings.Contains(strings.TrimPrefix(want, "release-"), "-"):
			pre++
		}
	}
	if none < 5 || none > 80 || pre < 5 {
		t.Errorf("of 120 ranges %d have no tag, and %d a prerelease: that shows little", none, pre)
	}
}

// What is asked for twice counts once, in the order that is documented, and names the revision.
func TestWhichOfTheOptionsCounts(t *testing.T) {
	repo := testbed.Git(t)
	hashes := make(map[string]string)
	for _, name := range []string{"old", "reference", "semver", "tag", "branch", "head"} {
		hashes[name] = commit(t, repo, map[string][]byte{"v": []byte(name)})
	}
	run(t, repo, "update-ref", "refs/pull/7/head", hashes["reference"])
	tagOf(t, repo, "v1.2.3", hashes["semver"])
	tagOf(t, repo, "chosen", hashes["tag"])
	run(t, repo, "update-ref", "refs/heads/side", hashes["branch"])
	type given struct{ reference, semver, tag, branch bool }
	for i := range 16 {
		g := given{i&8 > 0, i&4 > 0, i&2 > 0, i&1 > 0}
		opts, name, want := git.Options{KnownHosts: repo.KnownHosts()}, "main", "head"
		if g.branch {
			opts.Branch, name, want = "side", "side", "branch"
		}
		if g.tag {
			opts.Tag, name, want = "chosen", "chosen", "tag"
		}
		if g.semver {
			opts.SemVer, name, want = "1.x", "v1.2.3", "semver"
		}
		if g.reference {
			opts.Reference, name, want = "refs/pull/7/head", "refs/pull/7/head", "reference"
		}
		pinned := opts
		pinned.Commit = hashes["old"]
		pinnedName := name
		if i == 0 {
			pinnedName = ""
		}
		for _, url := range []string{repo.URL(), repo.SSHURL()} {
			for _, tt := range []struct {
				opts   git.Options
				want   source.Revision
				asking int // requests where that is current
			}{{opts, gitRevision(name, hashes[want]), 1}, {pinned, gitRevision(pinnedName, hashes["old"]), min(i, 1)}} {
				s := newSource(t, url, tt.opts)
				if got := fetch(t, s, source.Revision{}).Revision; got != tt.want {
					t.Errorf("%+v: got %s, want %s", g, got, tt.want)
				}
				repo.TakeRequests()
				_, err := s.Fetch(t.Context(), tt.want)
				if !errors.Is(err, source.ErrNotModified) {
					t.Errorf("%+v: got %v", g, err)
				}
				if requests := repo.TakeRequests(); url == repo.URL() && len(requests) != tt.asking {
					t.Errorf("%+v: got requests %q", g, requests)
				}
			}
		}
	}
}

// With very many tags nothing new is one request still, peeled tags and all.
func TestVeryManyTagsAreOneRequest(t *testing.T) {
	repo := testbed.Git(t)
	var tags []string
	for i := range 5000 {
		tags = append(tags, fmt.Sprintf("v%d.%d.%d", i/1000, i/10%100, i%10))
	}
	commits := tagged(t, repo, tags)
	run(t, repo, "pack-refs", "--all")
	for opts, want := range map[*git.Options]string{{SemVer: ">=2 <4"}: "v3.99.9", {SemVer: "~1.42"}: "v1.42.9",
		{Tag: "v4.0.8"}: "v4.0.8"} {
		for _, url := range urlsOf(repo) {
			opts.KnownHosts = repo.KnownHosts()
			s := newSource(t, url, *opts)
			repo.TakeRequests()
			if _, err := s.Fetch(t.Context(), gitRevision(want, commits[want])); !errors.Is(err, source.ErrNotModified) {
				t.Errorf("%s: got %v, want %s", opts.SemVer, err, want)
			}
			if requests := repo.TakeRequests(); url == repo.URL() && len(requests) != 1 {
				t.Errorf("got requests %q", requests)
			}
		}
	}
	peeled := run(t, repo, "rev-parse", "v4.0.8^{commit}")
	if commits["v4.0.8"] != peeled || run(t, repo, "cat-file", "-t", "v4.9.5") != "tag" {
		t.Error("the tags are not annotated, and nothing was peeled")
	}
}
