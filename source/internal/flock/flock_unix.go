//go:build unix

package flock

import (
	"os"
	"syscall"
)

// Works says that there are such locks.
const Works = true

// Try reports whether this open file has the lock now, which ends with it or with the process.
func Try(f *os.File) (bool, error) {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return false, nil
		default:
			return err == nil, err
		}
	}
}
