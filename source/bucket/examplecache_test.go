package bucket_test

import (
	"fmt"
	"log"

	"github.com/gitopskit/gitopskit/source/bucket"
)

// A folder is shared by processes too, and is there when the program starts again.
func ExampleOpenCache() {
	cache, err := bucket.OpenCache("/var/cache/fleet/bucket", bucket.CacheOptions{MaxBytes: 2 << 30})
	if err != nil {
		log.Fatal(err)
	}
	for _, prefix := range []string{"prod", "staging"} {
		origin, err := bucket.New(bucket.Options{
			Endpoint:     "s3.eu-west-1.amazonaws.com",
			Bucket:       "fleet",
			Prefix:       prefix,
			Cache:        cache,
			OnCacheError: func(err error) { log.Print(err) }, // a full disk is no reason not to fetch
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(origin)
	}
}
