//go:build !unix

package artifact

// openAtOnce is for pipes, which are no files elsewhere.
const openAtOnce = 0
