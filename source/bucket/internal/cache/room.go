package cache

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/internal/flock"
)

const (
	lockName  = "lock"
	temporary = "temp-"

	longestWait = 20 * time.Millisecond // between two looks at another process's lock
	afterStuck  = time.Minute           // until the lock of a process that does not give it back is asked for again
)

// onDisk is what a file counts.
func onDisk(bytes int64) int64 {
	const block = 4096
	return (bytes + block - 1) / block * block
}

// reserve makes a file, which has all its bytes from the beginning and so counts from the beginning. What was used longest
// ago makes room for it.
func (f *folder) reserve(ctx context.Context, root *os.Root, key Key, bytes int64) (*os.File, string, error) {
	need := onDisk(bytes)
	if need > f.maxBytes {
		return nil, "", fmt.Errorf("%d bytes are more than the %d of CacheOptions.MaxBytes", need, f.maxBytes)
	}
	lock, err := f.enter(ctx, root)
	if err != nil {
		return nil, "", err
	}
	defer f.leave(lock)
	total, known := readTotal(lock)
	// The sum is somebody else's word, so it is made anew now and then.
	if !known || !f.surveyed || f.added > f.maxBytes/8 || total+need > f.maxBytes {
		if total, err = f.makeRoom(root, need); err != nil {
			return nil, "", err
		}
		f.surveyed, f.added = true, 0
	}
	// First the sum and then the file: what a crash leaves is counted too much and not too little.
	if err := writeTotal(lock, total+need); err != nil {
		return nil, "", err
	}
	f.added += need
	return create(root, key, bytes)
}

// enter waits until nobody else has the lock, in this process or, for a while, in another one.
func (f *folder) enter(ctx context.Context, root *os.Root) (lock *os.File, err error) {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() {
		if err != nil {
			<-f.turn
		}
	}()
	now := time.Now()
	if now.Before(f.stuckUntil) {
		return nil, errStuck
	}
	lock, err = openRegular(root, lockName, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		lock, err = root.OpenFile(lockName, os.O_RDWR|os.O_CREATE|noWaiting, 0o600)
	}
	if err != nil {
		return nil, err
	}
	if err = f.wait(ctx, lock, now.Add(f.patience)); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return lock, nil
}

var errStuck = errors.New("another process has had the folder's lock for too long")

func (f *folder) wait(ctx context.Context, lock *os.File, until time.Time) error {
	for wait := 50 * time.Microsecond; ; wait = min(2*wait, longestWait) {
		if locked, err := flock.Try(lock); locked || err != nil {
			return err
		}
		if time.Now().After(until) {
			f.stuckUntil = until.Add(afterStuck)
			return errStuck
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *folder) leave(lock *os.File) {
	_ = lock.Close()
	<-f.turn
}

// readTotal returns how many bytes there are according to the lock's file, which has them twice.
func readTotal(lock *os.File) (total int64, known bool) {
	var b [16]byte
	if _, err := lock.ReadAt(b[:], 0); err != nil {
		return 0, false
	}
	total = int64(binary.BigEndian.Uint64(b[:]))
	return total, total == ^int64(binary.BigEndian.Uint64(b[8:])) && total >= 0 && total < 1<<60
}

func writeTotal(lock *os.File, total int64) error {
	b := binary.BigEndian.AppendUint64(nil, uint64(total))
	_, err := lock.WriteAt(binary.BigEndian.AppendUint64(b, ^uint64(total)), 0)
	return err
}

func unique() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:])
}

// create returns a new file and its name. A small one has the key's name at once where that is free, for on many disks a
// rename takes longer than all else. Whoever reads it too early takes it for damaged and removes it, which costs no more than
// what it saved. Any other is temporary, and locked as long as it is open.
func create(root *os.Root, key Key, bytes int64) (file *os.File, name string, err error) {
	const flag = os.O_RDWR | os.O_CREATE | os.O_EXCL
	name, err = key.name(), fs.ErrExist
	if bytes <= headerBytes+smallBytes {
		file, err = root.OpenFile(name, flag, 0o600)
	}
	if errors.Is(err, fs.ErrExist) {
		name = temporary + unique()
		if file, err = root.OpenFile(name, flag, 0o600); err == nil {
			_, err = flock.Try(file)
		}
	}
	if file == nil {
		return nil, "", err
	}
	if err == nil {
		err = file.Truncate(bytes)
	}
	if err != nil {
		_ = file.Close()
		_ = root.Remove(name)
		return nil, "", err
	}
	return file, name, nil
}

// A kept is a file with content.
type kept struct {
	name  string
	bytes int64
	used  time.Time
}

// makeRoom returns how many bytes there are when it has removed what is left of processes that ended, and, where need bytes
// more would be too many, what was used longest ago. It makes more room than is needed, so that it is not called each time.
func (f *folder) makeRoom(root *os.Root, need int64) (total int64, err error) {
	found, total, err := survey(root)
	if err != nil || total+need <= f.maxBytes {
		return total, err
	}
	slices.SortFunc(found, func(a, b kept) int { return a.used.Compare(b.used) })
	for _, k := range found {
		if total+need <= f.maxBytes-f.maxBytes/16 {
			break
		}
		if err := root.Remove(k.name); err == nil || errors.Is(err, fs.ErrNotExist) {
			total -= k.bytes
		}
	}
	if total+need > f.maxBytes {
		return 0, fmt.Errorf("there is no room for %d bytes: %d of the %d of CacheOptions.MaxBytes are being written or cannot be removed",
			need, total, f.maxBytes)
	}
	return total, nil
}

// survey returns the content that there is, and how many bytes that and the files have that are being written. The caller
// has the lock.
func survey(root *os.Root) (found []kept, total int64, err error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, 0, err
	}
	ended := map[string]bool{} // owners
	for _, e := range entries {
		name := e.Name()
		content, writing := isContent(name), strings.HasPrefix(name, temporary)
		switch {
		case !e.Type().IsRegular():
			continue
		case writing && abandoned(root, name), strings.HasPrefix(name, ownerKind) && abandoned(root, name):
			continue
		case strings.HasPrefix(name, pinKind):
			removeStalePin(root, name, ended)
		case !content && !writing:
			continue
		}
		info, err := root.Lstat(name)
		if (content || writing) && err == nil { // else it went while this looked
			total += onDisk(info.Size())
		}
		if content && err == nil {
			found = append(found, kept{name, onDisk(info.Size()), info.ModTime()})
		}
	}
	return found, total, nil
}

func isContent(name string) bool {
	return len(name) == 2*len(Key{}) && strings.Trim(name, "0123456789abcdef") == ""
}
