package git_test

import (
	"bytes"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A grower makes a repository's history out of bytes, so that one seed is one history and a fuzzer can look for others.
type grower struct {
	data  []byte
	files map[string]grownFile // of the commit that is being made
	sides []map[string]grownFile
	blobs map[string]int // marks by content
	marks int
	in    bytes.Buffer // in the language of git fast-import
}

type grownFile struct{ mode, body string }

// Names that some program has once taken for something else. They sort unlike their folders do in a tree object.
var grownNames = []string{
	"a", "a.b", "a0", "a-b", "a b", "A", "\u00e4", "a\u0308", `"q"`, "new\nline", "tab\t", `back\slash`, "-dash", "--", "...",
	"\u540d\u524d", ".hidden", "*.glob", "[x]", "x.tmp", "x.yaml", "sub",
	strings.Repeat("n", 255), "a:b", "%41", "$x", "\x01",
	"\x7f", "\U0001f642", " ", "~", ".gitattributes", ".gitignore", "gitmodules", "HEAD", "refs",
}

// next returns a number below n; when the bytes have come to their end, that is zero.
func (g *grower) next(n int) int {
	if len(g.data) == 0 {
		return 0
	}
	b := int(g.data[0])
	g.data = g.data[1:]
	return b % n
}

func (g *grower) name() string { return grownNames[g.next(len(grownNames))] }

func (g *grower) path() string {
	elements := []string{g.name()}
	for range g.next(4) {
		elements = append(elements, g.name())
	}
	return strings.Join(elements, "/")
}

// some returns a file that is there, or false.
func (g *grower) some() (string, bool) {
	if len(g.files) == 0 {
		return "", false
	}
	names := slices.Sorted(maps.Keys(g.files))
	return names[(g.next(256)*256+g.next(256))%len(names)], true
}

// put has a file take the place of whatever stands there.
func (g *grower) put(path, mode, body string) {
	g.clear(path)
	g.files[path] = grownFile{mode, body}
}

// clear makes room for a file or a folder.
func (g *grower) clear(path string) {
	folder := path + "/"
	maps.DeleteFunc(g.files, func(other string, _ grownFile) bool {
		return other == path || strings.HasPrefix(other, folder) ||
			len(path) > len(other) && path[len(other)] == '/' && path[:len(other)] == other
	})
}

func (g *grower) body() string {
	switch g.next(5) {
	case 0:
		return ""
	case 1:
		return "\x00\xff\r\n$Format:%H$ $Id$\r\n"
	}
	return strings.Repeat(fmt.Sprintf("line %d\n", g.next(256)), 1+g.next(200))
}

// noise is bytes that do not compress.
func noise(seed, size int) string {
	state, b := uint64(seed)*2654435761+1, make([]byte, size)
	for i := range b {
		state = state*6364136223846793005 + 1442695040888963407
		b[i] = byte(state >> 33)
	}
	return string(b)
}

// links are targets: inside, nowhere, absolute, outside, itself.
func (g *grower) link(path string) string {
	target, _ := g.some()
	self := path[strings.LastIndexByte(path, '/')+1:]
	all := []string{target, strings.Repeat("../", strings.Count(path, "/")) + target, "nowhere", "/etc/passwd",
		"../../..", self, ".", "a//b/"}
	return all[g.next(len(all))]
}

// change does one thing to the commit that is being made.
func (g *grower) change() {
	path, ok := g.some()
	old := g.files[path]
	switch what := g.next(20); {
	case what == 1 && ok && old.mode != "160000" && old.mode != "120000": // a small change to a file, which makes a delta
		half := len(old.body) / 2
		g.put(path, old.mode, old.body[:half]+fmt.Sprint(g.next(256))+old.body[half:])
	case what == 2 && ok:
		delete(g.files, path)
	case what == 3 && ok: // a renamed file
		delete(g.files, path)
		g.put(g.path(), old.mode, old.body)
	case what == 4 && ok: // a renamed or copied folder
		g.moveFolder(path, g.path(), g.next(2) == 0)
	case what == 5 && ok && strings.HasPrefix(old.mode, "100"):
		g.put(path, map[string]string{"100644": "100755", "100755": "100644"}[old.mode], old.body)
	case what == 6 || what == 7:
		path = g.path()
		g.put(path, "120000", g.link(path))
	case what == 8:
		g.put(g.path(), "160000", strings.Repeat(fmt.Sprintf("%02x", 1+g.next(255)), 20))
	case what == 9 && g.next(3) == 0 && len(g.files) < 3000: // very many in one folder
		path = g.path() + "/many"
		g.clear(path)
		for i := range 1500 {
			g.files[fmt.Sprintf("%s/%d", path, i)] = grownFile{"100644", fmt.Sprint(i * g.next(3))}
		}
	case what == 10:
		g.put(strings.Repeat([]string{"d", "a.b", " "}[g.next(3)]+"/", 90)+"deep", "100644", g.body())
	case what == 11:
		g.put(g.path(), "100644", noise(g.next(256), 300_000))
	case what == 12 && ok && strings.Count(path, "/") < 100: // a folder where a file is
		g.put(path+"/"+g.name(), "100755", g.body())
	case what == 13: // a file where a folder may be
		g.put(g.name(), "100644", g.body())
	case what == 14:
		g.put(".gitattributes", "100644", "* export-subst eol=crlf ident\n*.yaml export-ignore\nsub export-ignore\n")
	case what == 15 && g.next(8) == 0:
		clear(g.files)
	default:
		g.put(g.path(), "100644", g.body())
	}
}

// moveFolder moves, or copies, the folder of a file.
func (g *grower) moveFolder(path, to string, keep bool) {
	i := strings.IndexByte(path, '/')
	if i < 0 {
		return
	}
	moved := make(map[string]grownFile)
	for name, f := range g.files {
		if strings.HasPrefix(name, path[:i+1]) && len(name) < 1000 && strings.Count(name, "/") < 100 {
			moved[to+name[i:]] = f
			if !keep {
				delete(g.files, name)
			}
		}
	}
	g.clear(to)
	maps.Copy(g.files, moved)
}

// mark puts a blob into the stream, once.
func (g *grower) mark(body string) int {
	m, ok := g.blobs[body]
	if !ok {
		g.marks++
		m, g.blobs[body] = g.marks, g.marks
		fmt.Fprintf(&g.in, "blob\nmark :%d\ndata %d\n%s\n", m, len(body), body)
	}
	return m
}

// quoted is a path as fast-import reads it.
func quoted(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			fmt.Fprintf(&b, "\\%03o", c)
		} else {
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}

// save ends a commit. Its first parent is what branch was, unless that is new.
func (g *grower) save(branch string, merged ...string) {
	var lines strings.Builder
	for _, path := range slices.Sorted(maps.Keys(g.files)) {
		f := g.files[path]
		if f.mode == "160000" {
			fmt.Fprintf(&lines, "M 160000 %s %s\n", f.body, quoted(path))
		} else {
			fmt.Fprintf(&lines, "M %s :%d %s\n", f.mode, g.mark(f.body), quoted(path))
		}
	}
	fmt.Fprintf(&g.in, "commit refs/heads/%s\ncommitter A <a@example.com> %d +0000\ndata 1\nx\n", branch,
		1_700_000_000+g.in.Len())
	for _, m := range merged {
		fmt.Fprintf(&g.in, "merge refs/heads/%s\n", m)
	}
	fmt.Fprintf(&g.in, "deleteall\n%s\n", &lines)
}

// grow puts a history into a repository and returns the commits of grown, the oldest first, for that many steps. Branches
// are made and merged on the way.
func grow(t testing.TB, repo *testbed.Repository, data []byte, steps int) []string {
	t.Helper()
	g := &grower{data: data, files: make(map[string]grownFile), blobs: make(map[string]int)}
	for step := range steps {
		for range 1 + g.next(14) {
			g.change()
		}
		var merged []string
		if n := len(g.sides); n > 0 && g.next(2) == 0 {
			for _, path := range slices.Sorted(maps.Keys(g.sides[n-1])) { // the merge takes all of the other side, and ours where both have one
				if _, ours := g.files[path]; !ours {
					g.put(path, g.sides[n-1][path].mode, g.sides[n-1][path].body)
				}
			}
			merged, g.sides = []string{fmt.Sprintf("side-%d", n-1)}, g.sides[:n-1]
		}
		g.save("grown", merged...)
		if g.next(2) == 0 {
			main := g.files
			g.files = maps.Clone(main)
			g.change()
			fmt.Fprintf(&g.in, "reset refs/heads/side-%d\nfrom refs/heads/grown\n\n", len(g.sides))
			g.save(fmt.Sprintf("side-%d", len(g.sides)))
			g.sides, g.files = append(g.sides, g.files), main
		}
		fmt.Fprintf(&g.in, "reset refs/steps/%d\nfrom refs/heads/grown\n\n", step)
	}
	gitIn(t, repo, &g.in, "fast-import", "--quiet", "--force")
	return strings.Fields(gitIn(t, repo, nil, "for-each-ref", "--sort=version:refname", "--format=%(objectname)",
		"refs/steps"))
}

// gitIn runs git with an input, and returns what it prints as it is.
func gitIn(t testing.TB, repo *testbed.Repository, in *bytes.Buffer, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", repo.Dir, "-c", "safe.directory=*"}, args...)...)
	cmd.Env = append(cmd.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent", "GIT_COMMITTER_NAME=A",
		"GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com")
	if in != nil {
		cmd.Stdin = in
	}
	said := new(strings.Builder)
	cmd.Stderr = said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %q: %v: %s", args, err, said)
	}
	return string(out)
}
