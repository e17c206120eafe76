package artifact_test

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
)

// program returns the path of a program that others pack with.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("this machine has no %s", name)
	}
	return path
}

// output runs a program in dir and returns what it writes.
func output(t testing.TB, dir, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(program(t, name), args...)
	cmd.Dir, cmd.Stderr = dir, &stderr
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	return out
}

// farTree has what makes formats differ: paths over 100 and over 255 bytes, long
// targets, names that are not ASCII, an executable.
func farTree() fstest.MapFS {
	tree := sample()
	far := strings.Repeat("far-away/", 12)
	tree[far+"file"] = file("far\n")
	tree[far+far+far+longName] = file("farther\n")
	tree[far+"link"] = link(strings.Repeat("../", 12) + "README.md")
	tree["longlink"] = link(far + far + far + longName)
	tree["1st-link"] = link("日本") // the first, and nothing of it is ASCII
	tree["größe/"+strings.Repeat("ü", 90)] = file("not ASCII\n")
	tree[strings.Repeat("n", 100)] = file("a name as long as its field")
	tree[strings.Repeat("p", 150)+"/"+strings.Repeat("n", 100)] = file("and a prefix")
	return tree
}

// nearTree is what the format of POSIX.1-1988 can say.
func nearTree() fstest.MapFS {
	tree := sample()
	delete(tree, "data/"+longName)
	tree[strings.Repeat("p", 90)+"/"+strings.Repeat("q", 55)+"/"+strings.Repeat("n", 99)] = file("with a prefix")
	return tree
}

// readAs opens and unpacks what others packed, in all compressions.
func readAs(t *testing.T, content []byte, want fs.FS) {
	t.Helper()
	for mediaType, data := range map[string][]byte{
		artifact.MediaTypeTar: content, artifact.MediaTypeTarGzip: gzipOf(t, content), artifact.MediaTypeTarZstd: zstdOf(t, content),
	} {
		readPacked(t, mediaType, data, want)
	}
}

func readPacked(t *testing.T, mediaType string, data []byte, want fs.FS) {
	t.Helper()
	d := describe(mediaType, data)
	opened, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{})
	if err != nil {
		t.Errorf("%s: %v", mediaType, err)
		return
	}
	equalTrees(t, opened, want)
	dir := t.TempDir()
	if err := artifact.Unpack(t.Context(), bytes.NewReader(data), d, openRoot(t, dir), artifact.UnpackOptions{}); err != nil {
		t.Errorf("%s: %v", mediaType, err)
		return
	}
	equalTrees(t, os.DirFS(dir), want)
}

func TestReadsWhatGNUTarWrites(t *testing.T) {
	for format, tree := range map[string]fstest.MapFS{
		"gnu": farTree(), "oldgnu": farTree(), "posix": farTree(), "pax": farTree(), "ustar": nearTree(), "v7": {
			"a/b": file("b"), "run": script("x"), "l": link("a/b"),
		},
	} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			writeTree(t, dir, tree, 0o644, 0o755)
			readAs(t, output(t, dir, "tar", "--format="+format, "-cf-", "."), tree)
			names, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil {
				t.Fatal(err)
			}
			args := []string{"--format=" + format, "-b1", "-cf-"}
			for _, name := range names {
				args = append(args, filepath.Base(name))
			}
			readPacked(t, artifact.MediaTypeTar, output(t, dir, "tar", args...), tree)
			readPacked(t, artifact.MediaTypeTarGzip, output(t, dir, "tar", "--format="+format, "-czf-", "."), tree)
		})
	}
}

func TestReadsWhatBsdtarWrites(t *testing.T) {
	for format, tree := range map[string]fstest.MapFS{
		"pax": farTree(), "cpio": nil, "gnutar": farTree(), "ustar": nearTree(),
	} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			writeTree(t, dir, tree, 0o644, 0o755)
			content := output(t, dir, "bsdtar", "--format="+format, "-cf-", ".")
			if tree == nil { // no tar
				reject(t, content, describe(artifact.MediaTypeTar, content), artifact.UnpackOptions{}, artifact.ErrFormat, "")
				return
			}
			readAs(t, content, tree)
			// To a pipe, it writes zeros after the compressed stream.
			readPacked(t, artifact.MediaTypeTarGzip, output(t, dir, "bsdtar", "--format="+format, "-czf-", "."), tree)
		})
	}
}

func TestReadsWhatGitArchiveWrites(t *testing.T) {
	program(t, "git")
	dir, tree := t.TempDir(), farTree()
	writeTree(t, dir, tree, 0o644, 0o755)
	output(t, dir, "git", "init", "-q", "-b", "main")
	output(t, dir, "git", "add", "-A")
	output(t, dir, "git", "commit", "-q", "-m", "all")
	readAs(t, output(t, dir, "git", "archive", "--format=tar", "HEAD"), tree)
	readPacked(t, artifact.MediaTypeTarGzip, output(t, dir, "git", "archive", "--format=tar.gz", "HEAD"), tree)
	under := fstest.MapFS{}
	for name, f := range tree {
		under["app-1.0/"+name] = f
	}
	readAs(t, output(t, dir, "git", "archive", "--format=tar", "--prefix=app-1.0/", "HEAD"), under)
}

func TestReadsWhatGoWrites(t *testing.T) {
	for _, format := range []tar.Format{tar.FormatUnknown, tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		t.Run(format.String(), func(t *testing.T) {
			tree := farTree()
			if format == tar.FormatUSTAR {
				tree = nearTree()
				delete(tree, "app/über/größe.yaml")
			}
			var buf bytes.Buffer
			w := tar.NewWriter(&buf)
			for name, f := range tree {
				h := tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(f.Mode.Perm()), Size: int64(len(f.Data)), Format: format}
				if f.Mode.Type() == fs.ModeSymlink {
					h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, string(f.Data), 0
				}
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
				if h.Size > 0 {
					if _, err := w.Write(f.Data); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			readAs(t, buf.Bytes(), tree)
		})
	}
}

// TestReadsHardLinksOfOthers wants files of what were names of one file.
func TestReadsHardLinksOfOthers(t *testing.T) {
	want := fstest.MapFS{"a/file": script("content\n"), "a/same": script("content\n"), "b/c/same": script("content\n"), "z": file("z")}
	for name, args := range map[string][]string{
		"tar":    {"--format=gnu", "--format=posix", "--format=ustar", "--format=v7"},
		"bsdtar": {"--format=pax", "--format=gnutar", "--format=ustar"},
	} {
		for _, format := range args {
			t.Run(name+" "+format, func(t *testing.T) {
				dir := t.TempDir()
				writeTree(t, dir, fstest.MapFS{"a/file": script("content\n"), "b/c/x": file(""), "z": file("z")}, 0o644, 0o755)
				for _, to := range []string{"a/same", "b/c/same"} {
					if err := os.Link(filepath.Join(dir, "a/file"), filepath.Join(dir, to)); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Remove(filepath.Join(dir, "b/c/x")); err != nil {
					t.Fatal(err)
				}
				content := output(t, dir, name, format, "-cf-", ".")
				readAs(t, content, want)
				opened, err := artifact.Open(t.Context(), bytes.NewReader(content), describe(artifact.MediaTypeTar, content), artifact.UnpackOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if _, d := pack(t, opened, artifact.PackOptions{}); d.Files != 4 {
					t.Errorf("%d files, want 4", d.Files)
				}
			})
		}
	}
}

// TestOthersReadWhatPackWrites unpacks with each program, and compares.
func TestOthersReadWhatPackWrites(t *testing.T) {
	tree := farTree()
	for _, name := range []string{"tar", "bsdtar"} {
		for _, c := range compressions {
			t.Run(name+" "+c.String(), func(t *testing.T) {
				program(t, name)
				if c == artifact.Zstd {
					program(t, "zstd") // which tar runs
				}
				data, _ := pack(t, tree, artifact.PackOptions{Compression: c})
				dir, at := t.TempDir(), filepath.Join(t.TempDir(), "artifact")
				if err := os.WriteFile(at, data, 0o600); err != nil {
					t.Fatal(err)
				}
				output(t, dir, name, "-xf", at)
				equalTrees(t, os.DirFS(dir), tree)
			})
		}
	}
	t.Run("archive/tar", func(t *testing.T) {
		data, _ := pack(t, tree, artifact.PackOptions{Compression: artifact.None})
		read, err := standardTree(data)
		if err != nil {
			t.Fatal(err)
		}
		equalTrees(t, read, tree)
	})
}

// standardTree reads an archive with the standard library alone.
func standardTree(content []byte) (fstest.MapFS, error) {
	tree := fstest.MapFS{}
	r := tar.NewReader(bytes.NewReader(content))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return tree, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(h.Name, "./")
		switch h.Typeflag {
		case tar.TypeReg:
			tree[name] = file(string(data))
			if h.Mode&0o111 != 0 {
				tree[name] = script(string(data))
			}
		case tar.TypeLink:
			tree[name] = tree[strings.TrimPrefix(h.Linkname, "./")]
		case tar.TypeSymlink:
			tree[name] = link(h.Linkname)
		}
	}
}
