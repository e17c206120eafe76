package git_test

import (
	"slices"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A source that has verified a tag meets a copy of it under another name, which now is the highest version. Its object and
// its commit are the same ones, and its name is not the one that was signed.
func TestVerifyLooksAtTheNameOfATagThatIsKnown(t *testing.T) {
	r := newSignedRepo(t, testbed.GitOptions{})
	run(t, r.Repository, "update-ref", "-d", "refs/tags/v2.0.0")
	s := newSource(t, r.URL(), git.Options{SemVer: ">=1", Verify: r.verification("tag")})
	checkTagSigned(t, r, s)
	run(t, r.Repository, "update-ref", "refs/tags/v3.0.0", r.objects["v1.0.0"])
	checkUnverified(t, s, source.ErrOtherTag, `"v3.0.0"`)
	run(t, r.Repository, "update-ref", "-d", "refs/tags/v3.0.0")
	checkTagSigned(t, r, s)
}

// What a consumer does to the signatures of a snapshot is not in the next one.
func TestSnapshotsHaveSignaturesOfTheirOwn(t *testing.T) {
	r := newSignedRepo(t, testbed.GitOptions{})
	s := newSource(t, r.URL(), git.Options{Verify: r.verification("commit")})
	clear(fetch(t, s, source.Revision{}).Signatures)
	want := []source.Signature{r.signed(object.Commit, "main")}
	if got := fetch(t, s, source.Revision{}).Signatures; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
