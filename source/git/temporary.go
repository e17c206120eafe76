package git

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/pack"
	"github.com/gitopskit/gitopskit/source/git/internal/transport"
)

// isTemporary reports whether an error that does not say so itself is of a connection that could not be made, stalls or
// breaks. What a server answers, and who it is, stays the same until somebody changes it.
func isTemporary(err error) bool {
	for _, lasting := range []error{source.ErrNotFound, source.ErrUnauthorized, source.ErrUnverified, source.ErrTooLarge} {
		if errors.Is(err, lasting) {
			return false
		}
	}
	if errors.As(err, new(*source.TemporaryError)) || errors.As(err, new(*tls.CertificateVerificationError)) ||
		errors.As(err, new(*pack.FormatError)) {
		return false
	}
	if lookup := new(net.DNSError); errors.As(err, &lookup) {
		return !lookup.IsNotFound
	}
	if op := new(net.OpError); errors.As(err, &op) && op.Net != "unix" { // where an agent would be
		// TLS has its alerts in this type, too.
		return slices.Contains([]string{"dial", "read", "write", "proxyconnect", "socks connect"}, op.Op)
	}
	for _, broken := range []error{transport.ErrStalled, errCut, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNREFUSED,
		syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return false
}
