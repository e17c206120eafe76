package gitopskit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// One tree, from three origins, on two file systems with other times and modes, is one artifact.
func TestOneTreeIsOneArtifactFromEveryOrigin(t *testing.T) {
	plain := map[string][]byte{"deploy/base/a.yaml": []byte("a: 1\n"), "deploy/b.yaml": []byte("b: 2\n"), "README": []byte("read me\n")}
	repository, folder := testbed.Git(t), t.TempDir()
	bucket, push := fromBucket(t)
	for name, body := range plain {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := repository.Commit(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	push(plain)
	fromRepository, err := git.New(repository.URL(), git.Options{Branch: "main"})
	if err != nil {
		t.Fatal(err)
	}
	want := pack(t, source.Dir(folder, source.DirOptions{}))
	for name, origin := range map[string]source.Source{"git": fromRepository, "bucket": bucket} {
		if got := pack(t, origin); !bytes.Equal(got, want) {
			t.Errorf("from %s the artifact has %d bytes, from a folder %d, and they differ", name, len(got), len(want))
		}
	}
	// Git and folders also know modes and links.
	if err := os.Chmod(filepath.Join(folder, "README"), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../README", filepath.Join(folder, "deploy", "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := repository.CommitFS(t.Context(), os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	want = pack(t, source.Dir(folder, source.DirOptions{}))
	if got := pack(t, fromRepository); !bytes.Equal(got, want) {
		t.Error("with a link and an executable, Git and a folder differ")
	}
}

func pack(t *testing.T, origin source.Source) []byte {
	t.Helper()
	snapshot, err := origin.Fetch(t.Context(), source.Revision{})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	var out bytes.Buffer
	if _, err := artifact.Pack(t.Context(), &out, snapshot, artifact.PackOptions{}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
