// Package artifact turns a tree of files into one blob and back, so that the
// same tree is the same bytes wherever and whenever it is packed.
//
//	fs.FS ──Pack──▶ bytes + Descriptor ──Put──▶ Store ──Tag──▶ name, history
//	                                             │ Open(digest)
//	fs.FS ◀──Open── bytes, verified ◀────────────┤
//	folder ◀─Unpack─ bytes, verified ◀───────────┘
//
// # What an artifact is
//
// An artifact is a tar archive, compressed with gzip unless [PackOptions] says
// otherwise. Its [Descriptor] names it twice: Digest is of the compressed
// bytes, so that they can be verified before anything believes them, and
// ContentDigest is of the tar inside, so that two artifacts of the same tree
// can be told to be equal although one is gzip and the other zstd, or although
// a later release compresses better. The media types are those of OCI image
// layers, and a Descriptor can be put into an OCI manifest as it is.
//
// Which bytes an artifact has depends on its tree, its Compression and its Level,
// and on nothing else: not on the number of cores that packed it, which is for
// PackOptions.Concurrency to bound. ContentDigest depends on the tree alone.
//
// # What is in it
//
// Regular files and symbolic links, sorted by their full slash-separated path,
// bytewise. A file has its content and one bit of mode: 0755 if anybody may
// execute it, else 0644. Folders have no entry of their own: as in Git, an empty
// folder does not exist. Owners, times and other modes are not kept. So a tree
// packs to the same bytes from a Git snapshot, from a work tree, or from memory,
// under any umask, on any machine, and however the fs.FS sorts what it lists.
//
// A symbolic link is kept if its target stays inside the tree, whether or not
// there is something at the target. One that is absolute, climbs above the root,
// or climbs (..) out of another link, is an error that names it. Devices,
// sockets and pipes are errors too, and so are paths and targets that would leave
// the tree where a backslash or a drive has a meaning.
//
// # What is believed
//
// Nothing, until its digest is verified. [Open] gives out no file system, and
// [Unpack] leaves the folder as it was, unless every byte was read and size, Digest
// and ContentDigest are those of the wanted Descriptor. It writes into a folder
// .unpack-… beside what is there, and renames once all is verified: a kill leaves
// that folder, and what had been renamed.
//
// Archives by other packers, such as git archive and GNU tar, are read as well, if
// they hold only what an artifact may hold: their folder entries, owners and times
// are ignored, and a hard link to a file that came before it becomes a file of its
// own. Refused, with the entry's name, is what leads out of the tree, what stands
// twice or on what is no folder, and what two readers would not read alike. Trees
// that would not be the same on Windows and macOS are refused where
// UnpackOptions.Portable asks for it.
//
// What comes in is bounded by [Limits] on count, size, ratio, path and depth, in
// both directions: whatever Pack accepts under some Limits, Open and Unpack accept
// under the same. A crossed limit is an error for which
// errors.Is(err, ErrTooLarge) holds and which names the field that raises it.
// Files are streamed: Pack and Unpack keep the names of a tree in memory, never
// its content. Open keeps the content too, no more than Limits.MaxBytes, or keeps it
// in a temporary file in UnpackOptions.Spool.
//
// Pack reads its tree through the fs.FS alone, and all of it: it knows no ignore
// rules, and a work tree's .git is a folder like any other. Several goroutines use
// the fs.FS at once, unless PackOptions.Concurrency is 1. For a folder that others
// may write to, prefer [os.Root.FS] to [os.DirFS]: the latter follows links out of
// the folder if they are swapped in during the walk.
//
// # What changed
//
// [Contents] say what stands at each path of a tree: kind, size and sha256 of a
// file, target of a link. [ReadContents] takes them from an artifact, verified as
// Open verifies and in memory that does not grow with content, and [ContentsOf]
// from a tree that could be packed. They are small enough to be kept, as JSON,
// beside a Descriptor. [Diff] compares two of them: which paths were added,
// removed and changed, and so which parts of a tree a new revision touches. What
// it tells of a file is that it changed, not how.
//
// # Stores
//
// A [Store] keeps artifacts by digest, and [Tags] are its names for them. Both are
// composed of interfaces of one method ([Putter], [Opener], [Tagger], [Resolver]
// and so on), so that a consumer's own may be as small as what is used of it.
// [PackTo] packs into a store without holding the artifact in memory.
//
// [Dir] is a store in a folder. It may be killed at any point, and several
// processes may use it at once: what it lists is whole, and a tag's artifact is
// there. What it gives out is verified while it is read. A full or read-only disk
// is an error of its own, and harms nothing that is stored.
//
// A tag says which artifact is the current one, and its history which were before:
// so the last good one is found after a restart, and to roll back is to tag an
// earlier one again. [DirStore.GC] removes what [Keep] does not keep: tagged
// artifacts stay, with as much of their history as is asked for, the newest, and
// the young. What any process is reading or putting stays, whatever Keep says,
// where the system has flock. Packing first and tagging after is safe while GC
// runs elsewhere, as long as it takes less than Keep.Younger.
//
// Package artifacthttp, beside this one, serves a store over HTTP, by digest and by
// name, and fetches from such servers, or from Flux's source-controller, into one.
//
// # What it never does
//
// It starts no process, opens no connection (package artifacthttp does), writes no
// temporary file outside of the folders that it is given, and keeps no goroutine and no
// state after a call returns.
package artifact
