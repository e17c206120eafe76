// Package cache keeps the objects of earlier fetches, in memory or in a folder, so that the next fetch downloads only what
// is new, and sources that share a repository fetch it once:
//
//	repository := c.Repository(url)
//	unlock, err := repository.Lock(ctx)                       // then nobody else fetches it
//	defer unlock()
//	repository.Object(commit)                                 // what is there need not be downloaded
//	records, err := repository.Records(ctx)                   // what to tell the server that one has
//	err = repository.Add(ctx, Record{commit, scope}, objects) // with all that the scope needs, old and new
//
// A cache costs nothing but time where it is wrong or gone. In a folder, any file may be cut, changed or deleted by anyone
// at any time: every object is held against its hash when it is read, and what does not match is not there. So a record
// says what was there, and only [Repository.Object] says what is: whoever offers a record's commit to a server has to be
// ready for a pack that builds on objects that turn out to be lost.
package cache

import (
	"context"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A Record stands for all objects that a scope of a commit needs.
type Record struct {
	Commit object.Hash
	Scope  string // the caller's own; "" is the whole commit
}

// A Cache has the objects of many repositories. Several goroutines may use it at once. It is bounded: the records that were
// used least recently go first, and a record that is too large alone is not kept.
type Cache interface {
	// Repository returns the repository that a key stands for, such as a URL without credentials. No repository sees
	// another's objects, even by their hashes. The value is for one fetch, for it may hold on to what it read.
	Repository(key string) Repository
}

// A Repository is the part of a cache for one repository. Several goroutines may use it at once.
type Repository interface {
	// Lock waits until nobody else holds the repository's lock, in this process and, for a folder, in others. The error is
	// ctx's. Whoever holds a lock must not ask for it again; to unlock twice does nothing.
	Lock(ctx context.Context) (unlock func(), err error)
	// Records returns what is kept, last used first. A record is used when it is added, and when Object finds its commit.
	// The error is ctx's.
	Records(ctx context.Context) ([]Record, error)
	// Object returns an object of any record, of those there were at the last Lock, Records or Add. Its hash is right.
	Object(hash object.Hash) (object.Object, bool)
	// Damage returns what was found damaged since it was asked for last, and is as if it were not there; nil for nothing.
	Damage() error
	// Add keeps a record with all objects that it needs, which must have the hashes that needed has them under. Of one
	// scope the last few records stay, for sources of several branches may share it. The caller holds the lock; without it,
	// a record may get lost. The error is ctx's, or names the folder that could not be written to; what was kept before can
	// still be read.
	Add(ctx context.Context, record Record, needed object.Set) error
}

// recordsOfScope is how many records stay of one scope: room for a few branches, and little garbage where there is one.
const recordsOfScope = 4
