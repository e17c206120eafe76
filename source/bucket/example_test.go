package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

func Example() {
	origin, err := bucket.New(bucket.Options{
		Endpoint:  "s3.eu-west-1.amazonaws.com",
		Bucket:    "fleet",
		Prefix:    "prod",
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
	})
	if err != nil {
		log.Fatal(err)
	}
	var known source.Revision // kept from the last time
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
