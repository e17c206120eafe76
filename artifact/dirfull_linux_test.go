package artifact_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// ownMounts runs the test in a process that may mount, and returns where: in that
// process alone. Where it returns "", that process has run.
func ownMounts(t *testing.T) string {
	if dir := os.Getenv("ARTIFACT_TEST_MOUNTS"); dir != "" {
		return dir
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "ARTIFACT_TEST_MOUNTS="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	switch exit := new(exec.ExitError); {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("the kernel refuses user and mount namespaces: %v", err)
	case bytes.Contains(out, []byte(refusesMounts)):
		t.Skip(refusesMounts)
	case err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name()+" ")):
		t.Errorf("%v\n%s", err, out)
	}
	return ""
}

const refusesMounts = "the kernel refuses to mount a tmpfs in a user namespace"

// mountTemp mounts a tmpfs, and once more with MS_REMOUNT.
func mountTemp(t *testing.T, dir string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		if flags == 0 && errors.Is(err, fs.ErrPermission) {
			t.Skipf("%s: %v", refusesMounts, err)
		}
		t.Fatal(err)
	}
}

// fill takes what space or inodes are left, and returns how to give them back.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	fillers := filepath.Join(dir, "filler")
	if err := os.WriteFile(fillers, nil, 0o600); err == nil {
		f, err := os.OpenFile(fillers, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	} else if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(fillers); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// wantFault wants both the package's error and the system's.
func wantFault(t *testing.T, what string, err, sentinel, cause error) {
	t.Helper()
	e := new(artifact.Error)
	if !errors.As(err, &e) || !errors.Is(err, sentinel) || !errors.Is(err, cause) {
		t.Errorf("%s: error %v, want %q", what, err, sentinel)
	}
}

// wantAll wants what the store had: whole, tagged, and nothing under tmp.
func wantAll(t *testing.T, store *artifact.DirStore, dir string, want []digest.Digest) {
	t.Helper()
	if got := kept(t, store, want); len(got) != len(want) || len(want) == 0 || got[0] != 0 {
		t.Errorf("kept %v of %d", got, len(want))
	}
	for d, err := range store.List(t.Context()) {
		if err == nil {
			_, err = fetch(t, store, d)
		}
		if err != nil {
			t.Error(err)
		}
	}
	wantLines(t, tagLines(store.Tags(t.Context()), want...), "app 0 first")
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 || err != nil {
		t.Errorf("%v is under tmp, %v", left, err)
	}
}

func TestStoreOnAFullDisk(t *testing.T) {
	mounts := ownMounts(t)
	if mounts == "" {
		return
	}
	for _, options := range []string{"size=800k", "size=8m,nr_inodes=40"} {
		t.Run(options, func(t *testing.T) {
			mountTemp(t, mounts, 0, options)
			dir := filepath.Join(mounts, "store")
			store := dirStore(t, dir)
			put := func(n int) (digest.Digest, error) {
				d, err := artifact.PackTo(t.Context(), store, numbered(n), artifact.PackOptions{})
				return d.Digest, err
			}
			var stored []digest.Digest
			var err error
			for n := 0; err == nil && n < 100; n++ {
				var d digest.Digest
				if d, err = put(n); err == nil {
					stored = append(stored, d)
				}
				if n == 0 {
					tagAs(t, store, "app", d, "first")
				}
			}
			wantFault(t, "put", err, artifact.ErrNoSpace, syscall.ENOSPC)
			empty := fill(t, dir)
			_, err = put(200)
			wantFault(t, "put", err, artifact.ErrNoSpace, syscall.ENOSPC)
			wantFault(t, "tag", store.Tag(t.Context(), "app", stored[1], "second"), artifact.ErrNoSpace, syscall.ENOSPC)
			wantFault(t, "tag", store.Tag(t.Context(), "new", stored[1], ""), artifact.ErrNoSpace, syscall.ENOSPC)
			wantAll(t, store, dir, stored)
			wantAll(t, dirStore(t, dir), dir, stored)

			// What makes room needs none.
			empty()
			if err := store.Delete(t.Context(), stored[1]); err != nil {
				t.Error(err)
			}
			fill(t, dir)
			if c, err := store.GC(t.Context(), artifact.Keep{Younger: -1}); err != nil || len(c.Digests) != len(stored)-2 {
				t.Errorf("collected %+v, %v", c, err)
			}
			if d, err := put(300); err != nil {
				t.Error(err)
			} else {
				wantAll(t, store, dir, []digest.Digest{stored[0], d})
			}
		})
	}
}

func TestStoreOnAReadOnlyDisk(t *testing.T) {
	mounts := ownMounts(t)
	if mounts == "" {
		return
	}
	mountTemp(t, mounts, 0, "size=8m")
	dir := filepath.Join(mounts, "store")
	before := dirStore(t, dir)
	stored := []digest.Digest{putNumbered(t, before, 0), putNumbered(t, before, 1)}
	tagAs(t, before, "app", stored[0], "first")
	r, err := before.Open(t.Context(), stored[1])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	left := filepath.Join(dir, "tmp", "put-KILLED")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	mountTemp(t, mounts, syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	after, err := artifact.Dir(dir, artifact.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	for _, store := range []*artifact.DirStore{before, after} {
		_, err := artifact.PackTo(t.Context(), store, numbered(2), artifact.PackOptions{})
		wantFault(t, "put", err, artifact.ErrReadOnly, syscall.EROFS)
		wantFault(t, "tag", store.Tag(t.Context(), "app", stored[1], ""), artifact.ErrReadOnly, syscall.EROFS)
		wantFault(t, "untag", store.Untag(t.Context(), "app"), artifact.ErrReadOnly, syscall.EROFS)
		wantFault(t, "delete", store.Delete(t.Context(), stored[1]), artifact.ErrReadOnly, syscall.EROFS)
		_, err = store.GC(t.Context(), artifact.Keep{Younger: -1})
		wantFault(t, "collect", err, artifact.ErrReadOnly, syscall.EROFS)
	}
	_, err = artifact.Dir(filepath.Join(mounts, "none"), artifact.DirOptions{})
	wantFault(t, "open store", err, artifact.ErrReadOnly, syscall.EROFS)
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Error(err)
	}
	mountTemp(t, mounts, syscall.MS_REMOUNT, "")
	wantAll(t, dirStore(t, dir), dir, stored)
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a leftover was not removed once it could be: %v", err)
	}
}
