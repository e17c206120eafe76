package pack

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

var (
	large = source.Limits{MaxFiles: 1 << 20, MaxBytes: 4 << 30}.WithDefaults()
	small = source.Limits{MaxFiles: 20, MaxBytes: 10_000, MaxFileBytes: 5_000}.WithDefaults()
)

func sameSet(t *testing.T, got, want object.Set) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %d objects, want %d", len(got), len(want))
	}
	for hash, o := range want {
		if g, ok := got[hash]; !ok || g.Kind != o.Kind || !bytes.Equal(g.Body(), o.Body()) {
			t.Errorf("%s: got a %s of %d bytes (%v), want a %s of %d", hash, g.Kind, g.Size(), ok, o.Kind, o.Size())
		}
	}
}

func TestReadMadePacks(t *testing.T) {
	long := strings.Repeat("b", 300)
	copies := string(append(patchHead(300, 299), 0x91, 2, 255, 0x90, 42, 2, 'x', 'y'))
	for name, tt := range map[string]struct {
		parts []part
		want  []string
	}{
		"whole":           {[]part{blobPart("a"), blobPart(long)}, []string{"a", long}},
		"an empty object": {[]part{blobPart("")}, []string{""}},
		"no objects":      {nil, nil},
		"by offset":       {[]part{blobPart("base"), deltaPart(patchOf(4, "delta")), deltaPart(patchOf(5, "second"))}, []string{"base", "delta", "second"}},
		"by hash, in the wrong order": {[]part{hashPart("delta", patchOf(5, "second")), hashPart("base", patchOf(4, "delta")),
			blobPart("base")}, []string{"base", "delta", "second"}},
		"by offset of one that waits":        {[]part{hashPart("base", patchOf(4, "delta")), deltaPart(patchOf(5, "second")), blobPart("base")}, []string{"base", "delta", "second"}},
		"many on one base":                   {[]part{blobPart("base"), {kind: offsetDelta, back: 1, body: patchOf(4, "1")}, {kind: offsetDelta, back: 2, body: patchOf(4, "2")}, hashPart("base", patchOf(4, "3"))}, []string{"base", "1", "2", "3"}},
		"thin":                               {[]part{hashPart("outside", patchOf(7, "inside")), deltaPart(patchOf(6, "more"))}, []string{"inside", "more"}},
		"thin, and what waits for its delta": {[]part{hashPart("inside", patchOf(6, "more")), hashPart("outside", patchOf(7, "inside"))}, []string{"inside", "more"}},
		"the same two":                       {[]part{blobPart("a"), blobPart("a"), deltaPart(patchOf(1, "b"))}, []string{"a", "b"}},
		"the same by a delta":                {[]part{blobPart("a"), deltaPart(patchOf(1, "a")), deltaPart(patchOf(1, "b"))}, []string{"a", "b"}},
		"copies":                             {[]part{blobPart(long), deltaPart(copies)}, []string{long, strings.Repeat("b", 297) + "xy"}},
		"stored":                             {[]part{{kind: object.Blob, body: long, stored: true}}, []string{long}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(t.Context(), bytes.NewReader(packOf(tt.parts...)), haveOf("outside"), small)
			if err != nil {
				t.Fatal(err)
			}
			sameSet(t, got, setOf(tt.want...))
		})
	}
}

func TestReadKeepsKinds(t *testing.T) {
	pack := packOf(part{kind: object.Tag, body: "tag"}, part{kind: object.Commit, body: "commit"}, part{kind: object.Tree, body: "tree"},
		deltaPart(patchOf(4, "tree 2")))
	got, err := Read(t.Context(), bytes.NewReader(pack), nil, small)
	if err != nil {
		t.Fatal(err)
	}
	for kind, body := range map[object.Kind]string{object.Tag: "tag", object.Commit: "commit", object.Tree: "tree 2"} {
		hash, err := object.NewHasher().Sum(kind, []byte(body))
		if o := got[hash]; err != nil || o.Kind != kind || string(o.Body()) != body {
			t.Errorf("%s: got %s %q, %v", kind, o.Kind, o.Body(), err)
		}
	}
}

func TestReadAsksForWhatIsMissingOnce(t *testing.T) {
	asked := make(map[object.Hash]int)
	have := func(hash object.Hash) (object.Object, bool) {
		asked[hash]++
		return haveOf("outside")(hash)
	}
	pack := packOf(hashPart("outside", patchOf(7, "1")), hashPart("outside", patchOf(7, "2")), hashPart("base", patchOf(4, "3")), blobPart("base"))
	got, err := Read(t.Context(), bytes.NewReader(pack), have, small)
	if err != nil || len(got) != 4 || len(asked) != 1 || asked[blobHash("outside")] != 1 {
		t.Errorf("got %d objects, %v, after asking for %v", len(got), err, asked)
	}
}

func TestReadLimits(t *testing.T) {
	var bombs, many []part
	bombs = append(bombs, blobPart("base"))
	for i := range 5 {
		bombs = append(bombs, hashPart("base", patchOf(4, strings.Repeat(strconv.Itoa(i), 1250))))
	}
	copies := append(patchHead(1000, 4000), 0xb0, 0xe8, 3, 0xb0, 0xe8, 3, 0xb0, 0xe8, 3, 0xb0, 0xe8, 3)
	copied := []part{blobPart(strings.Repeat("x", 1000)), deltaPart(string(copies)), {kind: offsetDelta, body: string(copies), back: 2}, {kind: offsetDelta, body: string(copies), back: 3}}
	for range 37 {
		many = append(many, blobPart("a"))
	}
	for name, tt := range map[string]struct {
		parts  []part
		option string // none: it is within the limits
	}{
		"as many":          {many[:36], ""},
		"one too many":     {many, "Limits.MaxFiles"},
		"as large":         {[]part{blobPart(strings.Repeat("x", 5000))}, ""},
		"too large":        {[]part{blobPart(strings.Repeat("x", 5001))}, "Limits.MaxFileBytes"},
		"said to be large": {[]part{{kind: object.Blob, size: 1 << 62}}, "Limits.MaxFileBytes"},
		"all together":     {[]part{blobPart(strings.Repeat("x", 5000)), blobPart(strings.Repeat("y", 5000))}, ""},
		"all too large":    {[]part{blobPart(strings.Repeat("x", 5000)), blobPart(strings.Repeat("y", 5000)), blobPart("z")}, "Limits.MaxBytes"},
		"a claimed result": {[]part{blobPart("base"), deltaPart(string(patchHead(4, 1<<40)))}, "Limits.MaxFileBytes"},
		"a result beyond":  {[]part{blobPart("base"), deltaPart(string(patchHead(4, math.MaxInt64)))}, "Limits.MaxFileBytes"},
		"a large patch":    {[]part{blobPart("base"), deltaPart(patchOf(4, strings.Repeat("x", 4990)))}, "Limits.MaxFileBytes"},
		"deltas":           {bombs, ""},
		"too many deltas":  {append(bombs, bombs[1:5]...), "Limits.MaxBytes"},
		"copies":           {copied[:3], ""},
		"delta bombs":      {copied, "Limits.MaxBytes"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := Read(t.Context(), bytes.NewReader(packOf(tt.parts...)), nil, small)
			var limit *source.LimitError
			switch {
			case tt.option == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.option != "" && (set != nil || !errors.As(err, &limit) || limit.Option != tt.option):
				t.Errorf("got %v, want one of %s", err, tt.option)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	base, good := blobPart("base"), packOf(blobPart("base"))
	_, offsets := makePack(base, base)
	aside := append(signed(nil)[:0], packOf(base, deltaPart(patchOf(4, "x")))...)
	aside[offsets[1]+1]++ // the distance
	for name, tt := range map[string]struct {
		pack []byte
		want error
		text string
	}{
		"nothing":             {nil, io.ErrUnexpectedEOF, "at byte 0"},
		"no pack":             {[]byte("<html><body>not found"), nil, "no pack"},
		"another version":     {signed([]byte("PACK\x00\x00\x00\x04\x00\x00\x00\x00")), nil, "version"},
		"longer than said":    {packOf(part{kind: object.Blob, body: strings.Repeat("x", 4000), size: 10}), nil, "longer than it says"},
		"stored, longer":      {packOf(part{kind: object.Blob, raw: deflated(strings.Repeat("x", 4000), 0), size: 10}), nil, "longer than it says"},
		"shorter than said":   {packOf(part{kind: object.Blob, body: "x", size: 10}), nil, "shorter than it says"},
		"no zlib":             {packOf(part{kind: object.Blob, body: "x", raw: []byte("raw bytes that are no zlib stream")}), nil, "at byte 15: no zlib"},
		"a dictionary":        {packOf(part{kind: object.Blob, body: "x", raw: append([]byte{0x78, 0xbb}, make([]byte, 30)...)}), nil, "no zlib"},
		"no block":            {packOf(part{kind: object.Blob, body: "x", raw: append([]byte{0x78, 0x9c, 7}, make([]byte, 30)...)}), nil, "unknown kind of block"},
		"a size without end":  {signed(append([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\xb1"), bytes.Repeat([]byte{0xff}, 30)...)), nil, "no number"},
		"no kind":             {packOf(part{kind: 0, body: "a"}), nil, "kind"},
		"the reserved kind":   {packOf(part{kind: 5, body: "a"}), nil, "kind"},
		"no delta":            {packOf(base, deltaPart("\xff")), nil, "not for its base"},
		"for another base":    {packOf(base, deltaPart(patchOf(5, "x"))), nil, "not for its base"},
		"nothing done":        {packOf(base, deltaPart(string(append(patchHead(4, 1), 0)))), nil, "malformed"},
		"less than said":      {packOf(base, deltaPart(string(append(patchHead(4, 3), 2, 'x', 'y')))), nil, "malformed"},
		"more than said":      {packOf(base, deltaPart(string(append(patchHead(4, 1), 2, 'x', 'y')))), nil, "malformed"},
		"a cut insertion":     {packOf(base, deltaPart(string(append(patchHead(4, 2), 2, 'x')))), nil, "malformed"},
		"a cut copy":          {packOf(base, deltaPart(string(append(patchHead(4, 2), 0x9f, 1)))), nil, "malformed"},
		"a copy from beyond":  {packOf(base, deltaPart(string(append(patchHead(4, 2), 0x91, 3, 2)))), nil, "malformed"},
		"a far copy":          {packOf(base, deltaPart(string(append(patchHead(4, 2), 0x9f, 255, 255, 255, 255, 2)))), nil, "malformed"},
		"a base aside":        {signed(aside[:len(aside)-20]), nil, "no object of the pack"},
		"itself for a base":   {packOf(part{kind: offsetDelta, body: patchOf(4, "x"), back: 0}), nil, "no object of the pack"},
		"before the pack":     {signed(append([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x65"), bytes.Repeat([]byte{0xff}, 40)...)), nil, "before the pack"},
		"no base":             {packOf(hashPart("none", patchOf(4, "x"))), ErrIncomplete, ""},
		"a circle":            {packOf(hashPart("b", patchOf(1, "a")), hashPart("a", patchOf(1, "b"))), ErrIncomplete, ""},
		"another sum":         {append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1), nil, "SHA-1"},
		"something behind it": {append(bytes.Clone(good), 'x'), nil, "follows"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := Read(t.Context(), bytes.NewReader(tt.pack), haveOf("outside"), small)
			var format *FormatError
			switch {
			case err == nil || set != nil && tt.want != ErrIncomplete:
				t.Errorf("got %d objects, %v", len(set), err)
			case tt.want != nil && !errors.Is(err, tt.want), !strings.Contains(err.Error(), tt.text):
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			case tt.want != ErrIncomplete && !errors.As(err, &format):
				t.Errorf("got %v, which is no FormatError", err)
			}
		})
	}
}

func TestReadFollowsLongChains(t *testing.T) {
	const length = 20_000
	bodies := make([]string, length)
	var forth, back []part
	for i := range bodies {
		bodies[i] = strconv.Itoa(100_000 + i)
		if i == 0 {
			forth = append(forth, blobPart(bodies[0]))
			continue
		}
		patch := patchOf(6, bodies[i])
		forth = append(forth, deltaPart(patch))
		back = append(back, hashPart(bodies[i-1], patch))
	}
	for i := range len(back) / 2 { // each comes before its base
		back[i], back[len(back)-1-i] = back[len(back)-1-i], back[i]
	}
	for name, parts := range map[string][]part{"by offset": forth, "by hash": append(back, forth[0])} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(t.Context(), bytes.NewReader(packOf(parts...)), nil, large)
			if err != nil {
				t.Fatal(err)
			}
			sameSet(t, got, setOf(bodies...))
		})
	}
}
