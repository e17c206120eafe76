// Package flock has the locks over processes by which caches and stores share a folder.
package flock
