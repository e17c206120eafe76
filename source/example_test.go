package source_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/gitopskit/gitopskit/source"
)

func Example() {
	folder, err := os.MkdirTemp("", "fleet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	if err := os.WriteFile(filepath.Join(folder, "app.yaml"), []byte("kind: ConfigMap\n"), 0o644); err != nil {
		log.Fatal(err)
	}

	// git.New and bucket.New give Sources that work the same way.
	var origin source.Source = source.Dir(folder, source.DirOptions{})
	ctx := context.Background()
	snapshot, err := origin.Fetch(ctx, source.Revision{})
	if err != nil {
		log.Fatal(err)
	}
	defer snapshot.Close()
	body, err := fs.ReadFile(snapshot, "app.yaml")
	fmt.Printf("%s%v\n", body, err)

	_, err = origin.Fetch(ctx, snapshot.Revision)
	fmt.Println(errors.Is(err, source.ErrNotModified))
	// Output:
	// kind: ConfigMap
	// <nil>
	// true
}

func ExampleTree() {
	// A Source of one's own: here the content is in the program.
	origin := source.Func(func(_ context.Context, known source.Revision) (*source.Snapshot, error) {
		now := source.Revision{Digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
		if known.Current(now) {
			return nil, source.ErrNotModified
		}
		tree := source.NewTree(source.Limits{})
		if err := tree.AddFile("apps/app.yaml", false, []byte("kind: ConfigMap\n")); err != nil {
			return nil, &source.Error{Op: "fetching", Origin: "memory", Err: err}
		}
		return tree.Snapshot(now), nil
	})
	snapshot, err := origin.Fetch(context.Background(), source.Revision{})
	if err != nil {
		log.Fatal(err)
	}
	files, err := fs.Glob(snapshot, "*/*.yaml")
	fmt.Println(files, err)
	// Output: [apps/app.yaml] <nil>
}
