//go:build !unix

package testbed

import "errors"

func lock(string) (func(), error) {
	return nil, errors.New("the test bed needs a Unix system: its servers share a cache by flock")
}

func freeBytes(string) uint64 { return 0 }

func tryLock(string) (func(), bool) { return nil, false }
