//go:build race

package testbed

// Race tells that the race detector is on. What compares a great many cases with somebody else's program takes a part of
// them then: it looks for wrong results, of which the detector finds no more, and takes several times as long.
const Race = true
