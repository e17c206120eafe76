package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// A Driver reads one bucket of an object store; the one for S3 is made of [Options] by [New]. Several goroutines use it at
// once. Its String is where the bucket is, as a URL without credentials, such as "https://s3.example.com/fleet".
//
// Its errors wrap [source.ErrNotFound] where there is no such bucket, [source.ErrUnauthorized] where the store lets nobody in
// or not that one, and a [*source.TemporaryError] where the same call may succeed later. They tell no secret.
type Driver interface {
	// List yields what is under a prefix, and ends after the first error. A store that lists keys in the order of their bytes,
	// and begins at List.After, is asked for several parts of a listing at once; any other order, and After without effect,
	// are right too.
	List(ctx context.Context, list List) iter.Seq2[Object, error]
	// Get returns the content of the object as it was listed, which the caller closes. Whatever has another ETag by now, or is
	// gone, is [ErrMoved]. Content that is not what the store's checksums say is an error of Read's that wraps [ErrCorrupt].
	Get(ctx context.Context, object Object) (io.ReadCloser, error)
	fmt.Stringer
}

// A List says what to list.
type List struct {
	// Prefix is what keys start with: empty, or it ends in a slash.
	Prefix string
	// After is a key: what is wanted comes after it. Where Versions is set it is empty.
	After string
	// Versions asks for every version of each key, deletions among them, with those of one key the newest first.
	Versions bool
}

// An Object is one line of a listing.
type Object struct {
	Key  string
	ETag string // without quotes
	Size int64  // bytes
	// Version and Modified are set where versions are listed, and Get reads that version then. Deleted says that the key was
	// deleted at that time.
	Version  string
	Modified time.Time
	Deleted  bool
	// Latest says that a version is what List shows without Versions, or the deletion that hides the key there. It decides
	// where the order or the times of a key's versions say something else.
	Latest bool
}

// ErrMoved says that an object is not any more what the listing said.
var ErrMoved = errors.New("objects kept changing while they were read")

// ErrCorrupt says that content is not what its checksum says.
var ErrCorrupt = errors.New("the content does not match its checksum")
