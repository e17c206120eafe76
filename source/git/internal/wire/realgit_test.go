package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A realServer is git itself, on a repository with two commits of which the first one has a tag.
type realServer struct {
	dir                        string
	first, second, tag, v0, v2 string // hashes, and what is listed in each version
}

// git runs git with an input; version is that of the protocol.
func (s *realServer) git(t testing.TB, version int, in string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", s.dir, "-c", "uploadpack.allowFilter=true", "-c",
		"uploadpack.allowAnySHA1InWant=true",
		"-c", "safe.directory=*"}, args...)...)
	cmd.Env = append(cmd.Environ(), fmt.Sprintf("GIT_PROTOCOL=version=%d", version), "GIT_CONFIG_NOSYSTEM=1",
		"HOME=/nonexistent")
	cmd.Stdin = strings.NewReader(in)
	said := new(bytes.Buffer)
	cmd.Stderr = said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %q: %v: %s", args, err, said)
	}
	return string(out)
}

func newRealServer(t testing.TB) *realServer {
	t.Helper()
	s := &realServer{dir: t.TempDir()}
	s.git(t, 0, "", "init", "-q", "--bare", "-b", "main")
	const who = "A <a@example.com> 1700000000 +0000\ndata 1\nx\n"
	s.git(t, 0, "commit refs/heads/main\ncommitter "+who+"M 644 inline a\ndata 1\n1\nM 644 inline d/b\ndata 1\n2\n"+
		"tag v1\nfrom refs/heads/main\ntagger "+who+"commit refs/heads/main\ncommitter "+who+"M 644 inline d/c\ndata 1\n3\n",
		"fast-import", "--quiet")
	hashes := strings.Fields(s.git(t, 0, "", "rev-parse", "main~1", "main", "v1"))
	s.first, s.second, s.tag = hashes[0], hashes[1], hashes[2]
	s.v0 = s.git(t, 0, "", "upload-pack", "--advertise-refs", ".")
	s.v2 = s.git(t, 2, "", "upload-pack", "--advertise-refs", ".")
	return s
}

func (s *realServer) ask(t testing.TB, version int, request []byte) string {
	t.Helper()
	return s.git(t, version, string(request), "upload-pack", "--stateless-rpc", ".")
}

// What git lists in both versions is the same, and what it makes of each request is a pack of the objects that are wanted.
func TestGitUnderstandsRequests(t *testing.T) {
	s := newRealServer(t)
	v0, err := ReadAdvertisement(strings.NewReader(s.v0), all)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("head=refs/heads/main empty=false HEAD=%.2s refs/heads/main=%.2[1]s refs/tags/v1=%.2s^%.2s",
		s.second, s.tag, s.first)
	if dump(v0) != "v0 "+want {
		t.Errorf("got %s", dump(v0))
	}
	v2, err := ReadAdvertisement(strings.NewReader(s.v2), all)
	if err != nil {
		t.Fatal(err)
	}
	if err := v2.ReadRefs(strings.NewReader(s.ask(t, 2, ListRefs([]string{"HEAD", "refs/"}))), all); err != nil ||
		dump(v2) != "v2 "+want {
		t.Errorf("got %s, %v", dump(v2), err)
	}
	first, second, tag := hashOf(t, s.first), hashOf(t, s.second), hashOf(t, s.tag)
	for name, tt := range map[string]struct {
		q       Request
		objects uint32
		shallow int
	}{
		"all": {Request{Wants: []object.Hash{second}}, 9, 0}, // 2 commits, 4 folders, 3 files
		"a tag": {Request{Wants: []object.Hash{tag}, Depth: 1}, 6,
			1}, // git calls a commit so where the depth ends, also one without parents
		"two":           {Request{Wants: []object.Hash{tag, second}, Depth: 2}, 10, 0},
		"one commit":    {Request{Wants: []object.Hash{second}, Depth: 1}, 6, 1},
		"without files": {Request{Wants: []object.Hash{second}, Depth: 1, Filter: "blob:none"}, 3, 1},
		"two filters":   {Request{Wants: []object.Hash{second}, Depth: 1, Filter: "combine:blob:none+tree:1"}, 2, 1},
		"what is new": {Request{Wants: []object.Hash{second}, Depth: 1, Haves: []object.Hash{first},
			Shallows: []object.Hash{first}, Thin: true}, 4, 1},
		"a commit": {Request{Wants: []object.Hash{first}, Depth: 1}, 5, 1},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := tt.q.Encode(v0.Capabilities)
			if err != nil {
				t.Fatal(err)
			}
			for version, request := range map[int][]byte{0: request, 2: tt.q.EncodeV2()} {
				a, err := ReadAnswer(strings.NewReader(s.ask(t, version, request)), version, tt.q.Depth > 0)
				if err != nil {
					t.Fatalf("version %d: %v", version, err)
				}
				pack, err := io.ReadAll(a)
				if err != nil || len(pack) < 12 || string(pack[:4]) != "PACK" {
					t.Fatalf("version %d: got %d bytes, %v", version, len(pack), err)
				}
				if got := binary.BigEndian.Uint32(pack[8:]); got != tt.objects || len(a.Shallow) != tt.shallow {
					t.Errorf("version %d: got %d objects, %d shallow, want %d, %d", version, got, len(a.Shallow), tt.objects, tt.shallow)
				}
			}
		})
	}
}

func TestServersThatAreTooOld(t *testing.T) {
	for text, can := range map[string]Capabilities{"side-band-64k": {"shallow": {""}}, "shallow": {"side-band-64k": {""}}} {
		if request, err := (Request{Depth: 1}).Encode(can); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %q, %v", request, err)
		}
	}
}

func FuzzReadAdvertisement(f *testing.F) {
	s := newRealServer(f)
	f.Add([]byte(s.v0))
	f.Add([]byte(s.v2))
	f.Add([]byte(s.ask(f, 2, ListRefs([]string{"HEAD", "refs/"}))))
	for _, a := range advertisements {
		f.Add([]byte(a.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		read := func(r io.Reader) (string, error) {
			a, err := ReadAdvertisement(r, all)
			if err != nil {
				return "", err
			}
			if len(a.Refs) > len(raw)/45 {
				t.Errorf("%d references in %d bytes", len(a.Refs), len(raw))
			}
			return dump(a), nil
		}
		got, err := read(bytes.NewReader(raw))
		if again, err2 := read(iotest.OneByteReader(bytes.NewReader(raw))); again != got ||
			fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Errorf("got %s, %v, and byte by byte %s, %v", got, err, again, err2)
		}
		listed := &Advertisement{Empty: true}
		if err := listed.ReadRefs(bytes.NewReader(raw), all); err == nil && listed.Empty && len(listed.Refs) > 0 {
			t.Errorf("got %+v", listed)
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	s := newRealServer(f)
	q := Request{Wants: []object.Hash{hashOf(f, s.second)}, Depth: 1}
	v0, err := ReadAdvertisement(strings.NewReader(s.v0), all)
	if err != nil {
		f.Fatal(err)
	}
	request, err := q.Encode(v0.Capabilities)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(s.ask(f, 0, request)), false, true)
	f.Add([]byte(s.ask(f, 2, q.EncodeV2())), true, true)
	for _, a := range answers {
		f.Add([]byte(a.raw), a.version == 2, a.deepened)
	}
	f.Fuzz(func(t *testing.T, raw []byte, second, deepened bool) {
		version := 0
		if second {
			version = 2
		}
		got, err := answered(bytes.NewReader(raw), version, deepened)
		again, err2 := answered(iotest.OneByteReader(bytes.NewReader(raw)), version, deepened)
		if again != got || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Errorf("got %q, %v, and byte by byte %q, %v", got, err, again, err2)
		}
		if len(got) > len(raw) {
			t.Errorf("%d bytes of %d bytes", len(got), len(raw))
		}
	})
}
