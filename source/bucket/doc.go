// Package bucket fetches from buckets of S3, of what speaks its protocol, and of any store that has a [Driver].
//
//	origin, err := bucket.New(bucket.Options{Endpoint: "s3.eu-west-1.amazonaws.com", Bucket: "fleet", Prefix: "prod"})
//	snapshot, err := origin.Fetch(ctx, known)   // a source.Source
//	snapshot.Revision                           // sha256:9f86d0…
//
// A [Source.Fetch] lists the objects under the prefix, which is one request for every thousand keys. A Source that has done so
// before sends them at once, and one more for each page that has grown beyond a thousand. If the revision is known, that is
// all. Otherwise the objects that are new are read, many at once, with one GET each and on condition that the ETag is still
// the listed one. Where an object has changed or gone meanwhile, it is listed again, five times in all: a snapshot
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
// A listing of several requests is of several moments: what is written meanwhile may be in it or not, and
// an upload of many files is seen half-way as by whoever else lists the bucket.
//
// # What is fetched
//
// A key without its prefix is a file's path; with Options.KeepPrefix it is the whole key. Whatever is a path can be fetched:
// keys of 1,024 bytes, with backslashes, spaces, control characters, in any form of Unicode, and such as only differ in case.
// Keys that end in a slash and hold nothing, which some tools write for folders, are skipped. Any other key that is no path,
// such as a//b, /a, ./a or ../c, or a/ with content, is a [*source.NameError], and so are two keys of which one is a file and the
// other in a folder of that name, and a key with a line feed somewhere after a space, which would pass for two in the
// revision: content is whole or absent. Ignore rules can leave such keys out. MinIO does not list a/b beside an object a, so
// there it is a that is fetched. There are no executable files and no links.
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
// # History
//
// Where a bucket has versioning turned on, what is overwritten and deleted stays, and there is a way back:
//
//	changes, err := origin.History(ctx, 10)     // the last ten: when, which keys, which revision came of it
//	if len(changes) > 0 {
//		opts.AsOf = changes[0].Before       // roll back the last one
//	}                                           // or opts.AsOf = any time, or else opts.Before = the revision that is broken
//	origin, err = bucket.New(opts)
//
// Fetch then returns the bucket as it was, deletions included, and by the ignore files of then. Its revision is the one that
// Fetch had returned then; only Prefix, Ignore and NoIgnoreFiles have to be the same. The bucket itself is not changed: who
// has rolled back mends it, and then fetches the present again.
//
// An upload of twenty files is twenty events within seconds. They are one [Change], until nothing is written for
// Options.ChangeGap, ten seconds by default, and Before goes back to the state ahead of all of them, also from a revision
// that was fetched in the middle. What is ignored, and what was written again as it was, is no change. A state without any
// object was never fetched, and Before passes it over.
//
// Times are the store's, and AsOf includes what is dated at that very time. Amazon dates in whole seconds, so all of a
// second is in the state or none of it; of several versions of one key within it the last one counts. It dates what is
// uploaded in parts by when that began. A store that dates a version by when it was replaced, as versitygw does, is not one to
// use this with: it gives no error, and states that never were. All this was tested against MinIO.
//
// What is not there any more cannot be told: a version that a lifecycle rule or somebody removed for good leaves no trace,
// and the state of then lacks its file. Lifecycle rules have to keep noncurrent versions for as long as somebody may want to
// go back. What was overwritten or deleted before versioning was turned on is gone, too. States of before the first change
// since then, and of before what was written while versioning was suspended, are a [*HistoryError], which is a
// [source.ErrNotFound]; so is one that the versions do not reach. Of the former the newest can be had nevertheless: by
// AsOf with the Before of the first change.
//
// It costs one request for every thousand versions, and one GET for each object that is not held; with a [Cache] that the
// source of the present uses, too, these are the ones that differ. It needs the permissions s3:ListBucketVersions and
// s3:GetObjectVersion. A state on the way back costs a digest over its listing, which is why Options.MaxChanges bounds
// Before.
//
// # What goes wrong
//
// Requests that the network or the store failed are sent up to three times; an answer's Retry-After is obeyed up to
// Options.MaxWait. What is left then is a [*source.TemporaryError]. Silence ends after Options.StallTimeout. What had come
// before a failure is not read again by the next Fetch. Refusals, such as [source.ErrUnauthorized], are told at once, with the
// key where they are about one. An answer that is not S3's, of a login page or a console, is quoted and temporary: it is never
// taken for a bucket that is empty or not there.
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
