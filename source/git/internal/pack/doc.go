// Package pack reads Git's packs: the objects that an answer of git-upload-pack brings, as bytes in memory.
//
//	stream ──inflater──▶ entries ──▶ workers: apply deltas, compute hashes ──▶ object.Set
//
// One goroutine, the caller's, reads the stream and decodes it, which has to be done in order. As many as there are
// processors do the rest at the same time. A delta whose base is not there yet waits at its base; who finishes the base
// goes on with it.
//
// The reader trusts nothing that a pack says. Each object is kept by the hash that its bytes have; memory is taken for sizes
// that are within the limits, and for those that are large only as their bytes come; a chain of deltas may be as long as the
// pack, since it is followed without recursion; what a delta refers to has to come before it (by offset), or is waited for
// until the end (by hash), so that a circle is merely a base that never comes.
package pack
