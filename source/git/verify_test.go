package git_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// checkUnverified is for a fetch whose error is of a kind, and which returns nothing.
func checkUnverified(t *testing.T, s *git.Source, want error, text string) {
	t.Helper()
	snapshot, err := s.Fetch(t.Context(), source.Revision{})
	if snapshot != nil {
		t.Errorf("unverified content was returned: %v", snapshot.Revision)
	}
	checkError(t, err, source.ErrUnverified, text)
	if want != nil && !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestVerify(t *testing.T) {
	r := newSignedRepo(t, testbed.GitOptions{})
	commit := func(name string) []source.Signature { return []source.Signature{r.signed(object.Commit, name)} }
	tag := func(name string) []source.Signature { return []source.Signature{r.signed(object.Tag, name)} }
	for name, tt := range map[string]struct {
		what string
		opts git.Options
		got  []source.Signature
		want error
		text string
	}{
		"commit":                {"commit", git.Options{}, commit("main"), nil, ""},
		"commit by hash":        {"commit", git.Options{Commit: r.objects["main"]}, commit("main"), nil, ""},
		"commit of a tag":       {"commit", git.Options{Tag: "plain"}, commit("main"), nil, ""},
		"commit of a light tag": {"commit", git.Options{Tag: "light"}, commit("main"), nil, ""},
		"unsigned commit":       {"commit", git.Options{Branch: "unsigned"}, nil, source.ErrUnsigned, "git commit -S"},
		"stranger's commit":     {"commit", git.Options{Branch: "other"}, nil, source.ErrUnknownKey, r.other.fingerprint()},
		"changed commit":        {"commit", git.Options{Branch: "changed"}, nil, source.ErrBadSignature, r.objects["changed"]},
		"unsigned by hash":      {"commit", git.Options{Commit: r.objects["unsigned"]}, nil, source.ErrUnsigned, r.objects["unsigned"]},
		"no commit":             {"commit", git.Options{Tag: "bold"}, nil, source.ErrUnsigned, r.objects["unsigned"]},

		"tag":                  {"tag", git.Options{Tag: "v1.0.0"}, tag("v1.0.0"), nil, ""},
		"tag by reference":     {"tag", git.Options{Reference: "refs/tags/v1.0.0"}, tag("v1.0.0"), nil, ""},
		"tag by version":       {"tag", git.Options{SemVer: "1.x"}, tag("v1.0.0"), nil, ""},
		"tag and commit":       {"tag", git.Options{Tag: "v1.0.0", Commit: r.objects["main"]}, tag("v1.0.0"), nil, ""},
		"tag of the unsigned":  {"tag", git.Options{Tag: "bold"}, tag("bold"), nil, ""},
		"tag of a tag":         {"tag", git.Options{Tag: "outer"}, tag("outer"), nil, ""},
		"unsigned tag":         {"tag", git.Options{Tag: "plain"}, nil, source.ErrUnsigned, "git tag -s"},
		"unsigned, of signed":  {"tag", git.Options{Tag: "wrapped"}, nil, source.ErrUnsigned, `tag "wrapped"`},
		"stranger's tag":       {"tag", git.Options{Tag: "strange"}, nil, source.ErrUnknownKey, r.other.fingerprint()},
		"copied tag":           {"tag", git.Options{Tag: "v2.0.0"}, nil, source.ErrOtherTag, `"v2.0.0"`},
		"copied tag, chosen":   {"tag", git.Options{SemVer: ">=1"}, nil, source.ErrOtherTag, `"v2.0.0"`},
		"copied tag, by name":  {"tag", git.Options{Reference: "refs/tags/v2.0.0"}, nil, source.ErrOtherTag, `"v2.0.0"`},
		"light tag":            {"tag", git.Options{Tag: "light"}, nil, source.ErrUnsigned, "not an annotated tag"},
		"tag, another commit":  {"tag", git.Options{Tag: "v1.0.0", Commit: r.objects["other"]}, nil, source.ErrUnsigned, "Options.Commit"},
		"tag of another thing": {"tag", git.Options{Tag: "blob"}, nil, nil, "only a commit can be fetched"},

		"both":             {"commit, tag", git.Options{Tag: "v1.0.0"}, append(tag("v1.0.0"), commit("main")...), nil, ""},
		"both, no commit":  {"commit, tag", git.Options{Tag: "bold"}, nil, source.ErrUnsigned, r.objects["unsigned"]},
		"both, no tag":     {"commit, tag", git.Options{Tag: "plain"}, nil, source.ErrUnsigned, `tag "plain"`},
		"both, copied tag": {"commit, tag", git.Options{Tag: "v2.0.0"}, nil, source.ErrOtherTag, ""},
	} {
		for scheme, url := range map[string]string{"http": r.URL(), "ssh": r.SSHURL(), "git": r.DaemonURL()} {
			t.Run(name+" over "+scheme, func(t *testing.T) {
				tt.opts.KnownHosts, tt.opts.Verify = r.KnownHosts(), r.verification(tt.what)
				tt.opts.Cache = git.NewCache(git.CacheOptions{})
				s := newSource(t, url, tt.opts)
				if tt.text != "" || tt.want != nil {
					checkUnverified(t, s, tt.want, tt.text)
					return
				}
				// At first, again, and out of the cache.
				for i, s := range []*git.Source{s, s, newSource(t, url, tt.opts)} {
					r.TakeRequests()
					if got := fetch(t, s, source.Revision{}).Signatures; !slices.Equal(got, tt.got) {
						t.Errorf("%d: got signatures %+v, want %+v", i, got, tt.got)
					}
					if got := r.TakeRequests(); scheme == "http" && i > 0 && len(got) != 1 {
						t.Errorf("%d: got requests %q", i, got)
					}
				}
			})
		}
	}
}

// Of each commit and tag, git's own verdict is the same.
func TestVerifyAgreesWithGit(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed, with which git verifies")
	}
	r := newSignedRepo(t, testbed.GitOptions{})
	allowed := filepath.Join(t.TempDir(), "allowed")
	must(t, os.WriteFile(allowed, r.verification("").SSH, 0o600))
	good := 0
	for name, hash := range r.objects {
		kind, opts := run(t, r.Repository, "cat-file", "-t", hash), git.Options{Branch: name}
		if kind == "tag" {
			opts = git.Options{Tag: name}
		}
		if name == "blob" {
			continue // a good signature, of nothing that could be fetched
		}
		_, verdict := r.Git(t.Context(), "-c", "gpg.ssh.allowedSignersFile="+allowed, "verify-"+kind, hash)
		opts.Verify = r.verification(kind)
		_, err := newSource(t, r.URL(), opts).Fetch(t.Context(), source.Revision{})
		if (verdict == nil) != (err == nil) {
			t.Errorf("%s: git says %v; here it is %v", name, verdict, err)
		}
		if verdict == nil {
			good++
		}
	}
	if good != 4 {
		t.Errorf("git found %d good signatures, want those of main, v1.0.0, bold and outer", good)
	}
}

func TestVerifyNeedsATag(t *testing.T) {
	for name, opts := range map[string]git.Options{
		"HEAD": {}, "branch": {Branch: "main"}, "commit": {Commit: strings.Repeat("1", 40)},
		"reference": {Reference: "refs/heads/main", Tag: "v1"},
	} {
		t.Run(name, func(t *testing.T) {
			opts.Verify = git.Verification{Tag: true, SSH: []byte(authKey(t).line())}
			_, err := git.New("https://example.com/a.git", opts)
			checkError(t, err, nil, "Options.Verify.Tag wants a tag")
		})
	}
}

func TestVerifyByOpenPGP(t *testing.T) {
	repo, key := testbed.Git(t), newPGPKey(t)
	commit(t, repo, map[string][]byte{"a": []byte("1")})
	hash := signCommit(t, repo, "main", key.signature)
	tag := makeTag(t, repo, "v1", hash, key.signature)
	verify := git.Verification{Commit: true, Tag: true, OpenPGP: [][]byte{newPGPKey(t).public(), key.public()}}
	snapshot := fetch(t, newSource(t, repo.URL(), git.Options{Tag: "v1", Verify: verify}), source.Revision{})
	want := source.Signature{Kind: "tag", Hash: tag, Tag: "v1", Format: "openpgp", Signer: "Ann <ann@example.com>"}
	for i := range snapshot.Signatures {
		got := snapshot.Signatures[i]
		if len(got.Key) != 40 || len(got.Primary) != 40 {
			t.Errorf("got %+v", got)
		}
		if got.Key, got.Primary = "", ""; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		want.Kind, want.Hash, want.Tag = "commit", hash, ""
	}
	if len(snapshot.Signatures) != 2 {
		t.Errorf("got %+v", snapshot.Signatures)
	}
	verify.OpenPGP = verify.OpenPGP[:1]
	checkUnverified(t, newSource(t, repo.URL(), git.Options{Tag: "v1", Verify: verify}), source.ErrUnknownKey, "")
}

// What is not verified is not asked for: of a path, only the commit and the folders that lead to it have come.
func TestVerifyComesBeforeTheContent(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSignedRepo(t, server)
			for branch, want := range map[string]error{
				"main": nil, "unsigned": source.ErrUnsigned, "other": source.ErrUnknownKey, "changed": source.ErrBadSignature,
			} {
				m := &meter{next: http.DefaultTransport}
				opts := git.Options{Branch: branch, Paths: []string{"apps"}, Verify: r.verification("commit"), Transport: m}
				s := newSource(t, r.URL(), opts)
				r.TakeRequests()
				if want == nil {
					snapshot := fetch(t, s, source.Revision{})
					if !slices.Equal(snapshot.Signatures, []source.Signature{r.signed(object.Commit, branch)}) {
						t.Errorf("got %+v", snapshot.Signatures)
					}
					r.TakeRequests()
					continue
				}
				checkUnverified(t, s, want, "")
				if got := r.TakeRequests(); len(got) != 2 {
					t.Errorf("%s: got requests %q", branch, got)
				}
				if got := m.bytes.Load(); got > 6000 && !server.NoFilters {
					t.Errorf("%s: %d bytes were received", branch, got)
				}
			}
			light := git.Options{Tag: "light", Verify: r.verification("tag")}
			checkUnverified(t, newSource(t, r.URL(), light), source.ErrUnsigned, "light")
			if got := r.TakeRequests(); len(got) != 1 {
				t.Errorf("for a tag that cannot be signed: got requests %q", got)
			}
		})
	}
}

func TestVerifyDoesNotTrustTheCache(t *testing.T) {
	r := newSignedRepo(t, testbed.GitOptions{})
	shared := git.NewCache(git.CacheOptions{})
	for _, name := range []string{"unsigned", "other", "main"} {
		carefree := git.Options{Branch: name, Cache: shared}
		careful := git.Options{Branch: name, Cache: shared, Verify: r.verification("commit")}
		if name != "main" {
			checkUnverified(t, newSource(t, r.URL(), careful), nil, "")
		}
		if got := fetch(t, newSource(t, r.URL(), carefree), source.Revision{}); len(got.Signatures) > 0 {
			t.Errorf("nothing was to be verified, and there are %+v", got.Signatures)
		}
		r.TakeRequests()
		s := newSource(t, r.URL(), careful)
		if name == "main" {
			fetch(t, s, source.Revision{})
		} else {
			checkUnverified(t, s, nil, r.objects[name])
			checkUnverified(t, s, nil, r.objects[name]) // nor does it remember
		}
		if got := testbed.Count(r.TakeRequests(), "POST"); got > 0 {
			t.Errorf("%s is in the cache, and was asked for %d times", name, got)
		}
	}
	// Of a tag the cache has only the commit, and all that comes is the tag.
	m := &meter{next: http.DefaultTransport}
	opts := git.Options{Tag: "v1.0.0", Cache: shared, Verify: r.verification("tag"), Transport: m}
	defer func() {
		if got := m.bytes.Load(); got > 6000 {
			t.Errorf("%d bytes were received for a tag", got)
		}
	}()
	checkTagSigned(t, r, newSource(t, r.URL(), opts))
}

// checkTagSigned is for a source of the tag v1.0.0.
func checkTagSigned(t *testing.T, r *signedRepo, s *git.Source) {
	t.Helper()
	got := fetch(t, s, source.Revision{}).Signatures
	if !slices.Equal(got, []source.Signature{r.signed(object.Tag, "v1.0.0")}) {
		t.Errorf("got %+v", got)
	}
}

// A tag may be made anew for the same commit: what was signed before says nothing of it.
func TestVerifyLooksAtATagThatWasMadeAnew(t *testing.T) {
	r := newSignedRepo(t, testbed.GitOptions{})
	s := newSource(t, r.URL(), git.Options{Tag: "v1.0.0", Verify: r.verification("tag")})
	fetch(t, s, source.Revision{})
	anew := func(payload string) string { return r.key.signature(payload) + "\n" }
	r.objects["v1.0.0"] = makeTag(t, r.Repository, "v1.0.0", r.objects["main"], anew)
	checkTagSigned(t, r, s)
	makeTag(t, r.Repository, "v1.0.0", r.objects["main"], r.other.signature)
	checkUnverified(t, s, source.ErrUnknownKey, "")
}

// liar serves the repository with some words of its list of references replaced.
func liar(t *testing.T, r *signedRepo, replace ...string) string {
	t.Helper()
	server := front(t, r.Repository, func(w http.ResponseWriter, q *http.Request, pass http.Handler) {
		if q.Method != http.MethodGet {
			pass.ServeHTTP(w, q)
			return
		}
		said := httptest.NewRecorder()
		pass.ServeHTTP(said, q)
		body := strings.NewReplacer(replace...).Replace(said.Body.String())
		w.Header().Set("Content-Type", said.Header().Get("Content-Type"))
		_, _ = io.Copy(w, bytes.NewBufferString(body))
	})
	return server.URL + "/" + r.Name + ".git"
}

func TestVerifyDoesNotTrustTheServersList(t *testing.T) {
	r := newSignedRepo(t, testbed.GitOptions{})
	peeled := func(name string) string { return r.objects[name] + " refs/tags/v1.0.0^{}" }
	other := func(name string) string { return r.objects[name] + " refs/tags/v1.0.0\n" }
	for name, tt := range map[string]struct {
		lie  []string
		text string
		want error // with a verification
	}{
		"peeled":       {[]string{peeled("main"), peeled("other")}, "the server says that it stands for " + r.objects["other"], nil},
		"another tag":  {[]string{other("v1.0.0"), other("bold"), peeled("main"), peeled("unsigned")}, "", source.ErrOtherTag},
		"half a tag":   {[]string{other("v1.0.0"), other("bold")}, "the server says that it stands for " + r.objects["main"], nil},
		"light":        {[]string{other("v1.0.0"), other("other"), peeled("main"), peeled("other")}, "", source.ErrUnsigned},
		"unsigned tag": {[]string{other("v1.0.0"), other("plain")}, "", source.ErrUnsigned},
	} {
		t.Run(name, func(t *testing.T) {
			url, shared := liar(t, r, tt.lie...), git.NewCache(git.CacheOptions{})
			for _, branch := range []string{"main", "other", "unsigned"} { // so that each commit is here
				fetch(t, newSource(t, url, git.Options{Branch: branch, Cache: shared}), source.Revision{})
			}
			for _, cache := range []*git.Cache{nil, shared} {
				s := newSource(t, url, git.Options{Tag: "v1.0.0", Cache: cache, Verify: r.verification("tag")})
				checkUnverified(t, s, tt.want, tt.text)
			}
			if tt.want != nil {
				return // without a verification these are what the server may say
			}
			_, err := newSource(t, url, git.Options{Tag: "v1.0.0"}).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, tt.text)
		})
	}
}
