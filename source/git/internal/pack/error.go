package pack

import (
	"errors"
	"fmt"
)

// ErrIncomplete means that a pack has deltas against objects that neither it nor what is there already has.
var ErrIncomplete = errors.New("the pack has deltas against objects that are in neither it nor what was fetched before")

// A FormatError says where a pack is not what Git writes. It quotes nothing of the pack.
type FormatError struct {
	Offset  int64  // in bytes from the start of the pack, near which this was found
	Problem string // in words
	Err     error  // io.ErrUnexpectedEOF where the pack ends too early, or nil
}

// Error tells the place and the problem.
func (e *FormatError) Error() string {
	text := fmt.Sprintf("malformed pack: at byte %d: %s", e.Offset, e.Problem)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns Err.
func (e *FormatError) Unwrap() error { return e.Err }
