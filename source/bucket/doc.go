// Package bucket fetches from buckets of S3, of what speaks its protocol, and of any store that has a [Driver].
//
//	origin, err := bucket.New(bucket.Options{Endpoint: "s3.eu-west-1.amazonaws.com", Bucket: "fleet", Prefix: "prod"})
//	snapshot, err := origin.Fetch(ctx, known)   // a source.Source
//	snapshot.Revision                           // sha256:9f86d0…
//
// A [Source.Fetch] lists the objects under the prefix, which is one request for every thousand keys. If the revision is known,
// that is all. Otherwise the objects that are new are read, many at once, with one GET each and on condition that the ETag is
// still the listed one. Where an object has changed or gone meanwhile, the bucket is listed again, up to five times: a snapshot
// is exactly what its revision's listing says. Content is held against its MD5 where the ETag is one, and against the checksum
// that the store keeps; for stores whose ETags only look like an MD5 there is Options.AnyETag.
//
// # The revision
//
// It is the sha256 of a line for each object, sorted by key: the key, a space, the ETag. Keys are whole, with the prefix, and
// what is ignored has no line. Times count for nothing, so an object that is written again as it was changes nothing. Flux gives
// the same bucket the same revision; there are two exceptions. Flux reads one .sourceignore, under that very key, whatever the
// prefix is, and it takes a prefix as text: its prod is also production/.
//
// # What is fetched
//
// A key without its prefix is a file's path; with Options.KeepPrefix it is the whole key. Whatever is a path can be fetched:
// keys of 1,024 bytes, with backslashes, spaces, control characters, in any form of Unicode, and such as only differ in case.
// Keys that end in a slash and hold nothing, which some tools write for folders, are skipped. Any other key that is no path,
// such as a//b, /a, ./a or ../c, or a/ with content, is a [*source.NameError], and so are two keys of which one is a file and the
// other in a folder of that name: content is whole or absent. Ignore rules can leave such keys out. There are no executable files
// and no links.
//
// What the rules of Options.Ignore and of .sourceignore files match is not read; see [source.IgnoreRules]. Ignore files are
// read again only when their ETag has moved. The one at the top of the bucket is not content itself, as with Flux.
//
// The identity of a file, as [source.IdentityFS] has it, is made of endpoint, bucket, key, ETag and size, so a copy under another
// key has another one.
//
// A bucket without any object under the prefix that is not ignored is [source.ErrNotFound] and not an empty snapshot, for what
// follows from an empty one is that everything gets removed.
//
// # Caches
//
// A Source keeps the content of its last snapshot in memory. With Options.Cache, what it does not have is looked for there
// before it is read: several sources, one after the other or at once, read an object once. That of [NewCache] is in memory;
// that of [OpenCache] is a folder, which processes share and which outlives them, and where objects of more than a megabyte
// are instead of in memory. A folder that is full, damaged or gone costs requests and no more; Options.OnCacheError is told.
// Who shares a Cache shares what it has: see [Cache].
//
// # What goes wrong
//
// Requests that the network or the store failed are sent up to three times; an answer's Retry-After is obeyed up to
// Options.MaxWait. What is left then is a [*source.TemporaryError]. Silence ends after Options.StallTimeout. What had come
// before a failure is not read again by the next Fetch. Refusals, such as [source.ErrUnauthorized], are told at once, with the
// key where they are about one.
//
// # Who asks
//
// Keys are static, or come from a [CredentialFunc]; without either, requests are not signed. Nothing is looked for unasked:
// who wants the environment's keys or the instance's role says so by [FromEnvironment] or [FromInstance]. A Source asks its
// function once for all that it reads, and keeps the answer until shortly before it expires. What the store refuses as
// expired or unknown, even in the middle of a listing, is asked for once more, and the request is sent again.
// [source.ErrUnauthorized] is what remains.
//
// Over plain http:// a signature does not reveal the secret key. It does not hide anything either: everybody on the way can
// read the content, the keys' names and a session token, and can answer with other content.
//
// # Where it connects
//
// To the named endpoint only, by the proxy that the options or the environment name, and to where the function for
// credentials does. An endpoint of Amazon's becomes that of its region. Redirects are not followed and no region is looked
// up. Credentials sign requests and appear in no error, URL or formatted value, nor do the proxy's user and password.
package bucket
