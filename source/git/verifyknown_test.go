package git_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// A revision may be known from a source that verified nothing, and is current only once it is found signed.
func TestVerifyOfARevisionKnownFromElsewhere(t *testing.T) {
	for _, kind := range []string{"able", "no filters", "version 0, tips"} {
		t.Run(kind, func(t *testing.T) {
			server := servers[kind]
			r := newSignedRepo(t, server)
			for name, tt := range map[string]struct {
				what  string
				opts  git.Options
				want  error // nil: it is signed
				again int   // requests when it is known to be
			}{
				"commit":        {"commit", git.Options{Branch: "main"}, nil, 1},
				"pinned":        {"commit", git.Options{Commit: r.objects["main"]}, nil, 0},
				"pinned branch": {"commit", git.Options{Branch: "main", Commit: r.objects["main"]}, nil, 1},
				"tag":           {"tag", git.Options{Tag: "v1.0.0"}, nil, 1},
				"tag of a tag":  {"tag", git.Options{Tag: "outer"}, nil, 1},
				"both":          {"commit, tag", git.Options{Tag: "v1.0.0"}, nil, 1},
				"unsigned":      {"commit", git.Options{Branch: "unsigned"}, source.ErrUnsigned, 2},
				"pinned, not":   {"commit", git.Options{Commit: r.objects["changed"]}, source.ErrBadSignature, 2},
				"stranger":      {"commit", git.Options{Branch: "other"}, source.ErrUnknownKey, 2},
				"copied tag":    {"tag", git.Options{Tag: "v2.0.0"}, source.ErrOtherTag, 2},
				"light tag":     {"tag", git.Options{Tag: "light"}, source.ErrUnsigned, 1},
			} {
				t.Run(name, func(t *testing.T) {
					known := fetch(t, newSource(t, r.URL(), tt.opts), source.Revision{}).Revision
					m := &meter{next: http.DefaultTransport}
					tt.opts.Verify, tt.opts.Transport = r.verification(tt.what), m
					s := newSource(t, r.URL(), tt.opts)
					for i, requests := range []int{2, tt.again, tt.again} {
						switch {
						case name == "light tag":
							requests = 1 // the list says that it has no signature
						case name == "pinned, not" && server.NoProtocol2 && i < 2:
							requests = 3 // version 2 of the protocol is tried, until it has failed twice
						}
						r.TakeRequests()
						snapshot, err := s.Fetch(t.Context(), known)
						if tt.want == nil && err != source.ErrNotModified || tt.want != nil && !errors.Is(err, tt.want) || snapshot != nil {
							t.Errorf("%d: got %v, %v, want %v", i, snapshot, err, tt.want)
						}
						if got := r.TakeRequests(); len(got) != requests {
							t.Errorf("%d: got requests %q, want %d", i, got, requests)
						}
					}
					if got := m.bytes.Load(); got > 20_000 && !server.NoFilters {
						t.Errorf("%d bytes were received for what is signed", got)
					}
					if tt.want == nil && len(fetch(t, s, source.Revision{}).Signatures) == 0 {
						t.Error("the content is said to be unverified")
					}
				})
			}
		})
	}
}

// A tag that is signed anew for the commit that is known is looked at again, and what is in the cache is not asked for.
func TestVerifyOfAKnownRevisionWithACache(t *testing.T) {
	r := newSignedRepo(t, servers["able"])
	shared := git.NewCache(git.CacheOptions{})
	known := fetch(t, newSource(t, r.URL(), git.Options{Branch: "main", Cache: shared}), source.Revision{}).Revision
	r.TakeRequests()
	opts := git.Options{Branch: "main", Cache: shared, Verify: r.verification("commit")}
	if _, err := newSource(t, r.URL(), opts).Fetch(t.Context(), known); err != source.ErrNotModified {
		t.Errorf("got %v", err)
	}
	if got := r.TakeRequests(); len(got) != 1 {
		t.Errorf("the commit is here, and got requests %q", got)
	}
	known.Name = "v1.0.0"
	s := newSource(t, r.URL(), git.Options{Tag: "v1.0.0", Verify: r.verification("tag")})
	for _, want := range []error{source.ErrNotModified, source.ErrUnknownKey} {
		if _, err := s.Fetch(t.Context(), known); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		makeTag(t, r.Repository, "v1.0.0", r.objects["main"], r.other.signature)
	}
}

// The hash of the options that is kept beside a revision tells apart what gives other content, and no secret.
func TestOptionsAsJSONAreWhatAsksForContent(t *testing.T) {
	plain, err := json.Marshal(git.Options{})
	must(t, err)
	for name, opts := range map[string]git.Options{
		"Paths": {Paths: []string{"a"}}, "Ignore": {Ignore: "a"}, "NoIgnoreFiles": {NoIgnoreFiles: true},
		"Submodules": {Submodules: true}, "LFS": {LFS: git.LFSFetch}, "Limits": {Limits: source.Limits{MaxFiles: 1}},
	} {
		got, err := json.Marshal(opts)
		if err != nil || bytes.Equal(got, plain) {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
	same, err := json.Marshal(git.Options{Username: "u", Password: "p", Token: "t", PrivateKey: []byte("k"), Passphrase: []byte("p"),
		ClientKey: []byte("k"), Proxy: "p", Credentials: noCredentials, OnCacheError: func(error) {}, Transport: http.DefaultTransport,
		Cache: git.NewCache(git.CacheOptions{})})
	if got := strings.Replace(string(same), `"Cache":{}`, `"Cache":null`, 1); err != nil || got != string(plain) {
		t.Errorf("got %s, %v, want %s", same, err, plain)
	}
}

func TestReasonsOfRefusedSignatures(t *testing.T) {
	r := newSignedRepo(t, servers["able"])
	pgp := newPGPKey(t)
	r.objects["pgp"] = makeTag(t, r.Repository, "pgp", r.objects["main"], pgp.signature)
	onlySSH := r.verification("tag")
	onlyPGP := git.Verification{Tag: true, OpenPGP: [][]byte{pgp.public()}}
	for tag, tt := range map[string]struct {
		verify git.Verification
		want   error
		reason string
	}{
		"plain":  {onlySSH, source.ErrUnsigned, "it has no signature: make it anew with git tag -s"},
		"pgp":    {onlySSH, source.ErrUnknownKey, "it has an OpenPGP signature, and no OpenPGP keys are given, only SSH keys"},
		"v1.0.0": {onlyPGP, source.ErrUnknownKey, "it has an SSH signature, and no SSH keys are given, only OpenPGP keys"},
	} {
		_, err := newSource(t, r.URL(), git.Options{Tag: tag, Verify: tt.verify}).Fetch(t.Context(), source.Revision{})
		refused := new(source.SignatureError)
		if !errors.As(err, &refused) || !errors.Is(err, tt.want) || refused.Reason != tt.reason {
			t.Errorf("%s: got %v, want %q", tag, err, tt.reason)
		}
		if strings.Count(err.Error(), "unverified") != 1 {
			t.Errorf("it is said twice: %v", err)
		}
	}
}
