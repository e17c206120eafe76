package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// peak returns the greatest resident memory in MiB: of the children of this process, or of itself. Its own is not taken
// from getrusage, whose ru_maxrss starts with that of the process that forked this one. That of the children does, too,
// so it is at least what this process had when it started them.
func peak(ofChildren bool) (float64, error) {
	if ofChildren {
		var usage syscall.Rusage
		err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage)
		return float64(usage.Maxrss) / 1024, err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			return kib / 1024, nil
		}
	}
	return 0, nil
}
