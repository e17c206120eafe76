package wire

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// packet is a pkt-line.
func packet(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }

var (
	one, two, three = strings.Repeat("1", 40), strings.Repeat("2a", 20), strings.Repeat("3", 40)
	long            = strings.Repeat("4", 64)
)

func hashOf(t testing.TB, s string) object.Hash {
	t.Helper()
	hash, err := object.ParseHash(s)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// dump is an advertisement as a text.
func dump(a *Advertisement) string {
	s := fmt.Sprintf("v%d head=%s empty=%t", a.Version, a.Head, a.Empty)
	for _, r := range a.Refs {
		s += " " + r.Name + "=" + r.Hash.String()[:2]
		if !r.Peeled.IsZero() {
			s += "^" + r.Peeled.String()[:2]
		}
	}
	return s
}

func all(string) bool { return true }

var advertisements = map[string]struct{ raw, want string }{
	"version 0": {packet(one+" HEAD\x00multi_ack symref=HEAD:refs/heads/main agent=x\n") + packet(one+" refs/heads/main\n") +
		packet(two+" refs/tags/v1\n") + packet(three+" refs/tags/v1^{}\n") + "0000",
		"v0 head=refs/heads/main empty=false HEAD=11 refs/heads/main=11 refs/tags/v1=2a^33"},
	"over HTTP": {packet("# service=git-upload-pack\n") + "0000" + packet(one+" refs/heads/a\x00x\n") + "0000",
		"v0 head= empty=false refs/heads/a=11"},
	"version 1": {packet("version 1\n") + packet(one+" refs/heads/a\x00x\n") + "0000",
		"v0 head= empty=false refs/heads/a=11"},
	"no line feeds": {packet(one+" refs/heads/a\x00x") + packet(two+" refs/heads/b") + "0000",
		"v0 head= empty=false refs/heads/a=11 refs/heads/b=2a"},
	"no capabilities":  {packet(one+" refs/heads/a\n") + "0000", "v0 head= empty=false refs/heads/a=11"},
	"empty":            {"0000", "v0 head= empty=true"},
	"empty, over HTTP": {packet("# service=git-upload-pack\n") + "0000" + "0000", "v0 head= empty=true"},
	"empty, with capabilities": {packet(strings.Repeat("0", 40)+" capabilities^{}\x00agent=x object-format=sha1\n") + "0000",
		"v0 head= empty=true"},
	"shallow": {packet(one+" HEAD\x00shallow\n") + packet("shallow "+two+"\n") + "0000",
		"v0 head= empty=false HEAD=11"},
	"nothing but that": {packet("shallow "+two+"\n") + "0000", "v0 head= empty=true"},
	"peeled too late": {packet(one+" refs/tags/a\x00x\n") + packet(two+" refs/tags/b\n") +
		packet(three+" refs/tags/a^{}\n") + "0000", "v0 head= empty=false refs/tags/a=11 refs/tags/b=2a"},
	"several symbolic": {packet(one+" HEAD\x00symref=refs/x:refs/y symref=HEAD:refs/heads/b\n") + "0000",
		"v0 head=refs/heads/b empty=false HEAD=11"},
	"version 2": {packet("version 2\n") + packet("agent=x\n") + packet("fetch=shallow filter\n") +
		packet("object-format=sha1\n") + "0000", "v2 head= empty=true"},
	"version 2 in HTTP": {packet("# service=git-upload-pack\n") + "0000" + packet("version 2\n") + "0000",
		"v2 head= empty=true"},
	"upper case": {packet(strings.ToUpper(two)+" refs/heads/a\x00x\n") + "0000",
		"v0 head= empty=false refs/heads/a=2a"},
}

func TestAdvertisements(t *testing.T) {
	for name, tt := range advertisements {
		t.Run(name, func(t *testing.T) {
			a, err := ReadAdvertisement(strings.NewReader(tt.raw), all)
			if err != nil || dump(a) != tt.want {
				t.Fatalf("got %+v, %v, want %s", a, err, tt.want)
			}
			for _, r := range []io.Reader{iotest.OneByteReader(strings.NewReader(tt.raw)),
				iotest.DataErrReader(strings.NewReader(tt.raw))} {
				if again, err := ReadAdvertisement(r, all); err != nil || !reflect.DeepEqual(a, again) {
					t.Errorf("read otherwise: got %+v, %v", again, err)
				}
			}
			for n := range len(tt.raw) {
				if a, err := ReadAdvertisement(strings.NewReader(tt.raw[:n]), all); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("cut at %d: got %+v, %v", n, a, err)
				}
			}
			broken := errors.New("broken")
			_, err = ReadAdvertisement(io.MultiReader(strings.NewReader(tt.raw[:len(tt.raw)-4]), iotest.ErrReader(broken)), all)
			if !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAdvertisementsThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		raw  string
		want error
		text string
	}{
		"nothing":               {"", io.ErrUnexpectedEOF, "before it has said anything"},
		"HTML":                  {"<html>", ErrMalformed, `"<htm"`},
		"length of 3":           {"0003", ErrMalformed, `"0003"`},
		"too long":              {"fff1" + strings.Repeat("x", 70_000), ErrMalformed, `"fff1"`},
		"sign":                  {"+004", ErrMalformed, "length"},
		"no reference":          {packet("hello") + "0000", ErrMalformed, "hello"},
		"no name":               {packet(one) + "0000", ErrMalformed, "not a reference"},
		"no hash":               {packet(strings.Repeat("g", 40)+" refs/heads/a") + "0000", ErrMalformed, "not a reference"},
		"short hash":            {packet(one[1:]+" refs/heads/a") + "0000", ErrMalformed, "not a reference"},
		"service without flush": {packet("# service=git-upload-pack\n") + packet(one+" HEAD"), ErrMalformed, "no flush"},
		"SHA-256":               {packet(long+" HEAD\x00object-format=sha256\n") + "0000", ErrObjectFormat, "64"},
		"SHA-256, version 2":    {packet("version 2\n") + packet("object-format=sha256\n") + "0000", ErrObjectFormat, "sha256"},
		"another format": {packet("version 2\n") + packet("object-format="+strings.Repeat("\x1b", 999)) + "0000",
			ErrObjectFormat, `\x1b`},
		"a long line": {packet(strings.Repeat("\x1b", 60_000)) + "0000", ErrMalformed, `\x1b`},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := ReadAdvertisement(strings.NewReader(tt.raw), all)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || a != nil {
				t.Fatalf("got %+v, %v, want %v with %q", a, err, tt.want, tt.text)
			}
			if text := err.Error(); strings.Contains(text, "\x1b") {
				t.Errorf("the server writes into the error: %.100q", text)
			}
		})
	}
}

// It is cut by whoever knows the secrets in it.
func TestWhatTheServerSaysIsQuotedWhole(t *testing.T) {
	said := packet("ERR no \x1b[31m such repository " + strings.Repeat("x", 5000) + "\n")
	for name, raw := range map[string]string{
		"at once": said, "over HTTP": packet("# service=git-upload-pack\n") + "0000" + said,
		"among references": packet(one+" HEAD\x00x") + said, "among capabilities": packet("version 2\n") + said,
	} {
		_, err := ReadAdvertisement(strings.NewReader(raw), all)
		var remote *RemoteError
		if !errors.As(err, &remote) || !strings.Contains(err.Error(), `no \x1b[31m such`) ||
			!strings.Contains(err.Error(), strings.Repeat("x", 5000)) {
			t.Errorf("%s: got %.100v", name, err)
		}
	}
}

func TestOnlyWhatIsKeptIsHeld(t *testing.T) {
	raw := packet(one+" HEAD\x00symref=HEAD:refs/heads/main\n") + packet(one+" refs/heads/main") +
		packet(two+" refs/tags/v1") +
		packet(three+" refs/tags/v1^{}") + packet(two+" refs/tags/v2") + packet(one+" refs/tags/v2^{}") + "0000"
	var asked []string
	a, err := ReadAdvertisement(strings.NewReader(raw), func(name string) bool {
		asked = append(asked, name)
		return name == "refs/tags/v1"
	})
	if err != nil || dump(a) != "v0 head=refs/heads/main empty=false refs/tags/v1=2a^33" {
		t.Errorf("got %+v, %v", a, err)
	}
	if !slices.Equal(asked, []string{"HEAD", "refs/heads/main", "refs/tags/v1", "refs/tags/v2"}) {
		t.Errorf("asked for %q", asked)
	}
	if ref, ok := a.Find("refs/tags/v1"); !ok || ref.Hash != hashOf(t, two) || ref.Peeled != hashOf(t, three) {
		t.Errorf("got %+v", ref)
	}
	if _, ok := a.Find("refs/tags/v2"); ok {
		t.Error("what was not kept is there")
	}
}

func TestCapabilities(t *testing.T) {
	raw := packet("version 2\n") + packet("fetch=shallow filter ref-in-want\n") + packet("server-option\n") +
		packet("x=a=b\n") + "0000"
	a, err := ReadAdvertisement(strings.NewReader(raw), all)
	if err != nil {
		t.Fatal(err)
	}
	can := a.Capabilities
	if !can.Has("fetch") || !can.Has("server-option") || can.Has("filter") || !can.HasWord("fetch", "filter") ||
		can.HasWord("fetch", "filt") || can.HasWord("none", "") || !slices.Equal(can["x"], []string{"a=b"}) {
		t.Errorf("got %q", can)
	}
}

const lsRefs = "v2 head=refs/heads/main empty=false HEAD=11 refs/heads/main=11 refs/tags/v1=2a^33"

func TestListOfReferences(t *testing.T) {
	raw := packet(one+" HEAD symref-target:refs/heads/main\n") + packet(one+" refs/heads/main\n") +
		packet(two+" refs/tags/v1 peeled:"+three+"\n") + "0000"
	for _, r := range []io.Reader{strings.NewReader(raw), iotest.OneByteReader(strings.NewReader(raw))} {
		a := &Advertisement{Version: 2, Empty: true}
		if err := a.ReadRefs(r, all); err != nil || dump(a) != lsRefs {
			t.Errorf("got %s, %v", dump(a), err)
		}
	}
	for n := range len(raw) {
		if err := new(Advertisement).ReadRefs(strings.NewReader(raw[:n]), all); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: got %v", n, err)
		}
	}
	for raw, want := range map[string]string{
		"0000": "v0 head= empty=true",
		packet("unborn HEAD symref-target:refs/heads/main\n") + "0000":            "v0 head= empty=true",
		packet(one+" refs/a symref-target:refs/b unknown:x\n") + "0000":           "v0 head= empty=false refs/a=11",
		packet(one+" refs/a peeled:"+two+" symref-target:refs/heads/b") + "0000":  "v0 head= empty=false refs/a=11^2a",
		packet(one+" refs/not/kept") + packet(two+" refs/kept") + "0000" + "junk": "v0 head= empty=false refs/kept=2a",
	} {
		a := &Advertisement{Empty: true}
		if err := a.ReadRefs(strings.NewReader(raw),
			func(name string) bool { return name != "refs/not/kept" }); err != nil || dump(a) != want {
			t.Errorf("%q: got %s, %v", raw, dump(a), err)
		}
	}
	for raw, want := range map[string]error{
		packet("hello"): ErrMalformed, packet(one): ErrMalformed, packet(long + " refs/a"): ErrMalformed, "zzzz": ErrMalformed,
		packet(one + " refs/a peeled:x"): ErrMalformed, packet("\n"): ErrMalformed,
	} {
		if err := new(Advertisement).ReadRefs(strings.NewReader(raw+"0000"), all); !errors.Is(err, want) {
			t.Errorf("%q: got %v", raw, err)
		}
	}
}
