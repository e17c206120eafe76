//go:build !linux

package main

import "net"

// reserve chooses a port of loopback that is free now. Where somebody else takes it before MinIO does, MinIO does not
// start, or does not answer to its keys, and this process says so.
func reserve() (address string, release func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	return listener.Addr().String(), func() {}, listener.Close()
}
