package transport

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" // #nosec: it is what hashed hosts use
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// A HostKeyError says that a server of SSH did not show a key that Options.KnownHosts has for it.
type HostKeyError struct {
	Host        string   // as known_hosts names it: "example.com", "[example.com]:2222"
	Algorithm   string   // of the key that the server showed: "ssh-ed25519"
	Fingerprint string   // of that key: "SHA256:…"
	Known       []string // fingerprints of the keys that known_hosts has for the host; empty where it does not know the host
	Revoked     bool     // known_hosts says that the key is no more to be trusted
	Err         error    // what is wrong with the server's certificate, where it showed one
}

// Error says what to do, which depends on whether the host is new.
func (e *HostKeyError) Error() string {
	shown := fmt.Sprintf("the server %s shows the %s key %s", e.Host, e.Algorithm, e.Fingerprint)
	switch {
	case e.Revoked:
		return shown + ", which Options.KnownHosts has as revoked"
	case e.Err != nil:
		return fmt.Sprintf("%s in a certificate that Options.KnownHosts does not vouch for: %v", shown, e.Err)
	case len(e.Known) == 0:
		return shown + ", and Options.KnownHosts has none for it: " +
			"add its line if that is the fingerprint that the server's owner tells"
	}
	return fmt.Sprintf("%s, and Options.KnownHosts has %s: either its key was changed, or this is another server",
		shown, strings.Join(e.Known, ", "))
}

// Unwrap returns Err.
func (e *HostKeyError) Unwrap() error { return e.Err }

// keyscan is the command that prints a host's lines.
func keyscan(u *url.URL) string {
	if u.Port() == "" {
		return "ssh-keyscan " + u.Hostname()
	}
	return "ssh-keyscan -p " + u.Port() + " " + u.Hostname()
}

// knownHosts are the lines of a known_hosts file.
type knownHosts []hostLine

type hostLine struct {
	marker   string // "cert-authority", "revoked" or ""
	patterns []string
	key      ssh.PublicKey
}

// parseKnownHosts passes over lines with kinds of key that are unknown here. Its errors quote nothing, for somebody may have
// given a private key by mistake.
func parseKnownHosts(data []byte) (knownHosts, error) {
	var known knownHosts
	number := 0
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		marker, patterns, key, _, _, err := ssh.ParseKnownHosts(line)
		switch {
		case err == nil:
			known = append(known, hostLine{marker, patterns, key})
		case !strings.Contains(err.Error(), "unknown key algorithm"):
			return nil, fmt.Errorf("Options.KnownHosts: line %d is not one of a known_hosts file", number)
		}
	}
	if len(known) == 0 {
		return nil, errors.New("Options.KnownHosts has no key that can be used")
	}
	return known, nil
}

// hostName is the name that known_hosts has for an address.
func hostName(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return strings.ToLower(address)
	}
	if port == "22" {
		return strings.ToLower(host)
	}
	return "[" + strings.ToLower(host) + "]:" + port
}

// of returns the lines for an address.
func (k knownHosts) of(address string) knownHosts {
	name := hostName(address)
	return slices.DeleteFunc(slices.Clone(k), func(l hostLine) bool { return !l.matches(name) })
}

// algorithms are those that a server has to choose from to show a key that is known. Left to choose, it may show another of
// its keys, which looks like an attack. Of an unknown host any key will do: it is only for the error.
func (k knownHosts) algorithms(address string) []string {
	var algorithms []string
	supported := ssh.SupportedAlgorithms().HostKeys
	for _, line := range k.of(address) {
		for _, algorithm := range supported {
			fits := algorithm == line.key.Type() || line.key.Type() == ssh.KeyAlgoRSA && strings.HasPrefix(algorithm, "rsa-sha2-") &&
				!strings.Contains(algorithm, "-cert-")
			switch line.marker {
			case "cert-authority": // its certificates may be of keys of any kind
				fits = strings.Contains(algorithm, "-cert-")
			case "revoked":
				fits = false
			}
			if fits && !slices.Contains(algorithms, algorithm) {
				algorithms = append(algorithms, algorithm)
			}
		}
	}
	return algorithms
}

// check judges the key that a server shows.
func (k knownHosts) check(address string, remote net.Addr, key ssh.PublicKey) error {
	lines := k.of(address)
	shown := key
	certificate, certified := key.(*ssh.Certificate)
	if certified {
		shown = certificate.Key
	}
	wrong := &HostKeyError{Host: hostName(address), Algorithm: shown.Type(), Fingerprint: ssh.FingerprintSHA256(shown)}
	if lines.has("revoked", shown) || certified && lines.has("revoked", certificate.SignatureKey) {
		wrong.Revoked = true
		return wrong
	}
	if lines.has("", shown) {
		return nil
	}
	if certified {
		checker := ssh.CertChecker{IsHostAuthority: func(authority ssh.PublicKey, _ string) bool {
			return lines.has("cert-authority", authority)
		}}
		if wrong.Err = checker.CheckHostKey(address, remote, key); wrong.Err == nil {
			return nil
		}
	}
	for _, line := range lines {
		if line.marker == "" {
			wrong.Known = append(wrong.Known, ssh.FingerprintSHA256(line.key))
		}
	}
	return wrong
}

func (k knownHosts) has(marker string, key ssh.PublicKey) bool {
	return slices.ContainsFunc(k, func(l hostLine) bool {
		return l.marker == marker && bytes.Equal(l.key.Marshal(), key.Marshal())
	})
}

// matches tells whether a pattern fits and none that starts with an exclamation mark does.
func (l hostLine) matches(name string) bool {
	found := false
	for _, pattern := range l.patterns {
		pattern, not := strings.CutPrefix(pattern, "!")
		fits := false
		if strings.HasPrefix(pattern, "|") {
			fits = matchesHash(pattern, name)
		} else {
			fits = matchesWildcard(strings.ToLower(pattern), name)
		}
		if fits && not {
			return false
		}
		found = found || fits
	}
	return found
}

// matchesHash compares with "|1|salt|HMAC-SHA1 of the name".
func matchesHash(pattern, name string) bool {
	parts := strings.Split(pattern, "|")
	if len(parts) != 4 || parts[1] != "1" {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	sum, err := base64.StdEncoding.DecodeString(parts[3])
	if err != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), sum)
}

// matchesWildcard knows * and ?, as OpenSSH does; brackets stand for themselves.
func matchesWildcard(pattern, name string) bool {
	star, retry := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0: // have the last star take one more
			retry++
			p, n = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
