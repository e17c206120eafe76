package artifact

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/internal/flock"
)

// Keep says what GC leaves in a store. Each rule keeps what it names, whatever
// the others say. The zero value works.
type Keep struct {
	// Newest is how many of the artifacts last put stay. Damaged ones do not
	// count. Default: none for their age alone.
	Newest int
	// Younger is how long an artifact stays after it was last put. It has to be
	// longer than what is put remains without a tag, also in other processes.
	// Its clock is the file system's against this machine's. Default:
	// DefaultKeepYounger. Below zero, age keeps nothing, and what is just being
	// put and to be tagged by somebody else may go before it is.
	Younger time.Duration
	// History is how many artifacts of each tag's history stay, the current one
	// among them. One that was tagged more than once is counted once.
	// Default: the current one alone.
	History int
}

// DefaultKeepYounger is what Keep means where Younger is zero.
const DefaultKeepYounger = time.Hour

// Collected is what GC did.
type Collected struct {
	// Digests are of the artifacts that were removed, sorted.
	Digests []digest.Digest
	// Bytes is how many bytes these had, compressed as they were.
	Bytes int64
	// InUse are of those that would have been removed, were they not just being
	// read or put.
	InUse []digest.Digest
}

// GC removes the artifacts that keep does not keep, and leftovers of killed
// processes. Never does it remove what a tag names as its current artifact, nor,
// where the system has flock, what any process has open, or is putting. While it
// decides, nobody puts or tags.
//
// If a tag is damaged, what it names is not known: then nothing is removed, and
// the error is an ErrFormat that names the tag. Nor is anything removed if the
// system does not let something be read. What is returned says what was removed
// also where there is an error.
func (s *DirStore) GC(ctx context.Context, keep Keep) (Collected, error) {
	var c Collected
	trash, err := s.collect(ctx, keep, &c)
	errs := []error{err}
	for _, dir := range trash {
		errs = append(errs, s.root.RemoveAll(dir))
	}
	slices.Sort(c.Digests)
	slices.Sort(c.InUse)
	return c, stored("collect", "", errors.Join(errs...))
}

// collect renames what is to go, and returns where it is to be removed.
func (s *DirStore) collect(ctx context.Context, keep Keep, c *Collected) (trash []string, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	left := s.sweep() // which is to be told, and in nobody's way
	defer func() { err = errors.Join(err, left) }()
	going, err := s.dispensable(ctx, keep)
	if err != nil {
		return nil, err
	}
	for _, h := range going {
		if err = ctx.Err(); err != nil {
			break
		}
		var temp string
		if temp, err = s.remove(h); err != nil {
			break
		}
		if temp == "" {
			c.InUse = append(c.InUse, h.digest)
			continue
		}
		trash = append(trash, temp)
		c.Digests, c.Bytes = append(c.Digests, h.digest), c.Bytes+h.size
	}
	if len(trash) > 0 {
		err = errors.Join(err, syncDir(s.root, storeDir))
	}
	return trash, err
}

// remove discards an artifact unless it is in use. Without a blob, as a damaged
// one may be, or with none that is a file, it is not.
func (s *DirStore) remove(h holding) (trash string, err error) {
	if flock.Works {
		release, err := s.claim(h.dir + "/" + blobName)
		switch {
		case err == nil && release == nil:
			return "", nil
		case err == nil:
			defer release() // and not before the artifact has lost its name
		case !errors.Is(err, fs.ErrNotExist) && !s.misplaced(h.dir+"/"+blobName):
			return "", err
		}
	}
	return s.discard(h.dir)
}

// A holding is an artifact, sound or not, as GC sees it.
type holding struct {
	dir     string
	digest  digest.Digest
	put     time.Time
	size    int64
	damaged bool
}

// dispensable returns what keep does not keep.
func (s *DirStore) dispensable(ctx context.Context, keep Keep) ([]holding, error) {
	tagged, err := s.tagged(ctx, max(keep.History, 1))
	if err != nil {
		return nil, err
	}
	all, err := s.holdings(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b holding) int {
		return cmp.Or(b.put.Compare(a.put), strings.Compare(string(a.digest), string(b.digest)))
	})
	younger := cmp.Or(keep.Younger, DefaultKeepYounger)
	since, newest := time.Now().Add(-max(younger, 0)), keep.Newest
	var going []holding
	for _, h := range all {
		if !h.damaged {
			newest--
		}
		_, named := tagged[h.digest]
		switch {
		case named, !h.damaged && newest >= 0, younger > 0 && h.put.After(since):
		default:
			going = append(going, h)
		}
	}
	return going, nil
}

func (s *DirStore) holdings(ctx context.Context) ([]holding, error) {
	var all []holding
	for d, err := range s.List(ctx) {
		if err != nil && !errors.Is(err, ErrDigest) {
			return nil, err // what cannot be read now may be sound, and must not go for damage
		}
		h := holding{digest: d.Digest, damaged: err != nil}
		h.dir, _ = artifactDir(d.Digest)
		h.put = s.lastWritten(h.dir)
		if info, err := s.root.Lstat(h.dir + "/" + blobName); err == nil {
			h.size = info.Size()
		}
		all = append(all, h)
	}
	return all, nil
}
