package signature

import (
	"bytes"
	"errors"
	"strconv"
	"time"
)

// The most that is looked at. The largest commits that people make are a few kilobytes, and signatures by the largest
// keys of today, those against quantum computers, about 70 kB.
const (
	maxObject    = 4 << 20
	maxSignature = 256 << 10
)

var (
	errUnsigned    = errors.New("it has no signature")
	errTwoHeaders  = errors.New("it has two gpgsig headers")
	errObjectSize  = errors.New("it is larger than 4 MiB, the most of which a signature is verified")
	errSigSize     = errors.New("its signature is larger than 256 KiB")
	errNulInHeader = errors.New("there is a NUL byte among its headers")
	errInHeaders   = errors.New("its signature is among the headers, and belongs at the end")
)

// A signedObject is a commit or a tag taken apart.
type signedObject struct {
	payload   []byte    // what is signed
	signature []byte    // armored, from its first line on
	date      time.Time // when the committer or tagger says that it was; zero where the line does not say
}

// splitCommit takes the gpgsig header out of a commit, and with it those of other hash functions, as git does.
func splitCommit(body []byte) (signedObject, error) {
	var o signedObject
	if len(body) > maxObject {
		return o, errObjectSize
	}
	switch headers := o.split(body); {
	case headers == 0:
		return o, errUnsigned
	case headers > 1:
		return o, errTwoHeaders
	}
	return o, o.check("committer")
}

// split goes through the lines of a commit, and returns how many gpgsig headers there are.
func (o *signedObject) split(body []byte) (headers int) {
	o.payload = make([]byte, 0, len(body))
	const none, ours, others = 0, 1, 2
	in := none // which header the line before belongs to
	for rest := body; len(rest) > 0; {
		line := firstLine(rest)
		value, starts := bytes.CutPrefix(line, []byte("gpgsig "))
		switch {
		case line[0] == '\n': // the message follows, to the end
			line, in = rest, none
		case starts:
			in = ours
			headers++
		case bytes.HasPrefix(line, []byte("gpgsig")):
			in = others
		case line[0] != ' ':
			in = none
		default:
			value = line[1:]
		}
		rest = rest[len(line):]
		switch in {
		case ours:
			o.signature = append(o.signature, value...)
		case none:
			o.payload = append(o.payload, line...)
		}
	}
	return headers
}

// Each of these begins the signature of a tag where a line starts with it. The last two kinds are not supported, and so
// that they count as signatures all the same, they are here.
var markers = [][]byte{
	[]byte("-----BEGIN PGP SIGNATURE-----"),
	[]byte("-----BEGIN SSH SIGNATURE-----"),
	[]byte("-----BEGIN PGP MESSAGE-----"),
	[]byte("-----BEGIN SIGNED MESSAGE-----"),
}

// splitTag cuts a tag at the last line that begins a signature, as git does.
func splitTag(body []byte) (signedObject, error) {
	var o signedObject
	if len(body) > maxObject {
		return o, errObjectSize
	}
	at := -1
	for _, marker := range markers {
		for end := len(body); ; {
			found := bytes.LastIndex(body[:end], marker)
			if found <= at {
				break
			}
			if found == 0 || body[found-1] == '\n' {
				at = found
				break
			}
			end = found + len(marker) - 1
		}
	}
	if at < 0 {
		return o, errUnsigned
	}
	o.signature = body[at:]
	if !bytes.Contains(body[:at], []byte("\n\n")) {
		return o, errInHeaders
	}
	var err error
	if o.payload, err = withoutSignatureHeader(body[:at]); err != nil {
		return o, err
	}
	return o, o.check("tagger")
}

// withoutSignatureHeader removes the header that signs a tag under another hash function.
func withoutSignatureHeader(tag []byte) ([]byte, error) {
	payload := make([]byte, 0, len(tag))
	inside, headers := false, 0
	for rest := tag; len(rest) > 0; {
		line := firstLine(rest)
		switch {
		case line[0] == '\n':
			return append(payload, rest...), nil
		case bytes.HasPrefix(line, []byte("gpgsig ")) || bytes.HasPrefix(line, []byte("gpgsig-sha256 ")):
			inside = true
			if headers++; headers > 1 {
				return nil, errTwoHeaders
			}
		case line[0] != ' ':
			inside = false
		}
		if !inside {
			payload = append(payload, line...)
		}
		rest = rest[len(line):]
	}
	return payload, nil
}

// firstLine returns the first line with its end. There is at least one byte.
func firstLine(text []byte) []byte {
	if at := bytes.IndexByte(text, '\n'); at >= 0 {
		return text[:at+1]
	}
	return text
}

// check looks at what is true of every object that git verifies, and finds the date of who made it.
func (o *signedObject) check(role string) error {
	if len(o.signature) > maxSignature {
		return errSigSize
	}
	headers, _, _ := bytes.Cut(o.payload, []byte("\n\n"))
	if bytes.IndexByte(headers, 0) >= 0 {
		return errNulInHeader
	}
	for line := range bytes.SplitSeq(headers, []byte("\n")) {
		if person, ok := bytes.CutPrefix(line, []byte(role+" ")); ok {
			var err error
			o.date, err = dateOf(person)
			return err
		}
	}
	return errors.New("it has no " + role)
}

// dateOf reads "name <address> 1700000000 +0100", of which the time zone does not matter. There may be no date.
func dateOf(person []byte) (time.Time, error) {
	open, last := bytes.IndexByte(person, '<'), bytes.LastIndexByte(person, '>')
	if open < 0 || last < open {
		return time.Time{}, errors.New("its line about the committer or tagger is malformed")
	}
	fields := bytes.Fields(person[last+1:])
	if len(fields) < 2 || fields[1][0] != '+' && fields[1][0] != '-' {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseUint(string(fields[0]), 10, 62)
	if err != nil || seconds == 0 {
		return time.Time{}, nil
	}
	if seconds < 253402300800 { // the year 10000
		return time.Unix(int64(seconds), 0), nil
	}
	return time.Time{}, errors.New("its date is not within the years that there are")
}
