//go:build !unix

package flock

import "os"

// Works says that there are such locks.
const Works = false

// Try has no lock over processes to offer, and says that it is free.
func Try(*os.File) (bool, error) { return true, nil }

// TryShared has none to offer either.
func TryShared(*os.File) (bool, error) { return true, nil }
