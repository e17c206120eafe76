//go:build !unix

package artifact

// What the system calls a full and a read-only disk is not known here.
func isFull(error) bool     { return false }
func isReadOnly(error) bool { return false }
