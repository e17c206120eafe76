package wire

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// answered reads an answer to its end and returns the pack and the shallow commits.
func answered(r io.Reader, version int, deepened bool) (string, error) {
	a, err := ReadAnswer(r, version, deepened)
	if err != nil {
		return "", err
	}
	pack, err := io.ReadAll(a)
	text := string(pack)
	for _, h := range a.Shallow {
		text += " " + h.String()[:2]
	}
	return text, err
}

const inBand = "0009\x01PACK" + "0006\x02." + "0005\x02" + "0005\x01" + "0004" + "0008\x01abc" + "0000"

var answers = map[string]struct {
	version  int
	deepened bool
	raw      string
	want     string
}{
	"version 0": {0, false, "0008NAK\n" + inBand, "PACKabc"},
	"acknowledged": {0, false, packet("ACK "+one+" common\n") + packet("ACK "+one+" ready\n") + "0008NAK\n" +
		packet("ACK "+one+"\n") + inBand, "PACKabc"},
	"no line feed":   {0, false, "0007NAK" + inBand, "PACKabc"},
	"nothing to say": {0, false, inBand, "PACKabc"},
	"progress first": {0, false, "0008NAK\n" + "0009\x02wait" + inBand, "PACKabc"},
	"shallow": {0, true, packet("shallow "+one) + packet("unshallow "+two) + packet("shallow "+three) +
		"0000" + "0008NAK\n" + inBand, "PACKabc 11 33"},
	"not shallow": {0, true, "0000" + "0008NAK\n" + inBand, "PACKabc"},
	"version 2":   {2, true, packet("packfile\n") + inBand, "PACKabc"},
	"version 2, sections": {2, true, packet("acknowledgments\n") + packet("NAK\n") + packet("ready\n") + "0001" +
		packet("shallow-info\n") + packet("shallow "+one+"\n") + "0001" + packet("wanted-refs\n") +
		packet(one+" refs/x\n") + "0001" + packet("packfile\n") + inBand, "PACKabc 11"},
	"version 2, ended": {2, false, packet("packfile\n") + strings.TrimSuffix(inBand, "0000") + "0002", "PACKabc"},
	"an empty pack":    {2, false, packet("packfile\n") + "0000", ""},
}

func TestAnswers(t *testing.T) {
	for name, tt := range answers {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.raw), iotest.OneByteReader(strings.NewReader(tt.raw)),
				iotest.DataErrReader(strings.NewReader(tt.raw))} {
				if got, err := answered(r, tt.version, tt.deepened); err != nil || got != tt.want {
					t.Errorf("got %q, %v, want %q", got, err, tt.want)
				}
			}
			for n := range len(tt.raw) {
				if got, err := answered(strings.NewReader(tt.raw[:n]), tt.version, tt.deepened); !errors.Is(err,
					io.ErrUnexpectedEOF) {
					t.Errorf("cut at %d: got %q, %v", n, got, err)
				}
			}
			broken := errors.New("broken")
			_, err := answered(io.MultiReader(strings.NewReader(tt.raw[:len(tt.raw)-4]), iotest.ErrReader(broken)), tt.version,
				tt.deepened)
			if !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What follows an answer belongs to the next one, and is not read as a part of this one.
func TestAnswerEndsWithItsMessage(t *testing.T) {
	a, err := ReadAnswer(strings.NewReader(packet("packfile\n")+inBand+inBand), 2, false)
	if err != nil {
		t.Fatal(err)
	}
	if pack, err := io.ReadAll(a); string(pack) != "PACKabc" || err != nil {
		t.Errorf("got %q, %v", pack, err)
	}
	if n, err := a.Read(make([]byte, 9)); n != 0 || err != io.EOF {
		t.Errorf("got %d more, %v", n, err)
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		version  int
		deepened bool
		raw      string
		text     string
	}{
		"no pack":              {0, false, "0000" + "0008NAK\n", "instead of a pack"},
		"hello":                {0, false, packet("hello") + inBand, `"hello" instead of a pack`},
		"hello, shallow":       {0, true, packet("hello") + "0000", `"hello" instead of a shallow commit`},
		"shallow, and no hash": {0, true, packet("shallow 12") + "0000", "instead of a shallow commit"},
		"no length":            {0, false, "HTTP/1.1 400", `"HTTP"`},
		"no section":           {2, false, "0000", "ends without a pack"},
		"end of sections":      {2, false, packet("acknowledgments\n") + "0000" + "0000", "ends without a pack"},
		"unknown channel":      {2, false, packet("packfile\n") + "0009\x01PACK" + "0006\x04." + "0000", "channel 4"},
		"length in the pack":   {2, false, packet("packfile\n") + "0009\x01PACK" + "0003", "0003"},
		"shallow in version 2": {2, false, packet("shallow-info\n") + packet("shallow x") + "0000",
			"instead of a shallow commit"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := answered(strings.NewReader(tt.raw), tt.version, tt.deepened); !errors.Is(err, ErrMalformed) ||
				!strings.Contains(fmt.Sprint(err), tt.text) {
				t.Errorf("got %q, %v, want %q", got, err, tt.text)
			}
		})
	}
}

func TestErrorsOfTheServerInAnAnswer(t *testing.T) {
	said := "ERR upload-pack: not our ref " + one
	for name, tt := range map[string]struct {
		version  int
		deepened bool
		raw      string
	}{
		"version 0":            {0, false, packet(said + "\n")},
		"version 0, shallow":   {0, true, packet(said)},
		"after the shallow":    {0, true, packet("shallow "+one) + "0000" + packet(said)},
		"version 2":            {2, true, packet(said)},
		"in a section":         {2, true, packet("acknowledgments\n") + packet(said)},
		"in the pack":          {0, false, "0008NAK\n" + "0009\x01PACK" + packet("\x03not our ref "+one+"\n")},
		"in version 2's pack":  {2, false, packet("packfile\n") + packet("\x03not our ref "+strings.Repeat("\x1b", 9000))},
		"nothing in the error": {2, false, packet("packfile\n") + "0005\x03"},
	} {
		_, err := answered(strings.NewReader(tt.raw), tt.version, tt.deepened)
		var remote *RemoteError
		if !errors.As(err, &remote) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: got %.100v", name, err)
		}
		if name != "nothing in the error" && !strings.Contains(fmt.Sprint(err), "not our ref") {
			t.Errorf("%s: got %.100v", name, err)
		}
	}
}
