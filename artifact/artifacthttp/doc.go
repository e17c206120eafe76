// Package artifacthttp serves the artifacts of a store over HTTP, and fetches
// them into another:
//
//	Store ──Handler──▶ HTTP ──Client.Fetch──▶ Putter
//
// [Handler] is an http.Handler that serves artifacts by digest, for ever, and by
// name, for now, with all that HTTP knows to say of bytes that do not change:
// ETag, Range, conditions, digests, lifetimes. [Client] fetches what has a known
// digest, from a Handler, from Flux's source-controller (whose status.artifact
// has url and digest), or from any file server, and goes on where an answer broke
// off.
//
// # What is believed
//
// A Handler believes no file: the last byte of an artifact leaves it only when
// all of them were read and have the digest. A Client believes no server: what
// it fetches comes into the store only if it has the digest that was asked for,
// whatever the answers say of it, and from however many of them it was put
// together. What a server says by itself, as [Client.Resolve] returns it, is a
// claim.
//
// # What is bounded
//
// The artifact's size, the requests of one call, the waits between them, the
// redirects of each, and the time for which a server may be silent. The whole
// takes as long as the context lets it.
//
// # What never leaves
//
// Credentials go to the scheme, host and port of the URL that they were given
// for, and to no other that a server redirects to. Errors have neither
// them nor a URL's query in them, which may be a signature.
package artifacthttp
