//go:build !unix

package cache

const noWaiting = 0
