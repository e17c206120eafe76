package signature

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// An allowedSigner is a line of allowed_signers, or a plain public key.
type allowedSigner struct {
	line          int       // counted from 1
	principals    string    // patterns with commas between them; for a plain key its comment
	plain         bool      // a public key without principals
	key           []byte    // as SSH sends it
	elsewhere     bool      // its namespaces are without Git's
	after, before time.Time // zero where the line does not say
}

func (s *allowedSigner) validAt(date time.Time) bool {
	return (s.after.IsZero() || !date.Before(s.after)) && (s.before.IsZero() || !date.After(s.before))
}

func (s *allowedSigner) validity() string {
	var out []string
	if !s.after.IsZero() {
		out = append(out, "valid-after "+s.after.UTC().Format(time.RFC3339))
	}
	if !s.before.IsZero() {
		out = append(out, "valid-before "+s.before.UTC().Format(time.RFC3339))
	}
	return strings.Join(out, " and ")
}

// readAllowedSigners reads lines; an error says in which one it is.
func readAllowedSigners(text []byte) ([]allowedSigner, error) {
	var all []allowedSigner
	number := 0
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		number++
		line := strings.Trim(string(line), " \t\r")
		if line == "" || line[0] == '#' {
			continue
		}
		if strings.HasPrefix(line, "-----BEGIN ") {
			return nil, fmt.Errorf("line %d: it is not a public key of SSH: give what is in files like id_ed25519.pub", number)
		}
		s, err := readAllowedSigner(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		s.line = number
		all = append(all, s)
	}
	return all, nil
}

// readAllowedSigner reads "principals [options] type key [comment]", or "type key [comment]".
func readAllowedSigner(line string) (allowedSigner, error) {
	var s allowedSigner
	if isKeyType(firstField(line)) {
		comment, err := s.readKey(line)
		s.principals, s.plain = comment, true
		return s, err
	}
	principals, rest, err := cutPrincipals(line)
	if err != nil {
		return s, err
	}
	if s.principals = principals; isOption(principals) {
		return s, errors.New("it starts with an option: allowed_signers have principals before options, " +
			"and options of authorized_keys are not supported")
	}
	if !isKeyType(firstField(rest)) {
		var options string
		if options, rest, err = cutOptions(rest); err != nil {
			return s, err
		}
		if err := s.readOptions(options); err != nil {
			return s, err
		}
	}
	_, err = s.readKey(rest)
	return s, err
}

func firstField(line string) string {
	if at := strings.IndexAny(line, " \t"); at >= 0 {
		return line[:at]
	}
	return line
}

// cutPrincipals cuts the first field off, which may be in quotes.
func cutPrincipals(line string) (principals, rest string, err error) {
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		principals, rest, ok = strings.Cut(quoted, `"`)
		if !ok {
			return "", "", errors.New("a quote is not closed")
		}
	} else {
		principals = firstField(line)
		rest = line[len(principals):]
	}
	rest = strings.TrimLeft(rest, " \t")
	if principals == "" || rest == "" {
		return "", "", errNoKey
	}
	return principals, rest, nil
}

var errNoKey = errors.New(`there is no key in it: a line is "principal ssh-ed25519 AAAA…", or a public key`)

// isOption tells options of authorized_keys and allowed_signers, which would be taken for principals, and without effect.
func isOption(field string) bool {
	name, _, _ := strings.Cut(field, ",")
	name, _, hasValue := strings.Cut(strings.ToLower(name), "=")
	switch name {
	case "cert-authority", "restrict", "pty", "user-rc", "verify-required",
		"agent-forwarding", "port-forwarding", "x11-forwarding":
		return true
	}
	return strings.HasPrefix(name, "no-") || hasValue
}

// cutOptions cuts the options off: up to the first space that is not in quotes.
func cutOptions(line string) (options, rest string, err error) {
	quoted := false
	for i := range len(line) {
		switch c := line[i]; {
		case c == '"' && (i == 0 || line[i-1] != '\\'):
			quoted = !quoted
		case (c == ' ' || c == '\t') && !quoted:
			return line[:i], strings.TrimLeft(line[i:], " \t"), nil
		}
	}
	if quoted {
		return "", "", errors.New("a quote is not closed")
	}
	return "", "", errNoKey
}

// readKey reads "type key [comment]".
func (s *allowedSigner) readKey(text string) (comment string, err error) {
	kind, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	encoded, comment, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if !keyTypes[kind] {
		if strings.Contains(kind, "-cert-v01@") {
			return "", errors.New("it is a certificate, and these are not supported: give the key itself")
		}
		return "", errors.New("it has a key of no type that is supported: use ed25519, ecdsa, rsa, or their sk- kinds")
	}
	wire, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", errors.New("its key is not base64: copy it anew")
	}
	key, err := ssh.ParsePublicKey(wire)
	if err != nil || key.Type() != kind {
		return "", fmt.Errorf("its key is malformed or not of the type %q: copy it anew", kind)
	}
	s.key = key.Marshal()
	return strings.TrimSpace(comment), usable(key)
}

var keyTypes = map[string]bool{
	ssh.KeyAlgoRSA: true, ssh.KeyAlgoED25519: true, ssh.KeyAlgoECDSA256: true, ssh.KeyAlgoECDSA384: true,
	ssh.KeyAlgoECDSA521: true, ssh.KeyAlgoSKED25519: true, ssh.KeyAlgoSKECDSA256: true,
}

// isKeyType knows also types that readKey refuses.
func isKeyType(field string) bool {
	return keyTypes[field] || field == "ssh-dss" || strings.HasSuffix(field, "-cert-v01@openssh.com")
}

// usable refuses types and sizes of keys that nothing is to be signed with.
func usable(key ssh.PublicKey) error {
	if !keyTypes[key.Type()] {
		return errors.New("its SSH key is of a type that is not supported: use ed25519, ecdsa, rsa, or their sk- kinds")
	}
	crypto, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return nil
	}
	if k, ok := crypto.CryptoPublicKey().(*rsa.PublicKey); ok && k.N.BitLen() < minRSABits {
		return fmt.Errorf("its RSA key has %d bits, and %d is the least: use an ed25519 key", k.N.BitLen(), minRSABits)
	}
	return nil
}
