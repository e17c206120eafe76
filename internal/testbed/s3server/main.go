// Command s3server is an S3 server over a folder, for tests.
//
// It prints one line of JSON, its [Ready], on standard output once it can be used. It ends, and removes its files, when its
// standard input ends: so it cannot outlive the process that started it, however that one ends.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// Ready is what a client needs to reach the server, beside the keys that it gave.
type Ready struct {
	Address string `json:"address"` // 127.0.0.1:port, plain HTTP
}

func main() {
	dir := flag.String("dir", "", "an empty folder for all files; removed at the end")
	access := flag.String("access-key", "", "access key of the root account")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	announce := os.Stdout
	os.Stdout = os.Stderr // the gateway prints what it does
	failed := make(chan error, 1)
	// The secret comes by the environment: arguments can be read by every user of the machine.
	go func() { failed <- run(ctx, announce, *dir, *access, os.Getenv("SECRET_KEY")) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	_ = os.RemoveAll(*dir)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "s3server:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, announce io.Writer, dir, access, secret string) error {
	data, iam, sidecar, versions := filepath.Join(dir, "data"), filepath.Join(dir, "iam"), filepath.Join(dir, "meta"), filepath.Join(dir, "versions")
	for _, d := range []string{data, iam, sidecar, versions} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	// Metadata in files of their own: not every temporary folder has extended attributes.
	metadata, err := meta.NewSideCar(sidecar)
	if err != nil {
		return err
	}
	backend, err := posix.New(data, metadata, posix.PosixOpts{SideCarDir: sidecar, VersioningDir: versions})
	if err != nil {
		return err
	}
	// The gateway wants a port by number. It gets a socket in our folder, and a listener of ours, which chose a free
	// port without a race, hands connections on to it. A socket's whole path may have about a hundred bytes, which a
	// temporary folder can have by itself, so it is told from within the folder.
	if err := os.Chdir(dir); err != nil {
		return err
	}
	const socket = "./s3.sock"
	ended := make(chan error, 1)
	go func() {
		ended <- embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
			RootUserAccess: access, RootUserSecret: secret, Ports: []string{socket}, IAMDir: iam,
			IAMCacheDisable: true, // its zero interval keeps a processor busy, and there is one account
			Quiet:           true, KeepAlive: true, MaxConnections: 4096, MaxRequests: 4096, MultipartMaxParts: 10000,
		})
	}()
	if err := awaitSocket(socket, ended); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(announce).Encode(Ready{Address: listener.Addr().String()}); err != nil {
		return err
	}
	go forward(listener, socket)
	return <-ended
}

// awaitSocket returns once a request over the socket has an answer, whatever it says.
func awaitSocket(socket string, ended <-chan error) error {
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	for range 3000 {
		if answer, err := client.Get("http://s3/"); err == nil {
			return answer.Body.Close()
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("no answer in 30 s")
}

func forward(listener net.Listener, socket string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("unix", socket)
			if err != nil {
				return
			}
			defer server.Close()
			go func() {
				_, _ = io.Copy(server, client)
				_ = server.(*net.UnixConn).CloseWrite()
			}()
			_, _ = io.Copy(client, server)
		}()
	}
}
