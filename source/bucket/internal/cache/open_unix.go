//go:build unix

package cache

import "syscall"

// noWaiting has a pipe that somebody put in the place of a file open at once.
const noWaiting = syscall.O_NONBLOCK
