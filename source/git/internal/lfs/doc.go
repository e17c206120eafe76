// Package lfs reads Git LFS pointers and fetches the content that they stand for.
//
//	pointer, ok := lfs.Parse(blob)                                        // most blobs are no pointers
//	contents, err := lfs.Fetch(ctx, client, repository, files, limits)    // files: a pointer for each path
//	contents[pointer.OID]                                                 // held against its size and its SHA-256
//
// A fetch asks the server's batch API for at most 100 objects at a time, downloads what it answers with by the basic
// transfer, and returns all content or none. Both are HTTP: what a repository's SSH server may say of LFS is not asked.
//
// # Where it connects
//
// To the repository's own LFS server, <repository>.git/info/lfs, and to the hosts that this names for the downloads: hosted
// LFS keeps content in another place than the repository. The file .lfsconfig, by which a repository names another LFS
// server, is not honoured: whoever can push to the repository would choose where its readers connect. Once HTTPS is spoken,
// nothing is asked over HTTP. The batch request is redirected within its origin only.
//
// # Credentials
//
// The [Client] adds those of the repository, for its origin alone. Headers that the server gives for a download are sent to
// the origin that it gave them for; a redirect that leaves it loses them. They may not set what belongs to the connection
// or changes the meaning of the request, see allowedHeader. No error has the value of a header, the query of a URL, which
// is where signed URLs have their signature, or text that the server wrote.
package lfs
