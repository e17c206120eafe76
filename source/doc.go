// Package source is where desired state comes from: a Git repository, a bucket, a folder.
//
//	snapshot, err := origin.Fetch(ctx, known)          // origin is a Source: git.New, bucket.New, source.Dir
//	if errors.Is(err, source.ErrNotModified) { … }     // known is still current: one round trip, no content
//	defer snapshot.Close()
//	files, err := fs.Glob(snapshot, "*/kustomization.yaml")
//	known = snapshot.Revision                          // "main@sha1:855f77…"
//
// A [Source] has one method, so a program can bring its own. It gives a [Snapshot]: the whole content at one [Revision],
// an immutable [io/fs.FS] that many goroutines may read. Nothing is written to disk. Package sourcetest is the contract as
// a test that any Source can run against itself.
//
// # What is in a snapshot
//
// Regular files with their executable bit, symbolic links, and the folders that these need. There are no empty folders, no
// times, no owners. A symbolic link is followed inside of the snapshot only: one whose target is absolute, leads out of
// the root or into a loop is listed, and following it is an error that names it, a [*LinkError].
//
// # What has not changed
//
// A Revision is of the whole content. A snapshot also tells of each file and folder by an identity whether it is what was
// read before, without reading it: that is [IdentityFS], one method, which a file system may have and need not.
//
//	was, err := source.Identity(old, "apps/web")       // "folder:git-sha1:9bd1c0…"
//	now, err := source.Identity(snapshot, "apps/web")
//	if now != "" && now == was { … }                   // nothing in that folder has changed; empty means not known
//
// In Git it is the blob's or the tree's hash, in a bucket it is made of key, ETag and size, elsewhere of the content.
// [io/fs.Sub] of a snapshot has the method, too.
//
// # What is ignored
//
// Lines of Git's gitignore syntax say what of an origin is left out. They are in the options of a source, and in files of
// the origin that are called .sourceignore, each for its own folder and those below. As in Git, the last line that matches
// decides, an exclamation mark takes a file back in, and nothing takes back in what is in an ignored folder. Lines of
// deeper files come later, and those of the options last of all. There are no lines by default.
//
//	# .sourceignore
//	*.md
//	/test/
//	!/docs/README.md
//
// An ignore file is a file of the snapshot like any other, unless it is ignored; its lines hold in either case. One that is
// not a regular file, such as a symbolic link, is none. [IgnoreRules] is for those who write a [Source].
//
// # What may be in an origin
//
// Origins are not trusted. [Limits] bound how many files there are, how large and how deep they are; crossing one is a
// [*LimitError] that names the option which raises it. A name that no [io/fs.FS] can have, such as "../a", is a
// [*NameError]. In either case there is no snapshot: content is whole or absent.
//
// # Errors
//
// What callers branch on are [ErrNotModified], [ErrNotFound], [ErrUnauthorized], [ErrUnverified] and [ErrTooLarge]. Every
// error but the first is an [*Error], which says where; neither it nor what it wraps shows a credential.
//
// Content that has to be signed and is not as it should be is a [*SignatureError], which says whose signature is there and
// what is wrong with it. What was verified is in [Snapshot.Signatures].
//
// # Writing a Source
//
// [Tree] makes a snapshot out of files and links that arrive in any order, and holds them to the limits. Who knows
// identities tells them with [Tree.Identify].
package source
