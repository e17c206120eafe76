//go:build unix

package flock

import (
	"os"
	"syscall"
)

// Works says that there are such locks.
const Works = true

// Try reports whether this open file has the lock now, alone. The lock ends with the open file or with the process.
func Try(f *os.File) (bool, error) { return try(f, syscall.LOCK_EX) }

// TryShared is Try for a lock that many open files may have at once, while none has it alone.
func TryShared(f *os.File) (bool, error) { return try(f, syscall.LOCK_SH) }

func try(f *os.File, how int) (bool, error) {
	for {
		switch err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err {
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return false, nil
		default:
			return err == nil, err
		}
	}
}
