package kustomize

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// FuzzRemote builds a kustomization and one of a remote base, where whatever is asked for is served. Kustomize must not go
// there itself, and no error may have a name that only this package knows.
func FuzzRemote(f *testing.F) {
	for _, g := range goldens(f) {
		for _, file := range g.archive.Files {
			if strings.HasSuffix(file.Name, "app/kustomization.yaml") {
				f.Add(file.Data, []byte("namePrefix: x-\nresources: [a.yaml]\n"))
				f.Add([]byte("namePrefix: x-\nresources: [https://h/o/r, a.yaml]\n"), file.Data)
			}
		}
	}
	app := files(remoteTree)["app/kustomization.yaml"].Data
	f.Add(app, app)
	f.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	f.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	f.Setenv("PATH", "")
	beside := files(fuzzTree)
	f.Fuzz(func(t *testing.T, app, remote []byte) {
		fsys, there := fstest.MapFS{}, fstest.MapFS{}
		for name, file := range beside {
			fsys[name] = file
			there[strings.TrimPrefix(name, "app/")] = file
		}
		fsys["app/kustomization.yaml"] = &fstest.MapFile{Data: app}
		there["kustomization.yaml"] = &fstest.MapFile{Data: remote}
		opts := fuzzLimits
		opts.Remote = func(_ context.Context, ref Reference) (fs.FS, error) {
			if base := there["a.yaml"]; ref.File {
				return fstest.MapFS{ref.Path: base}, nil
			}
			return there, nil
		}
		objects, err := Build(context.Background(), fsys, "app", opts)
		checkBuild(t, objects, err)
		if err == nil {
			return
		}
		if strings.Contains(err.Error(), remoteRoot) && !strings.Contains(string(app)+string(remote), "remote") {
			t.Fatalf("the error has a name of ours: %v", err)
		}
		for _, sign := range []string{"127.0.0.1:1", "executable file not found", "no 'git' program"} {
			if strings.Contains(errorTree(err), sign) {
				t.Fatalf("something left the file system: %s", errorTree(err))
			}
		}
	})
}
