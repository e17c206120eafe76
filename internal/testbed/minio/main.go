// Command minio is a MinIO server over a folder, for tests of what the smaller s3server does not have: policies, temporary
// credentials, encryption with the client's keys.
//
// MinIO is under the GNU Affero General Public License, version 3, and so is this binary. It is built on the machine that
// runs the tests, runs there as a process of its own, and is not handed on: nothing of MinIO is imported by or linked into
// any other package of this repository, and this module is the only one that requires it.
//
// It prints one line of JSON, its [Ready], on standard output once it can be used. It ends, and removes its files, when its
// standard input ends: so it cannot outlive the process that started it, however that one ends.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	minio "github.com/minio/minio/cmd"
)

// Ready is what a client needs to reach the server, beside the keys that it gave.
type Ready struct {
	Address string `json:"address"` // 127.0.0.1:port, HTTPS with the certificate that was given
	Users   string `json:"users"`   // a URL: see users
}

func main() {
	dir := flag.String("dir", "", "an empty folder for all files; removed at the end")
	access := flag.String("access-key", "", "access key of the root account")
	issuer := flag.String("issuer", "", "URL of an OpenID issuer's configuration; its tokens' claim named policy says what they allow")
	flag.Parse()
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	announce := os.Stdout
	os.Stdout = os.Stderr // MinIO prints what it does
	failed := make(chan error, 1)
	// Secrets come by the environment: arguments can be read by every user of the machine.
	go func() { failed <- run(announce, *dir, *access, os.Getenv("SECRET_KEY"), *issuer) }()
	var err error
	select {
	case err = <-failed:
	case <-ended:
	}
	_ = os.RemoveAll(*dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "minio:", err)
		os.Exit(1)
	}
}

// run returns when a signal has come.
func run(announce io.Writer, dir, access, secret, issuer string) error {
	certificates := filepath.Join(dir, "certificates")
	if err := os.MkdirAll(filepath.Join(certificates, "CAs"), 0o700); err != nil {
		return err
	}
	for name, variable := range map[string]string{"public.crt": "CERTIFICATE", "private.key": "PRIVATE_KEY"} {
		if err := os.WriteFile(filepath.Join(certificates, name), []byte(os.Getenv(variable)), 0o600); err != nil {
			return err
		}
	}
	address, release, err := reserve()
	if err != nil {
		return err
	}
	defer release()
	if err := configure(access, secret, issuer); err != nil {
		return err
	}
	go minio.Main([]string{"minio", "server", "--quiet", "--anonymous", "--address", address,
		"--config-dir", filepath.Join(dir, "config"), "--certs-dir", certificates, filepath.Join(dir, "data")})
	u, err := newUsers(address, access, secret, os.Getenv("CERTIFICATE"))
	if err != nil {
		return err
	}
	if err := u.await(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, u) }()
	// MinIO has asked for these signals, and ends by itself when they come, and its files stay.
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ready := Ready{Address: address, Users: "http://" + listener.Addr().String()}
	if err := json.NewEncoder(announce).Encode(ready); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// configure sets MinIO's variables, and no other stays: no console, no look for updates, no work in the background, and
// nobody to be reached but the issuer.
func configure(access, secret, issuer string) error {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(strings.TrimPrefix(name, "_"), "MINIO_") || strings.HasSuffix(strings.ToLower(name), "_proxy") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	variables := map[string]string{
		"MINIO_ROOT_USER": access, "MINIO_ROOT_PASSWORD": secret,
		"MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "_MINIO_SCANNER": "off", "_MINIO_AUTO_DRIVE_HEALING": "off",
		"_MINIO_DRIVE_ACTIVE_MONITORING": "off",
	}
	if issuer != "" {
		variables["MINIO_IDENTITY_OPENID_CONFIG_URL"] = issuer
		variables["MINIO_IDENTITY_OPENID_CLIENT_ID"] = "testbed"
		variables["MINIO_IDENTITY_OPENID_CLAIM_NAME"] = "policy"
	}
	var errs []error
	for name, value := range variables {
		errs = append(errs, os.Setenv(name, value))
	}
	return errors.Join(errs...)
}

const startTime = 2 * time.Minute // far more than it takes
