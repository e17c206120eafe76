package artifact

import (
	"errors"
	"fmt"
)

// The errors that callers branch on, with [errors.Is].
var (
	// ErrDigest means that bytes are not those of the wanted Descriptor: their
	// size or a digest differs.
	ErrDigest = errors.New("does not match its descriptor")
	// ErrUnsafe means an entry that an artifact may not hold: a path or a link
	// that leaves the tree, two entries for one path, a file used as a folder,
	// a hard link to what is not there, a device, a header and an extension that
	// contradict each other.
	ErrUnsafe = errors.New("unsafe entry")
	// ErrTooLarge means that a limit was crossed. The error is a *LimitError.
	ErrTooLarge = errors.New("too large")
	// ErrFormat means bytes that are not what their media type says, or a
	// Descriptor that cannot be of any artifact.
	ErrFormat = errors.New("malformed")
	// ErrChanged means that a file changed while it was packed. Packing again
	// may succeed.
	ErrChanged = errors.New("changed while it was packed")
	// ErrNotFound means that a store does not hold the artifact, or the name.
	ErrNotFound = errors.New("not found")
	// ErrTagged means that an artifact stays because a tag names it.
	ErrTagged = errors.New("is tagged")
	// ErrNoSpace means that the disk of a store, or its user's share of it, is
	// full. What is stored is not harmed. The error is the system's too.
	ErrNoSpace = errors.New("no space left in the store")
	// ErrReadOnly means that a store's disk cannot be written to. What is stored
	// can be read. The error is the system's too.
	ErrReadOnly = errors.New("the store is read-only")
)

// An Error says what was being done, and to what, when Err happened. Every
// error of this package is one, except those of the fs.FS that Open returns,
// which are *fs.PathError as everywhere.
type Error struct {
	// Op is what was being done: "pack", "unpack", "open", "read" for Contents, or
	// for a store "put", "open", "stat", "list", "delete", "tag", "resolve",
	// "history", "list tags", "untag", "collect", "open store".
	Op string
	// Path is the entry's path in the tree or, for a store, the digest, the name
	// that is tagged, or the folder for "open store". It is empty where the error
	// is about the whole.
	Path string
	Err  error
}

// Error quotes Path, which may be somebody else's choice, and cuts it short where
// no file system would have it.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Op + " artifact: " + e.Err.Error()
	}
	return fmt.Sprintf("%s %.4096q: %v", e.Op, e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A LimitError says which limit was crossed and which option raises it. It is
// an ErrTooLarge.
type LimitError struct {
	Option string // the field that raises it, such as "Limits.MaxFiles"
	Max    int64  // its value, in the unit that the field's comment names
}

// Error names the option and its value.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%v: over %d, the limit that %s sets", ErrTooLarge, e.Max, e.Option)
}

// Unwrap returns ErrTooLarge.
func (e *LimitError) Unwrap() error { return ErrTooLarge }

// in tells err's place, unless err already knows it.
func in(op, path string, err error) error {
	if err == nil {
		return nil
	}
	if placed := new(Error); errors.As(err, &placed) {
		return err
	}
	return &Error{Op: op, Path: path, Err: err}
}

// unsafef is an ErrUnsafe with its reason.
func unsafef(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrUnsafe}, args...)...)
}

// malformedf is an ErrFormat with its reason.
func malformedf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
}

// mismatchf is an ErrDigest with its reason.
func mismatchf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDigest}, args...)...)
}
