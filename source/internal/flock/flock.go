// Package flock has the locks over processes by which caches share a folder.
package flock
