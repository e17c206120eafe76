//go:build !unix

package fleet

// cpuMS is not known here.
func cpuMS() float64 { return 0 }
