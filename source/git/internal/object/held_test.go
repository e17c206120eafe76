package object

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// noise is what cannot be compressed.
func noise(size int) string {
	random := rand.NewChaCha8([32]byte{1})
	body := make([]byte, size)
	_, _ = random.Read(body) // never an error
	return string(body)
}

func TestPackedObjectIsItsBody(t *testing.T) {
	var packer Packer
	for name, tt := range map[string]struct {
		kind   Kind
		body   string
		packed bool
	}{
		"nothing":             {Blob, "", false},
		"one byte":            {Blob, "a", false},
		"a manifest":          {Blob, strings.Repeat("kind: ConfigMap\n", 100), true},
		"noise":               {Blob, noise(5000), false},
		"the largest":         {Blob, strings.Repeat("x", MaxPacked), true},
		"the largest noise":   {Blob, noise(MaxPacked), false},
		"one that is larger":  {Blob, strings.Repeat("x", MaxPacked+1), false},
		"a tree":              {Tree, strings.Repeat("100644 a\x00", 100), false},
		"a commit":            {Commit, strings.Repeat("tree", 100), false},
		"a tag":               {Tag, strings.Repeat("tag", 100), false},
		"seven eighths of it": {Blob, noise(7000) + strings.Repeat("x", 1000), false},
	} {
		for _, lent := range []bool{true, false} {
			body := []byte(tt.body)
			o := packer.Pack(tt.kind, body, lent)
			if lent {
				clear(body)
			}
			packer.Pack(Blob, bytes.Repeat([]byte("other"), 10_000), true) // in the same memory
			if o.Kind != tt.kind || string(o.Body()) != tt.body || o.Size() != len(tt.body) {
				t.Errorf("%s, lent %t: it is a %s of %d bytes, and says %d", name, lent, o.Kind, len(o.Body()), o.Size())
			}
			if limit := len(tt.body) - len(tt.body)/8; tt.packed != (o.Held() < limit) || !tt.packed && o.Held() != len(tt.body) {
				t.Errorf("%s, lent %t: %d of %d bytes are held", name, lent, o.Held(), len(tt.body))
			}
		}
	}
}

func TestBodyInTakesNoMemory(t *testing.T) {
	o := new(Packer).Pack(Blob, bytes.Repeat([]byte("abc "), 1000), true)
	buf := make([]byte, 0, o.Size())
	if got := o.BodyIn(buf); &got[0] != &buf[:1][0] || string(got) != strings.Repeat("abc ", 1000) {
		t.Errorf("got %.20q, in other memory: %t", got, &got[0] != &buf[:1][0])
	}
	if got := o.BodyIn(buf[:0:10]); string(got) != strings.Repeat("abc ", 1000) {
		t.Errorf("without room: got %.20q", got)
	}
}

func TestBodyForManyAtOnce(t *testing.T) {
	o := new(Packer).Pack(Blob, bytes.Repeat([]byte("abc "), 1000), true)
	var reading sync.WaitGroup
	for range 8 {
		reading.Go(func() {
			for range 100 {
				body := o.Body()
				if string(body) != strings.Repeat("abc ", 1000) {
					t.Errorf("got %.20q", body)
				}
				clear(body) // of a packed object it is the caller's own
			}
		})
	}
	reading.Wait()
}
