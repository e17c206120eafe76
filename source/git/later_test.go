package git_test

import (
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
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
