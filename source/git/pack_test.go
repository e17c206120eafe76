package git

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/gitopskit/gitopskit/source"
)

// A part is an object as it lies in a pack.
type part struct {
	kind plumbing.ObjectType
	body string
	base plumbing.Hash // of a REFDelta
	back int           // of an OFSDelta: how many parts before this one its base is
	size int64         // what the header says, if not the truth
}

func newPack(parts ...part) []byte {
	out := bytes.NewBufferString("PACK\x00\x00\x00\x02")
	binary.Write(out, binary.BigEndian, uint32(len(parts)))
	var offsets []int
	for i, p := range parts {
		offsets = append(offsets, out.Len())
		size := uint64(len(p.body))
		if p.size != 0 {
			size = uint64(p.size)
		}
		first := byte(p.kind)<<4 | byte(size&15)
		if size >>= 4; size > 0 {
			out.WriteByte(first | 0x80)
			out.Write(binary.AppendUvarint(nil, size))
		} else {
			out.WriteByte(first)
		}
		switch p.kind {
		case plumbing.REFDeltaObject:
			out.Write(p.base[:])
		case plumbing.OFSDeltaObject:
			out.Write(distance(offsets[i] - offsets[i-p.back]))
		}
		z := zlib.NewWriter(out)
		z.Write([]byte(p.body))
		z.Close()
	}
	sum := sha1.Sum(out.Bytes())
	return append(out.Bytes(), sum[:]...)
}

// distance is the encoding of how far back a delta's base is.
func distance(n int) []byte {
	out := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		out = append([]byte{0x80 | byte(n&0x7f)}, out...)
	}
	return out
}

// patch makes result out of a base of the given size, by inserting all of it.
func patch(base int, result string) string {
	out := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(base)), uint64(len(result)))
	for rest := result; rest != ""; {
		n := min(len(rest), 127)
		out = append(append(out, byte(n)), rest[:n]...)
		rest = rest[n:]
	}
	return string(out)
}

func blob(body string) plumbing.Hash { return plumbing.ComputeHash(plumbing.BlobObject, []byte(body)) }

var small = source.Limits{MaxFiles: 20, MaxBytes: 10_000, MaxFileBytes: 5_000}.WithDefaults()

func TestReadPack(t *testing.T) {
	thin := objects{blob("outside"): {plumbing.BlobObject, []byte("outside")}}
	for name, tt := range map[string]struct {
		parts []part
		want  []string
	}{
		"whole":        {[]part{{kind: plumbing.BlobObject, body: "a"}, {kind: plumbing.BlobObject, body: strings.Repeat("b", 300)}}, []string{"a", strings.Repeat("b", 300)}},
		"by offset":    {[]part{{kind: plumbing.BlobObject, body: "base"}, {kind: plumbing.OFSDeltaObject, body: patch(4, "delta"), back: 1}, {kind: plumbing.OFSDeltaObject, body: patch(5, "second"), back: 1}}, []string{"base", "delta", "second"}},
		"by hash":      {[]part{{kind: plumbing.REFDeltaObject, body: patch(5, "second"), base: blob("delta")}, {kind: plumbing.REFDeltaObject, body: patch(4, "delta"), base: blob("base")}, {kind: plumbing.BlobObject, body: "base"}}, []string{"base", "delta", "second"}},
		"thin":         {[]part{{kind: plumbing.REFDeltaObject, body: patch(7, "inside"), base: blob("outside")}, {kind: plumbing.OFSDeltaObject, body: patch(6, "more"), back: 1}}, []string{"inside", "more"}},
		"the same two": {[]part{{kind: plumbing.BlobObject, body: "a"}, {kind: plumbing.BlobObject, body: "a"}, {kind: plumbing.OFSDeltaObject, body: patch(1, "b"), back: 1}}, []string{"a", "b"}},
		"empty":        {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readPack(t.Context(), bytes.NewReader(newPack(tt.parts...)), thin, small)
			if err != nil || len(got) != len(tt.want) {
				t.Fatalf("got %d objects, %v", len(got), err)
			}
			for _, body := range tt.want {
				if string(got[blob(body)].body) != body {
					t.Errorf("%q is missing", body)
				}
			}
		})
	}
}

func TestReadPackRefuses(t *testing.T) {
	twenty := make([]part, 40)
	for i := range twenty {
		twenty[i] = part{kind: plumbing.BlobObject, body: "a"}
	}
	claim := string(binary.AppendUvarint(binary.AppendUvarint(nil, 4), 1<<40))
	base := part{kind: plumbing.BlobObject, body: "base"}
	bombs := []part{base}
	for range 5 {
		bombs = append(bombs, part{kind: plumbing.REFDeltaObject, body: patch(4, strings.Repeat("x", 2500)), base: blob("base")})
	}
	for name, tt := range map[string]struct {
		pack []byte
		want error
		text string
	}{
		"count":             {newPack(twenty...), source.ErrTooLarge, "MaxFiles"},
		"large object":      {newPack(part{kind: plumbing.BlobObject, body: strings.Repeat("x", 5001)}), source.ErrTooLarge, "MaxFileBytes"},
		"claimed size":      {newPack(part{kind: plumbing.BlobObject, size: 1 << 50}), source.ErrTooLarge, "MaxFileBytes"},
		"longer than said":  {newPack(part{kind: plumbing.BlobObject, body: strings.Repeat("x", 4000), size: 10}), nil, "exceeds declared size"},
		"shorter than said": {newPack(part{kind: plumbing.BlobObject, body: "x", size: 10}), nil, "10 bytes has 1"},
		"sum":               {newPack(part{kind: plumbing.BlobObject, body: strings.Repeat("x", 5000)}, part{kind: plumbing.BlobObject, body: strings.Repeat("y", 5000)}, part{kind: plumbing.BlobObject, body: "z"}), source.ErrTooLarge, "MaxBytes"},
		"claimed delta":     {newPack(base, part{kind: plumbing.OFSDeltaObject, body: claim, back: 1}), source.ErrTooLarge, "MaxFileBytes"},
		"delta bombs":       {newPack(bombs...), source.ErrTooLarge, "MaxBytes"},
		"malformed delta":   {newPack(base, part{kind: plumbing.OFSDeltaObject, body: "\xff", back: 1}), nil, "malformed"},
		"no base":           {newPack(part{kind: plumbing.REFDeltaObject, body: patch(4, "x"), base: blob("none")}), errIncomplete, ""},
		"circle":            {newPack(part{kind: plumbing.REFDeltaObject, body: patch(1, "a"), base: blob("b")}, part{kind: plumbing.REFDeltaObject, body: patch(1, "b"), base: blob("a")}), errIncomplete, ""},
		"kind":              {newPack(part{kind: 5, body: "a"}), nil, "unknown type"},
		"checksum":          {append(newPack(base)[:40], make([]byte, 20)...), nil, "pack"},
		"cut":               {newPack(base)[:20], nil, "EOF"},
		"nothing":           {nil, nil, "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readPack(t.Context(), bytes.NewReader(tt.pack), nil, small)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

func FuzzReadPack(f *testing.F) {
	f.Add(newPack(part{kind: plumbing.BlobObject, body: "base"}, part{kind: plumbing.OFSDeltaObject, body: patch(4, "delta"), back: 1})[12:])
	f.Add(newPack(part{kind: plumbing.REFDeltaObject, body: patch(4, "x"), base: blob("base")}, part{kind: plumbing.TreeObject, body: tree("100644 a", "hash")})[12:])
	f.Fuzz(func(t *testing.T, rest []byte) {
		// The header is given, so that what is tried gets past it.
		pack := append([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x02"), rest...)
		got, err := readPack(t.Context(), bytes.NewReader(pack), nil, small)
		total := 0
		for hash, o := range got {
			if total += len(o.body); plumbing.ComputeHash(o.kind, o.body) != hash {
				t.Errorf("%s has another hash", hash)
			}
		}
		if err == nil && int64(total) > small.MaxBytes {
			t.Errorf("got %d bytes", total)
		}
	})
}
