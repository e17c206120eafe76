// Package git fetches from Git repositories over HTTP, HTTPS, SSH and git://: what is asked for, and nothing else.
//
//	origin, err := git.New("https://example.com/org/fleet.git", git.Options{Branch: "main", Paths: []string{"apps/web"}})
//	snapshot, err := origin.Fetch(ctx, known)   // a source.Source
//	snapshot.Revision                           // main@sha1:855f77…
//
// There is no clone, no work tree and no child process. A [Source.Fetch] asks for the repository's references, which is one
// request, and stops there if the revision is known. Otherwise it brings the objects of the one commit that are not here yet
// straight into memory, holds each against its hash, and gives an [io/fs.FS] over them. Without anything in it, a content is
// [source.ErrNotFound].
//
// The examples are those of the package, which goes on from the revision of the last time; of [New], one for each kind of
// reference and of authentication; and of [OpenCache], [Credential] and [Verification]. They are in example_test.go and
// exampleauth_test.go.
//
// # References
//
// Of [Options.Reference] (any full name, such as refs/pull/7/head), [Options.SemVer] (a range of versions over tags), Tag
// and Branch the first one that is set counts, and HEAD if none is. All are resolved from the one list of references. An
// annotated tag stands for its commit, whose hash a revision has. Of a range it is the highest version; tags of the same
// version, which differ in build metadata or a leading v, are told apart by their names, of which the last one in order is
// taken.
//
// [Options.Commit] pins a commit by its hash, and one of the others then names it. It is asked for by that hash, without
// history. A server that only gives tips of references, as a few old ones do, is asked for the history of what else is
// named, in growing steps, until the commit is in it; if it never is, the error says what the server refused.
//
// # What is fetched
//
// The whole commit comes in one request, without its history. [Options.Paths] limits it to files and folders: a server with
// filters then sends the folders that lead there, and what is below, and nothing of the rest, not even its names. What is
// outside is [source.ErrNotFetched] to look at, where the folder that it would be in is known to have it, and
// [io/fs.ErrNotExist] otherwise. Rules of [Options.Ignore] and of .sourceignore files, see [source.IgnoreRules], leave files
// out in the same way: with Options.Ignore set, what they match is not downloaded. A server without filters sends all, with
// the same result.
//
// The next commit brings the objects that are new. Which are here a [Cache] knows: a Source keeps those of its last commits
// in memory, and several sources, and processes, can share one by [Options.Cache]; they fetch a commit once.
//
// # What a snapshot has
//
// The files of the commit's tree, as git archive has them without attributes: regular files with their executable bit and
// symbolic links. Identities, as [source.IdentityFS] has them, are the hashes of blobs and of trees. There is nothing under
// the path of a submodule unless [Options.Submodules] is set. Files in Git LFS are the pointers to them unless [Options.LFS]
// says otherwise. A tree with a name that is not UTF-8 has no place in an [io/fs.FS] and is refused, unless it is outside of
// the paths or ignored; so is one with a name that is .git to some file system, and whatever crosses [source.Limits].
// Repositories whose hashes are SHA-256 cannot be read, and the error says so.
//
// # Submodules
//
// [Options.Submodules] brings what git clone --recurse-submodules does: under a submodule's path the files of the commit
// that the tree names, from the URL that .gitmodules has for this path, which may be relative to the parent's. A submodule
// without an entry there is an error, an entry without a submodule is not looked at, and one with "update = none" is left
// out. URLs are those of [New]: files of this machine and programs to run are refused, and so is a relative URL that leads
// out of the parent's host. Submodules may be in each other 8 times, and be 1,000 in all.
//
// The submodule's commit is part of the hash of the parent's, and so of the parent's signature: its own is not looked at.
// That is also why it may come over plain HTTP: what comes is what was named. Credentials do not, unless
// Options.AllowPlainHTTP is set, and those of one host never go to another. A submodule on another host has none, and nor
// have those that it names, wherever these are, but for what Options.Credentials or a password in the URL of .gitmodules
// gives.
//
// A folder with a submodule below it does not have its tree's hash for its identity, for that does not tell the content.
//
// # Signatures
//
// [Options.Verify] wants the commit, the tag, or both to be signed, by OpenPGP or SSH keys that are given. A tag's signature
// counts only if the name in the signed tag is the one that was asked for. What is not signed so is [source.ErrUnverified]:
// its files are not asked for where paths are named, and never returned. Who signed is in the snapshot's Signatures. A
// revision that is known from elsewhere is verified too before it is current.
//
// # Credentials, and where it connects
//
// To the named host alone, through [Options.Proxy] or, over HTTP, the proxy that the environment names; with
// [Options.Submodules] to the hosts of submodules too, and with [LFSFetch] to those from which the LFS server of a repository
// has its content downloaded. A redirect is followed on the same host, never from HTTPS to HTTP, and only for the first
// request. Those of downloads may lead elsewhere, without credentials.
//
// Credentials are fields of the options, or come from a function that is asked when they are needed, for those that expire.
// They go to the repository's own scheme, host and port, do not go over plain HTTP unless [Options.AllowPlainHTTP] is set,
// and appear in no error, URL or formatted value. SSH servers have to be in [Options.KnownHosts].
//
// # Servers that do harm
//
// Nothing that a server says is believed. The list of references, packs, objects, their number, their sizes and those that
// they claim are bounded by the options, deltas are applied without recursion, and a content is whole or absent. A server
// that is silent for [Options.StallTimeout] is given up; one that drips is up to the context.
package git
