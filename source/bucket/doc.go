// Package bucket fetches from buckets of S3 and of what speaks its protocol.
//
//	origin, err := bucket.New(bucket.Options{Endpoint: "s3.eu-west-1.amazonaws.com", Bucket: "fleet", Prefix: "prod"})
//	snapshot, err := origin.Fetch(ctx, known)   // a source.Source
//	snapshot.Revision                           // sha256:9f86d0…
//
// A [Source.Fetch] lists the objects under the prefix, which is one request for every thousand keys. The revision is a digest
// of that listing: of each key, ETag and size, and not of times. If the revision is known, that is all. Otherwise the objects
// are read, many at once, with one GET each and on condition that the ETag is still the listed one. Where an object has
// changed meanwhile, the bucket is listed again: a snapshot is exactly what its revision's listing says. A Source keeps what
// it fetched last in memory, and reads only objects whose key, ETag or size is new.
//
// # What is fetched
//
// A key without its prefix is a file's path. Keys that end in a slash and hold nothing, which some tools write for folders,
// are skipped. A key that is no path, such as a//b or ../c, is a [*source.NameError], and so are two keys of which one is a
// file and the other in a folder of that name: content is whole or absent. There are no executable files and no links.
//
// The identity of a file, as [source.IdentityFS] has it, is made of endpoint, bucket, key, ETag and size, so a copy under another
// key has another one.
//
// A bucket without any object under the prefix is [source.ErrNotFound] and not an empty snapshot, for what follows from an
// empty one is that everything gets removed.
//
// # Where it connects
//
// To the named endpoint only. Redirects are not followed and no region is looked up. Credentials sign requests and appear in
// no error, URL or formatted value.
package bucket
