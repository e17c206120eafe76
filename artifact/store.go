package artifact

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"time"

	"github.com/opencontainers/go-digest"
)

// A Store keeps artifacts by digest. Its parts are interfaces of their own:
// accept the part that is needed.
type Store interface {
	Putter
	Opener
	Statter
	Deleter
	Lister
}

// Tags are a store's names for artifacts. Its parts are interfaces of their own,
// as those of Store.
type Tags interface {
	Tagger
	Resolver
	Historian
	TagLister
	Untagger
}

// A Putter takes artifacts.
type Putter interface {
	// Put stores the bytes of r if their size and digest are those of want, and
	// want with them. Otherwise it stores nothing and returns an ErrDigest.
	// What want says of the content is not verified here, but where the artifact
	// is opened. Putting what is there already succeeds, and the later want
	// stays. r must end where the artifact ends, but need not be read if the
	// artifact is known to be there intact.
	Put(ctx context.Context, r io.Reader, want Descriptor) error
}

// An Opener gives artifacts out.
type Opener interface {
	// Open returns the artifact's bytes. At their end, where io.EOF would be, it
	// is an ErrDigest if they are not what d says: so they are verified for
	// whoever reads to the end, as [Unpack] and [Open] do. Without the artifact,
	// the error is ErrNotFound. The caller closes what is returned. Deleting the
	// artifact meanwhile may or may not make reading fail.
	Open(ctx context.Context, d digest.Digest) (io.ReadCloser, error)
}

// A Statter says what an artifact is without reading it.
type Statter interface {
	// Stat returns the Descriptor that was put with the artifact, or an
	// ErrNotFound. If it is known to be damaged, that is an ErrDigest.
	Stat(ctx context.Context, d digest.Digest) (Descriptor, error)
}

// A Deleter forgets artifacts.
type Deleter interface {
	// Delete removes the artifact. If it is not there, that is a success: two
	// that collect garbage at once both get what they want. What a tag names is
	// not removed: the error is ErrTagged.
	Delete(ctx context.Context, d digest.Digest) error
}

// A Lister says what is there.
type Lister interface {
	// List yields the Descriptors of all artifacts, sorted by digest. With a
	// damaged one comes an error: of the Descriptor then only Digest is set, and
	// the list goes on. An error with the zero Descriptor ends it. What is put
	// or deleted meanwhile may or may not be in it.
	List(ctx context.Context) iter.Seq2[Descriptor, error]
}

// A Tagged is an artifact under a name, at a time.
type Tagged struct {
	// Name is slash-separated, such as "apps/podinfo". Each element has letters,
	// digits, '.', '_' and '-', and starts with a letter or digit. A name has at
	// most 240 bytes, of which capital letters count twice.
	Name string `json:"name"`
	// Digest is the artifact's.
	Digest digest.Digest `json:"digest"`
	// Revision says what the artifact was made from, such as "main@sha1:855f77…".
	// It is the caller's, may be empty, and has at most 1024 bytes of UTF-8.
	Revision string `json:"revision,omitempty"`
	// Time is when the artifact got the name, in UTC.
	Time time.Time `json:"time"`
}

// A Tagger gives names to artifacts.
type Tagger interface {
	// Tag makes d the current artifact of the name. What the name meant before
	// stays in its history, and to roll back is to tag an earlier artifact again.
	// With what already is current, digest and revision, nothing changes. An
	// artifact that is not in the store is an ErrNotFound, and an odd name or
	// revision an ErrFormat.
	Tag(ctx context.Context, name string, d digest.Digest, revision string) error
}

// A Resolver finds artifacts by name.
type Resolver interface {
	// Resolve returns the current artifact of the name, or an ErrNotFound.
	Resolve(ctx context.Context, name string) (Tagged, error)
}

// A Historian knows what names meant before.
type Historian interface {
	// History yields what was tagged with the name, the current one first. How
	// far back it goes is bounded, and earlier artifacts may be gone from the
	// store. An error with the zero Tagged ends it: an ErrNotFound if there is no
	// such name.
	History(ctx context.Context, name string) iter.Seq2[Tagged, error]
}

// A TagLister says which names there are.
type TagLister interface {
	// Tags yields the current artifact of every name, sorted by name. With a
	// damaged tag comes an error: of the Tagged then only Name is set, and the
	// list goes on. An error with the zero Tagged ends it.
	Tags(ctx context.Context) iter.Seq2[Tagged, error]
}

// An Untagger forgets names.
type Untagger interface {
	// Untag removes the name and its history, and no artifact. If there is no
	// such name, that is a success.
	Untag(ctx context.Context, name string) error
}

// A Creator is a Putter that can also take an artifact whose Descriptor is known
// only once it is written. It is an upgrade that [PackTo] looks for.
type Creator interface {
	// Create stores what write writes, if write returns the Descriptor of it.
	// If write fails, nothing is stored and its error is returned.
	Create(ctx context.Context, write func(w io.Writer) (Descriptor, error)) (Descriptor, error)
}

// PackTo packs the tree of fsys into to. The artifact is never held in memory.
// If to is a Creator the tree is packed once, otherwise twice: first to learn
// the Descriptor, then through a pipe. If the tree changes between the two, Put
// returns an ErrDigest and nothing is stored.
func PackTo(ctx context.Context, to Putter, fsys fs.FS, opts PackOptions) (Descriptor, error) {
	if c, ok := to.(Creator); ok {
		return c.Create(ctx, func(w io.Writer) (Descriptor, error) {
			return Pack(ctx, w, fsys, opts)
		})
	}
	want, err := Pack(ctx, io.Discard, fsys, opts)
	if err != nil {
		return Descriptor{}, err
	}
	r, w := io.Pipe()
	packing := newCrew(ctx, 1)
	packing.start(func() {
		defer w.CloseWithError(io.ErrUnexpectedEOF) // if fsys panics
		_, err := Pack(ctx, w, fsys, opts)
		w.CloseWithError(err)
	})
	defer func() {
		r.Close()          // a Putter that has the artifact already need not read on
		_ = packing.wait() // Put returned what there is to say
	}()
	if err := to.Put(ctx, r, want); err != nil {
		return Descriptor{}, err
	}
	return want, nil
}
