// Package git fetches from Git repositories over HTTP and HTTPS.
//
//	origin, err := git.New("https://example.com/org/fleet.git", git.Options{Branch: "main"})
//	snapshot, err := origin.Fetch(ctx, known)   // a source.Source
//	snapshot.Revision                           // main@sha1:855f77…
//
// There is no clone and no work tree. A [Source.Fetch] asks for the repository's references, which is one request, and stops
// there if the revision is known. Otherwise a second request brings a pack of the one commit, without its history, straight
// into memory. A Source keeps the objects of the commit that it fetched last: the next pack has only what is new.
//
// # What is fetched
//
// A branch, a tag, any other reference such as refs/pull/7/head, or a commit by its hash. Nothing named: the branch that the
// repository's HEAD is. An annotated tag stands for its commit, whose hash a revision has. A commit that is not the tip of
// anything is only given by servers that allow it, as the large hosting services do.
//
// A submodule is not followed: in the snapshot there is nothing under its path. A tree with an entry called .git, or with a
// name that is not UTF-8, is refused, as is whatever crosses [source.Limits]. Every object is held against its hash, and
// repositories whose hashes are SHA-256 are not supported. Signatures are not looked at.
//
// Identities, as [source.IdentityFS] has them, are the hashes of blobs and trees.
//
// # Where it connects
//
// To the named host, and through the proxy that the environment names unless [Options] bring a transport. A redirect is
// followed on that host only, never from HTTPS to HTTP, and only for the first request. Credentials go into the
// Authorization header of requests to that host and appear in no error, URL or formatted value.
package git
