package signature

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
)

const (
	pgpSignature = "PGP SIGNATURE"
	sshSignature = "SSH SIGNATURE"
	pgpPublicKey = "PGP PUBLIC KEY BLOCK"
)

var errArmor = errors.New("the lines between BEGIN and END are malformed")

// dearmor decodes text that is a single armored block and nothing else but white space after it. The armor of OpenPGP has
// headers, an empty line and perhaps a checksum; that of SSH has only what is encoded.
func dearmor(text []byte, label string) ([]byte, error) {
	block, rest, err := cutArmor(text, label)
	if err == nil && len(bytes.TrimSpace(rest)) > 0 {
		err = errors.New("there is text after it, which nobody signed")
	}
	if err != nil {
		return nil, err
	}
	if label == sshSignature {
		return decode(block, " \t\r\n\v\f")
	}
	return decodeOpenPGP(block)
}

// cutArmor returns what is between the first line of text and the line that ends the block, and what follows.
func cutArmor(text []byte, label string) (block, rest []byte, err error) {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if label != sshSignature { // gpg overlooks white space there, and ssh-keygen does not
		first = bytes.TrimRight(first, " \t\r")
	}
	if string(first) != "-----BEGIN "+label+"-----" {
		return nil, nil, errors.New("its first line is malformed")
	}
	end := []byte("-----END " + label + "-----")
	if bytes.HasPrefix(rest, end) {
		return nil, rest[len(end):], nil
	}
	block, rest, found := bytes.Cut(rest, append([]byte{'\n'}, end...))
	if !found {
		return nil, nil, errors.New("its last line is missing")
	}
	return block, rest, nil
}

// decodeOpenPGP reads headers, which mean nothing here, an empty line, what is encoded, and its checksum.
func decodeOpenPGP(block []byte) ([]byte, error) {
	for {
		line, rest, found := bytes.Cut(block, []byte("\n"))
		if !found {
			return nil, errArmor
		}
		block = rest
		if len(bytes.TrimRight(line, " \t\r")) == 0 {
			break
		}
		if !bytes.Contains(line, []byte(": ")) {
			return nil, errArmor
		}
	}
	// A checksum has a line of its own, "=" and four letters, and padding cannot be at the start of a line with letters.
	block = bytes.TrimRight(block, " \t\r\n")
	at := bytes.LastIndexByte(block, '\n') + 1
	if len(block)-at != 5 || block[at] != '=' {
		return decode(block, pgpSpace)
	}
	sum, err := decode(block[at+1:], pgpSpace)
	if err != nil {
		return nil, err
	}
	data, err := decode(block[:at], pgpSpace)
	if err != nil {
		return nil, err
	}
	if got := crc24(data); string(sum) != string([]byte{byte(got >> 16), byte(got >> 8), byte(got)}) {
		return nil, errors.New("its checksum does not match")
	}
	return data, nil
}

// pgpSpace is what gpg skips between the letters. ssh-keygen skips all that is white space in C.
const pgpSpace = " \t\r\n"

// decode reads base64 with padding, and with any of space anywhere.
func decode(text []byte, space string) ([]byte, error) {
	compact := make([]byte, 0, len(text))
	for _, c := range text {
		if strings.IndexByte(space, c) < 0 {
			compact = append(compact, c)
		}
	}
	data, err := base64.StdEncoding.Strict().AppendDecode(nil, compact) // which skips line ends only
	if err != nil || len(data) == 0 {
		return nil, errArmor // the decoder's own error quotes nothing, and says no more
	}
	return data, nil
}

// crc24 is the checksum of OpenPGP's armor, RFC 4880, section 6.1.
func crc24(data []byte) uint32 {
	crc := uint32(0xb704ce)
	for _, b := range data {
		crc ^= uint32(b) << 16
		for range 8 {
			crc <<= 1
			if crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
	}
	return crc & 0xffffff
}
