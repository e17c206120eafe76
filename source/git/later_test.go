package git_test

import (
	"net"
	"slices"
	"sync/atomic"
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

// A server of version 0 has one answer for each connection. One that refuses a filter and takes no other connection then
// leaves nobody to ask for the rest.
func TestServersThatAreGoneAfterARefusal(t *testing.T) {
	r, pinned := sample()
	r.commit(r.tree()) // is main
	r.bend = func(int, handmadeRequest, []byte) []byte { return nil }
	s := &handmadeSite{}
	var connections atomic.Int32
	s.listen(t, s.each(func(conn net.Conn) {
		if _, _, err := readPktLine(conn); err == nil && connections.Add(1) == 1 {
			r.stream(conn, 0)
		}
	}))
	opts := git.Options{Commit: pinned.String(), Paths: []string{"apps/web"}}
	_, err := newSource(t, "git://"+s.address+"/repo.git", opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, "closes the connection without an answer")
	if got := connections.Load(); got < 2 {
		t.Errorf("%d connections, want more than one", got)
	}
}
