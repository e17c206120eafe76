package pack

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// packRepository is a repository that git itself made.
type packRepository struct {
	tb  testing.TB
	dir string
}

func newPackRepository(tb testing.TB) *packRepository {
	tb.Helper()
	r := &packRepository{tb: tb, dir: tb.TempDir()}
	r.git(nil, "init", "-q", "--bare", ".")
	return r
}

// git returns what a command prints.
func (r *packRepository) git(stdin io.Reader, args ...string) []byte {
	r.tb.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(r.tb.Context()), "git", args...)
	cmd.Dir, cmd.Stdin = r.dir, stdin
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_DIR="+r.dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.tb.Fatalf("git %v: %v: %s", args, err, stderr.Bytes())
	}
	return out
}

// commits makes count commits on main. The first has files of about size bytes; each later one changes a line of some.
func (r *packRepository) commits(count, files, size int) {
	r.tb.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	texts := make([][]string, files)
	var stream bytes.Buffer
	for n := range count {
		fmt.Fprintf(&stream, "commit refs/heads/main\nmark :%d\ncommitter A <a@b> %d +0000\ndata 1\nx\n", n+1, 1600000000+n)
		for i := range texts {
			if n == 0 {
				texts[i] = manifest(random, i, size)
			} else if random.IntN(3) == 0 {
				texts[i][random.IntN(len(texts[i]))] = packLine(random)
			} else {
				continue
			}
			text := strings.Join(texts[i], "")
			fmt.Fprintf(&stream, "M 100644 inline app%04d/f%d.yaml\ndata %d\n%s\n", i/100, i, len(text), text)
		}
	}
	stream.WriteString("tag v1\nfrom :1\ntagger A <a@b> 1600000000 +0000\ndata 1\nx\n")
	r.git(&stream, "fast-import", "--quiet")
}

func manifest(random *rand.Rand, i, size int) []string {
	lines := []string{fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cm-%d\ndata:\n", i)}
	for n := len(lines[0]); n < size; n += len(lines[len(lines)-1]) {
		lines = append(lines, packLine(random))
	}
	return lines
}

func packLine(random *rand.Rand) string {
	var line strings.Builder
	for i := range 6 {
		word := random.IntN(800)
		fmt.Fprintf(&line, "%s%s", []string{"  ", ": ", " "}[min(i, 2)], strings.Repeat("lorem-ipsum-dolor-sit-amet"[word%23:word%23+3], 1+word%3))
	}
	fmt.Fprintf(&line, "%d\n", random.IntN(10000))
	return line.String()
}

// pack returns the pack of what revisions reach.
func (r *packRepository) pack(revisions string, args ...string) []byte {
	r.tb.Helper()
	args = append([]string{"pack-objects", "--revs", "--stdout", "-q"}, args...)
	return r.git(strings.NewReader(revisions+"\n"), args...)
}

// objects returns what git says the objects of these hashes are.
func (r *packRepository) objects(hashes []object.Hash) object.Set {
	r.tb.Helper()
	var in bytes.Buffer
	for _, hash := range hashes {
		fmt.Fprintln(&in, hash)
	}
	out := bufio.NewReader(bytes.NewReader(r.git(&in, "cat-file", "--batch")))
	set := make(object.Set)
	for _, hash := range hashes {
		var name, kind string
		var size int
		if _, err := fmt.Fscanf(out, "%s %s %d\n", &name, &kind, &size); err != nil || name != hash.String() {
			r.tb.Fatalf("git has no object %s: %s, %v", hash, name, err)
		}
		o := object.New(object.Commit, make([]byte, size))
		for o.Kind.String() != kind {
			o.Kind++
		}
		if _, err := io.ReadFull(out, o.Body()); err != nil {
			r.tb.Fatal(err)
		}
		out.Discard(1)
		set[hash] = o
	}
	return set
}

// reachable returns the hashes that git lists for revisions.
func (r *packRepository) reachable(revisions ...string) []object.Hash {
	r.tb.Helper()
	var hashes []object.Hash
	for _, line := range strings.Fields(string(r.git(nil, append([]string{"rev-list", "--objects", "--no-object-names"}, revisions...)...))) {
		hash, err := object.ParseHash(line)
		if err != nil {
			r.tb.Fatal(err)
		}
		hashes = append(hashes, hash)
	}
	return hashes
}

func BenchmarkRead(b *testing.B) {
	for _, tt := range []struct {
		name                 string
		commits, files, size int
		args                 []string
	}{
		{"5000 files of 5 KB", 1, 5000, 5000, []string{"--delta-base-offset"}},
		{"50000 files of 300 bytes", 1, 50000, 300, []string{"--delta-base-offset"}},
		{"200 commits in deep deltas", 200, 200, 5000, []string{"--delta-base-offset", "--depth=4000", "--window=50"}},
		{"200 commits in deltas by hash", 200, 200, 5000, []string{"--no-delta-base-offset"}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			r := newPackRepository(b)
			r.commits(tt.commits, tt.files, tt.size)
			pack := r.pack("main", tt.args...)
			if dir := os.Getenv("PACK_KEEP"); dir != "" {
				os.WriteFile(dir+"/"+strings.ReplaceAll(tt.name, " ", "-")+".pack", pack, 0o644)
			}
			b.ReportAllocs()
			for b.Loop() {
				set, err := Read(b.Context(), bytes.NewReader(pack), nil, large)
				if err != nil {
					b.Fatal(err)
				}
				var sum int64
				for _, o := range set {
					sum += int64(o.Size())
				}
				b.SetBytes(sum)
			}
		})
	}
}
