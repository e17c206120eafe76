package bucket_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

func TestObjectsEncryptedWithTheClientsKey(t *testing.T) {
	b := testbed.MinIO(t)
	right, wrong := []byte("0123456789abcdef0123456789abcdef"), []byte("planted-wrong-key-of-32-bytes-00")
	large := bytes.Repeat([]byte("x"), 6<<20) // goes in parts, and comes in several
	must(t, b.PutEncrypted(t.Context(), "a", []byte("hello"), right))
	must(t, b.PutEncrypted(t.Context(), "large", large, right))
	opts := secureOptions(b)
	opts.CustomerKey = right
	s := newSource(t, opts)
	snapshot := fetch(t, s, source.Revision{})
	if got := read(t, snapshot, "a"); got != "hello" {
		t.Errorf("got %q", got)
	}
	if read(t, snapshot, "large") != string(large) {
		t.Error("the large one is another one")
	}
	if _, err := s.Fetch(t.Context(), snapshot.Revision); !errors.Is(err, source.ErrNotModified) {
		t.Errorf("got %v", err)
	}

	for name, tt := range map[string]struct {
		key  []byte
		want error
		text string
	}{
		"wrong key": {wrong, source.ErrUnauthorized, "perhaps it is not encrypted with Options.CustomerKey"},
		"no key":    {nil, nil, "perhaps it is encrypted with a key of the client's, which Options.CustomerKey is for"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := opts
			opts.CustomerKey = tt.key
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, `key "`)
			checkError(t, err, tt.want, tt.text)
			if strings.Contains(err.Error(), "planted") {
				t.Errorf("the key is in %v", err)
			}
		})
	}
	t.Run("a key for what is not encrypted", func(t *testing.T) {
		b := testbed.MinIO(t)
		must(t, b.Put(t.Context(), "plain", []byte("1")))
		opts := secureOptions(b)
		opts.CustomerKey = right
		_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, nil, `key "plain"`)
		checkError(t, err, nil, "Options.CustomerKey")
	})
}
