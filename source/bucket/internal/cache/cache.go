// Package cache keeps the content of objects of buckets, in memory or in a folder that several processes share:
//
//	body, err := c.Get(key)                // what is there need not be fetched
//	body, err := c.Put(ctx, key, size, r)  // what is fetched, kept if it is whole
//	body.Bytes()                           // many times and at once, as long as somebody has the Body
//
// A cache costs nothing but time where it is wrong or gone. In a folder, any file may be cut, changed or deleted by anyone at
// any time: each holds the SHA-256 of its content, and what does not match is not there. That finds damage. It does not find
// what somebody who may write to the folder put there on purpose, for nothing but the key says what content there should be.
package cache

import (
	"context"
	"fmt"
	"io"
)

// A Key names content: what has the same one is the same, wherever it was read.
type Key [32]byte

// A Cache has content by key. Several goroutines may use it at once. It is bounded: what was used least recently goes first,
// and stays with those who have its Body.
type Cache interface {
	// Get returns what is kept under a key, if it is as it was put there. Without that and without an error nothing is. What
	// is damaged is removed, and is a [*KeepError].
	Get(key Key) (*Body, error)
	// Put reads content to its end and keeps it. It has to have size bytes, as for [Read], whose errors it returns; the
	// reader's own are returned as they are, wrapped. In both cases nothing is kept.
	//
	// Content that cannot be kept comes with a [*KeepError] if it could be read all the same. With that error and no Body,
	// part of the content is gone, and has to be brought again for Read.
	Put(ctx context.Context, key Key, size int64, r io.Reader) (*Body, error)
}

// A KeepError says why content was not kept in a folder, or is not used from there, which is no reason to go without
// the content.
type KeepError struct {
	Dir string
	Err error
}

// Error implements error.
func (e *KeepError) Error() string {
	return fmt.Sprintf("the cache folder %q: %v", e.Dir, e.Err)
}

// Unwrap returns Err.
func (e *KeepError) Unwrap() error { return e.Err }
