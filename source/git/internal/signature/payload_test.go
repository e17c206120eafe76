package signature

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

func TestSplitCommit(t *testing.T) {
	head := "tree " + emptyTree + "\nauthor " + person + "\ncommitter " + person + "\n"
	const sig = "-----BEGIN X\nline\n\n-----END X-----"
	for name, tt := range map[string]struct{ body, payload, signature string }{
		"behind":         {head + header("gpgsig", sig) + "\nm\n", head + "\nm\n", sig + "\n"},
		"in front":       {header("gpgsig", sig) + head + "\nm\n", head + "\nm\n", sig + "\n"},
		"others":         {head + header("gpgsig-sha256", sig) + header("gpgsig", "x") + header("gpgsigs", sig) + "\nm", head + "\nm", "x\n"},
		"in the message": {head + header("gpgsig", sig) + "\nm\n" + header("gpgsig", "y"), head + "\nm\n" + header("gpgsig", "y"), sig + "\n"},
		"other headers":  {head + header("mergetag", sig) + header("gpgsig", "x") + "y z\n\n", head + header("mergetag", sig) + "y z\n\n", "x\n"},
		"no message":     {head + "gpgsig x", head, "x"},
	} {
		o, err := splitCommit([]byte(tt.body))
		if err != nil || string(o.payload) != tt.payload || string(o.signature) != tt.signature || o.date.Unix() != 1700000000 {
			t.Errorf("%s: got %q and %q of %v, %v", name, o.payload, o.signature, o.date, err)
		}
	}
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"empty":       {"", errUnsigned},
		"unsigned":    {head + "\nm\n" + header("gpgsig", sig), errUnsigned},
		"SHA-256":     {head + header("gpgsig-sha256", sig) + "\n", errUnsigned},
		"two headers": {head + header("gpgsig", "x") + header("gpgsig", "y") + "\n", errTwoHeaders},
		"apart":       {header("gpgsig", "x") + head + header("gpgsig", "y") + "\n", errTwoHeaders},
		"NUL":         {head + "x \x00\n" + header("gpgsig", "y") + "\n", errNulInHeader},
		"large":       {head + header("gpgsig", "y") + "\n" + strings.Repeat("x", maxObject), errObjectSize},
		"signature":   {head + header("gpgsig", strings.Repeat("y", maxSignature)) + "\n", errSigSize},
	} {
		if _, err := splitCommit([]byte(tt.body)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestSplitTag(t *testing.T) {
	plain := plainTag("v1", emptyTree, "m\n")
	const pgp = "-----BEGIN PGP SIGNATURE-----\n"
	for name, tt := range map[string]struct{ body, payload, signature string }{
		"OpenPGP":    {plain + pgp + "x", plain, pgp + "x"},
		"SSH":        {plain + fakeSSH, plain, fakeSSH},
		"two":        {plain + fakeSSH + "x\n" + pgp + "y", plain + fakeSSH + "x\n", pgp + "y"},
		"not a line": {plain + pgp + " " + pgp, plain, pgp + " " + pgp},
		"SHA-256":    {strings.Replace(plain, "\n\n", "\n"+header("gpgsig-sha256", "a\nb")+"\n", 1) + pgp, plain, pgp},
	} {
		o, err := splitTag([]byte(tt.body))
		if err != nil || string(o.payload) != tt.payload || string(o.signature) != tt.signature || o.date.Unix() != 1700000000 {
			t.Errorf("%s: got %q and %q of %v, %v", name, o.payload, o.signature, o.date, err)
		}
	}
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"empty":         {"", errUnsigned},
		"unsigned":      {plain, errUnsigned},
		"not at a line": {plain + " " + pgp, errUnsigned},
		"in headers":    {strings.Replace(plain, "\n\n", "\n"+pgp+"x\n\n", 1), errInHeaders},
		"only":          {pgp, errInHeaders},
		"two headers":   {strings.Replace(plain, "\n\n", "\n"+header("gpgsig", "a")+header("gpgsig-sha256", "a")+"\n", 1) + pgp, errTwoHeaders},
		"large":         {plain + strings.Repeat("x", maxObject) + pgp, errObjectSize},
		"signature":     {plain + pgp + strings.Repeat("x", maxSignature), errSigSize},
	} {
		if _, err := splitTag([]byte(tt.body)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestDates(t *testing.T) {
	for person, want := range map[string]int64{
		"A <a> 1700000000 +0100":           1700000000,
		"A <a>> x <b>   12   -0000":        12,
		"<> 12 +0":                         12,
		"A <a> 12":                         -1,
		"A <a>":                            -1,
		"A <a> x +0100":                    -1,
		"A <a> 0 +0100":                    -1,
		"A <a> 99999999999999999999 +0100": -1,
	} {
		date, err := dateOf([]byte(person))
		if want < 0 && !date.IsZero() || want >= 0 && date.Unix() != want || err != nil {
			t.Errorf("%s: got %v, %v", person, date, err)
		}
	}
	for _, person := range []string{"A a 12 +0000", "A > < 12 +0000", "A <a> 253402300800 +0000"} {
		if date, err := dateOf([]byte(person)); err == nil {
			t.Errorf("%s: got %v", person, date)
		}
	}
}

// Tags in Go's own keys: the name that was signed is the one that counts, and a target is only there along with a signer.
func TestVerifyTagHoldsToTheName(t *testing.T) {
	alice := newEd25519(t)
	keys := keyringOf(t, nil, "alice "+alice.line())
	plain := plainTag("release/v1.0.0", emptyTree, "planted\n")
	body := []byte(plain + armorSSH(alice.blob(t, plain, sshOptions{})))
	signed, target, err := keys.VerifyTag(body, "release/v1.0.0", today)
	if err != nil || target.Name != "release/v1.0.0" || target.Hash.String() != emptyTree || signed.Tag != "release/v1.0.0" || signed.Kind != "tag" {
		t.Errorf("got %+v, %+v, %v", signed, target, err)
	}
	_, target, err = keys.VerifyTag(body, "release/v2.0.0", today)
	failure := new(source.SignatureError)
	if !errors.Is(err, source.ErrOtherTag) || !target.Hash.IsZero() || !errors.As(err, &failure) || failure.Tag != "release/v2.0.0" ||
		strings.Contains(err.Error(), "v1.0.0") || !strings.Contains(err.Error(), `tag "release/v2.0.0"`) {
		t.Errorf("got %v", err)
	}
	// The same as another tag, with the signed one's head moved behind a header that is not signed.
	other := strings.Replace(plain, "release/v1.0.0", "release/v2.0.0", 1)
	moved := "gpgsig " + strings.ReplaceAll(strings.TrimSpace(other[:strings.Index(other, "tagger")]), "\n", "\n ") + "\n" + string(body)
	for _, b := range []string{moved, other + string(body[len(plain):])} {
		for _, name := range []string{"release/v1.0.0", "release/v2.0.0"} {
			if _, _, err := keys.VerifyTag([]byte(b), name, today); !errors.Is(err, source.ErrBadSignature) {
				t.Errorf("%q: got %v", b, err)
			}
		}
	}
}

// A signed tag is not a signed commit, nor the other way around, though the same key signed both.
func TestKindsAreNotConfused(t *testing.T) {
	alice := newEd25519(t)
	keys := keyringOf(t, nil, "alice "+alice.line())
	tag, commit := plainTag("v1", emptyTree, "m\n"), plainCommit("", "m\n")
	tagger := strings.Replace(tag, "\ntagger ", "\ncommitter "+person+"\ntagger ", 1)
	judge(t, "a tag", keys, signedCommit(tagger, armorSSH(alice.blob(t, tagger, sshOptions{}))), source.ErrBadSignature)
	both := strings.Replace(commit, "\ncommitter ", "\ntagger "+person+"\ncommitter ", 1)
	if _, _, err := keys.VerifyTag([]byte(both+armorSSH(alice.blob(t, both, sshOptions{}))), "v1", today); !errors.Is(err, source.ErrBadSignature) {
		t.Errorf("got %v", err)
	}
}

func TestKeyringIsForManyGoroutines(t *testing.T) {
	alice, entity := newEd25519(t), newEntity(t, "Alice", madeAt(madeOn, 0))
	keys := keyringOf(t, [][]byte{exported(t, entity)}, alice.line())
	payload := plainCommit("", "m\n")
	bodies := [][]byte{signedCommit(payload, armorSSH(alice.blob(t, payload, sshOptions{}))),
		signedCommit(payload, madePGP(t, entity.PrivateKey, payload, pgpOptions{}))}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			body := bytes.Clone(bodies[i%2])
			if _, err := keys.VerifyCommit(body, today); err != nil || !bytes.Equal(body, bodies[i%2]) {
				t.Errorf("got %v", err)
			}
		})
	}
	group.Wait()
}

// Whatever is in an object: no good signature comes out that nobody made, and each refusal is a typed one.
func FuzzVerify(f *testing.F) {
	alice, entity := newEd25519(f), newEntity(f, "Alice", madeAt(madeOn, 0))
	keys := keyringOf(f, [][]byte{exported(f, entity)}, "alice "+alice.line())
	commit, tag := plainCommit(header("mergetag", "object x\ntype y\n\n"+fakeSSH), "m\n"), plainTag("v1", emptyTree, "m\n")
	for _, sign := range []func(string) string{
		func(p string) string { return armorSSH(alice.blob(f, p, sshOptions{})) },
		func(p string) string { return madePGP(f, entity.PrivateKey, p, pgpOptions{}) },
	} {
		f.Add(signedCommit(commit, sign(commit)))
		f.Add(signedCommit(commit, sign(tag)))
		f.Add([]byte(tag + sign(tag)))
		f.Add([]byte(tag + sign(commit) + fakeSSH))
		f.Add([]byte(strings.Replace(string(signedCommit(commit, sign(commit))), "\ngpgsig ", "\n"+header("gpgsig-sha256", fakeSSH)+"gpgsig ", 1)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		signed, err := keys.VerifyCommit(body, today)
		checkFuzzed(t, signed, err)
		if o, _ := splitCommit(body); err == nil && string(o.payload) != commit {
			t.Errorf("signed is %q", o.payload)
		}
		signed, target, err := keys.VerifyTag(body, "v1", today)
		checkFuzzed(t, signed, err)
		if o, _ := splitTag(body); err == nil && (string(o.payload) != tag || target.Name != "v1" || target.Kind != object.Commit) {
			t.Errorf("signed is %q", o.payload)
		}
		if !bytes.Equal(before, body) {
			t.Error("the object was changed")
		}
	})
}

func checkFuzzed(t *testing.T, signed source.Signature, err error) {
	t.Helper()
	typed := new(source.SignatureError)
	if err == nil && (signed.Key == "" || signed.Signer == "") ||
		err != nil && (!errors.As(err, &typed) || !errors.Is(err, source.ErrUnverified) || signed != (source.Signature{}) || len(err.Error()) > 1000) {
		t.Errorf("got %+v, %v", signed, err)
	}
}
