package source_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

func TestSignatureErrorTellsWhatAndWhose(t *testing.T) {
	signed := source.Signature{Kind: "tag", Hash: "855f77", Tag: "v1\n", Format: "ssh", Key: "SHA256:abc", Signer: "alice"}
	err := error(&source.SignatureError{Signature: signed, Err: source.ErrOtherTag, Reason: "ask for the other"})
	if !errors.Is(err, source.ErrUnverified) || !errors.Is(err, source.ErrOtherTag) || errors.Is(err, source.ErrUnsigned) {
		t.Errorf("got %v", err)
	}
	for _, text := range []string{"unverified", `tag "v1\n" (855f77)`, `ssh key SHA256:abc of "alice"`, "ask for the other"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in %q", text, err)
		}
	}
	err = &source.SignatureError{Signature: source.Signature{Kind: "commit", Hash: "855f77"}, Err: source.ErrUnsigned, Reason: "sign it"}
	if want := "unverified: commit 855f77: not signed: sign it"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
