package kustomize_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/url"
	"regexp"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/kustomize"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// A remote base is fetched by source/git, from the hosts that the program allows and no others. What a repository has in
// submodules is not there.
func Example_remoteBase() {
	ctx := context.Background()
	repository, stop := exampleRepository(ctx)
	defer stop()
	address, err := url.Parse(repository)
	if err != nil {
		log.Fatal(err)
	}
	commit := regexp.MustCompile(`^[0-9a-f]{40}$`)
	fetch := func(ctx context.Context, ref kustomize.Reference) (fs.FS, error) {
		u, err := url.Parse(ref.URL)
		if err != nil || u.Host != address.Host || ref.File {
			return nil, fmt.Errorf("%v is not from %s", ref, address.Hostname())
		}
		tries := []git.Options{{Tag: ref.Ref}, {Branch: ref.Ref}}
		if commit.MatchString(ref.Ref) {
			tries = []git.Options{{Commit: ref.Ref}}
		}
		for _, opts := range tries {
			var origin source.Source
			if origin, err = git.New(ref.URL, opts); err != nil {
				return nil, err
			}
			var snapshot *source.Snapshot
			if snapshot, err = origin.Fetch(ctx, source.Revision{}); err == nil {
				return snapshot, nil // in memory: there is nothing to close
			} else if !errors.Is(err, source.ErrNotFound) {
				break
			}
		}
		return nil, err
	}

	fsys := fstest.MapFS{"app/kustomization.yaml": {
		Data: []byte("namespace: production\nresources:\n- " + repository + "//deploy?ref=main\n"),
	}}
	objects, err := kustomize.Build(ctx, fsys, "app", kustomize.Options{Remote: fetch})
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range objects {
		fmt.Println(o.GetKind(), o.GetNamespace(), o.GetName())
	}
	// Output: Service production web
}

// exampleRepository serves a repository with a base in the folder deploy.
func exampleRepository(ctx context.Context) (address string, stop func()) {
	server, err := testbed.StartGit(testbed.GitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	r, err := server.NewRepository(ctx, "web")
	if err != nil {
		log.Fatal(err)
	}
	_, err = r.Commit(ctx, map[string][]byte{
		"deploy/kustomization.yaml": []byte("resources: [web.yaml]\n"),
		"deploy/web.yaml":           []byte("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"),
	})
	if err != nil {
		log.Fatal(err)
	}
	return r.URL(), func() { _ = server.Close() }
}
