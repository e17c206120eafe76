package bucket_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// What happened, and the state before the last of it: the way back from an upload that broke something.
func ExampleSource_History() {
	ctx := context.Background()
	opts := bucket.Options{
		Endpoint:  "s3.eu-west-1.amazonaws.com",
		Bucket:    "fleet", // with versioning turned on
		Prefix:    "prod",
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		Cache:     bucket.NewCache(bucket.CacheOptions{}), // what did not change is not read again
	}
	origin, err := bucket.New(opts)
	if err != nil {
		log.Fatal(err)
	}
	changes, err := origin.History(ctx, 10)
	if err != nil {
		log.Fatal(err)
	}
	for _, change := range changes {
		fmt.Println(change.Time, change.Revision)
		for _, key := range change.Keys {
			fmt.Printf("\t%s deleted=%t\n", key.Key, key.Deleted)
		}
	}

	if len(changes) == 0 {
		log.Fatal("nothing ever changed")
	}
	opts.AsOf = changes[0].Before // or any time; or, instead of AsOf, opts.Before with a revision that is broken
	before, err := bucket.New(opts)
	if err != nil {
		log.Fatal(err)
	}
	snapshot, err := before.Fetch(ctx, source.Revision{})
	if err != nil {
		log.Fatal(err)
	}
	defer snapshot.Close()
	fmt.Println("back at", snapshot.Revision)
}
