package artifact_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
)

// gnuTar returns GNU tar's program, in a locale that lets it keep names as they
// are.
func gnuTar(t *testing.T) func(args ...string) {
	t.Helper()
	for _, name := range []string{"gtar", "tar"} {
		program, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if version, err := exec.CommandContext(t.Context(), program, "--version").Output(); err != nil ||
			!bytes.Contains(version, []byte("GNU tar")) {
			continue
		}
		return func(args ...string) {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("tar %q: %v\n%s", args, err, out)
			}
		}
	}
	t.Skip("there is no GNU tar on this machine")
	return nil
}

func TestGNUTarUnpacksTheSameContents(t *testing.T) {
	tar := gnuTar(t)
	forGrownTrees(t, func(t *testing.T, g *grower) {
		for _, c := range []artifact.Compression{artifact.None, artifact.Gzip} {
			data, _ := pack(t, g.tree, artifact.PackOptions{Compression: c})
			dir := t.TempDir()
			blob := dir + "/blob"
			if err := os.WriteFile(blob, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir+"/tree", 0o700); err != nil {
				t.Fatal(err)
			}
			tar("-x", "-f", blob, "-C", dir+"/tree")
			equalContents(t, c.String(), contentsOf(t, openRoot(t, dir+"/tree").FS()), contentsOracle(g.tree))
		}
	})
}

func TestContentsOfWhatGNUTarPacked(t *testing.T) {
	tar := gnuTar(t)
	for _, format := range []string{"gnu", "oldgnu", "pax", "posix"} {
		t.Run(format, func(t *testing.T) {
			for seed := range uint64(5) {
				g := grow(seed)
				dir := t.TempDir()
				writeTree(t, dir+"/tree", withoutFolders(g.tree), 0o600, 0o700)
				if err := os.MkdirAll(dir+"/tree/empty", 0o700); err != nil {
					t.Fatal(err)
				}
				tar("-c", "-f", dir+"/blob", "--format="+format, "-C", dir+"/tree", ".")
				data, err := os.ReadFile(dir + "/blob")
				if err != nil {
					t.Fatal(err)
				}
				got := readContents(t, data, describe(artifact.MediaTypeTar, data))
				equalContents(t, format, got, contentsOracle(g.tree))
			}
		})
	}
}

// withoutFolders leaves the folders to writeTree, which makes those above files.
func withoutFolders(tree fstest.MapFS) fstest.MapFS {
	tree = maps.Clone(tree)
	maps.DeleteFunc(tree, func(_ string, f *fstest.MapFile) bool { return f.Mode.IsDir() })
	return tree
}
