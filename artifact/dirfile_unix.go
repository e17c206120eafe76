//go:build unix

package artifact

import "syscall"

// openAtOnce has a pipe open although nobody writes into it.
const openAtOnce = syscall.O_NONBLOCK
