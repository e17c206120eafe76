package testbed

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os/exec"
	"sync"
)

// serveDaemon has a git daemon of its own serve each connection, as inetd does: so none outlives this process.
func (s *GitServer) serveDaemon() (func() error, error) {
	if !s.opts.open() {
		return func() error { return nil }, nil // it knows nothing of users
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.Daemon = "git://" + listener.Addr().String()
	var connections sync.WaitGroup
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() {
				defer conn.Close()
				_ = s.runDaemon(conn) // the client is told by the end of the connection
			})
		}
	}()
	return listener.Close, nil
}

func (s *GitServer) runDaemon(conn net.Conn) error {
	line, err := readLine(conn)
	if err != nil {
		return err
	}
	if s.opts.NoProtocol2 {
		line, _, _ = bytes.Cut(line, []byte("\x00\x00")) // versions stand behind an empty field
	}
	request := append(fmt.Appendf(nil, "%04x", len(line)+4), line...)
	cmd := exec.Command("git", "daemon", "--inetd", "--export-all", "--informative-errors", "--base-path="+s.dir, s.dir)
	cmd.Env = s.environment()
	return pipe(cmd, io.MultiReader(bytes.NewReader(request), conn), conn, io.Discard)
}

// readLine reads one pkt-line.
func readLine(r io.Reader) ([]byte, error) {
	var digits [4]byte
	if _, err := io.ReadFull(r, digits[:]); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := hex.Decode(length[:], digits[:]); err != nil {
		return nil, err
	}
	line := make([]byte, max(0, int(length[0])<<8+int(length[1])-len(digits)))
	_, err := io.ReadFull(r, line)
	return line, err
}
