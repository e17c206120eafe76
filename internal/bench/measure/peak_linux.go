package measure

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// RestartPeak has the kernel forget the peak so far, and returns what is resident now, in MiB.
func RestartPeak() (float64, error) {
	// 5 resets the peak; see clear_refs in proc(5). Where a container forbids it, the peak has the preparation in it, too.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return status("VmRSS")
}

// Peak returns the greatest resident memory in MiB: of the children of this process, or of itself. Its own is not taken
// from getrusage, whose ru_maxrss starts with that of the process that forked this one. That of the children does, too,
// so it is at least what this process had when it started them.
func Peak(ofChildren bool) (float64, error) {
	if ofChildren {
		var usage syscall.Rusage
		err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage)
		return float64(usage.Maxrss) / 1024, err
	}
	return status("VmHWM")
}

// PeakOf returns the greatest resident memory in MiB of a process that has ended, or of one that it has waited for,
// whichever is more: processes at one time are not added up. It is at least what this process had when it started it.
func PeakOf(state *os.ProcessState) float64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return float64(usage.Maxrss) / 1024
}

// status returns one of the kernel's figures of this process's memory.
func status(name string) (float64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		if _, err := fmt.Sscanf(line, name+": %f kB", &kib); err == nil {
			return kib / 1024, nil
		}
	}
	return 0, nil
}
