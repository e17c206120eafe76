package object

import (
	"strings"
	"testing"
)

func TestSumIsGits(t *testing.T) {
	h := NewHasher()
	for _, tt := range []struct {
		kind Kind
		body string
		want string
	}{
		{Blob, "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
		{Tree, "", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"},
		{Blob, "hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"},
		{Blob, "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}, // a Hasher is used again
	} {
		if got, err := h.Sum(tt.kind, []byte(tt.body)); err != nil || got.String() != tt.want {
			t.Errorf("%s %q: got %s, %v", tt.kind, tt.body, got, err)
		}
	}
}

func TestTargetOf(t *testing.T) {
	hash := strings.Repeat("ab", 20)
	got, err := TargetOf([]byte("object " + hash + "\ntype commit\ntag v1\ntagger x\n\ntag other\n"))
	if err != nil || got.Hash.String() != hash || got.Kind != Commit || got.Name != "v1" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, body := range []string{"", "object x\ntype commit\ntag v", "type commit\nobject " + hash + "\ntag v",
		"object " + hash + "\ntype what\ntag v", "object " + hash + "\ntype commit\n"} {
		if got, err := TargetOf([]byte(body)); err == nil {
			t.Errorf("%q: got %+v", body, got)
		}
	}
}

func TestParseHashRefuses(t *testing.T) {
	for _, s := range []string{"", "ab", strings.Repeat("zz", 20), strings.Repeat("ab", 32), strings.Repeat("a", 39)} {
		if _, err := ParseHash(s); err == nil {
			t.Errorf("%q is taken for a hash", s)
		}
	}
}
