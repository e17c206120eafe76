package git_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

func Example() {
	origin, err := git.New("https://github.com/stefanprodan/podinfo", git.Options{
		Branch:   "master",
		Username: "git",
		Password: os.Getenv("GITHUB_TOKEN"),
	})
	if err != nil {
		log.Fatal(err)
	}
	known, err := source.ParseRevision(os.Getenv("LAST_REVISION")) // kept from the last time
	if err != nil {
		log.Fatal(err)
	}
	snapshot, err := origin.Fetch(context.Background(), known)
	switch {
	case errors.Is(err, source.ErrNotModified):
		return
	case err != nil:
		log.Fatal(err)
	}
	defer snapshot.Close()
	fmt.Println(snapshot.Revision)
}
