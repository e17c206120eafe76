package pack

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// smallGitPack is a pack that git made, with all kinds of objects and both kinds of delta, and what it has.
func smallGitPack(t *testing.T) (pack []byte, have func(object.Hash) (object.Object, bool), want object.Set) {
	r := newPackRepository(t)
	r.commits(6, 4, 600)
	thin := r.pack("main\nv1\n^main~3", "--thin", "--delta-base-offset")
	old := r.objects(r.reachable("main~3"))
	have = func(hash object.Hash) (object.Object, bool) { o, ok := old[hash]; return o, ok }
	return thin, have, r.objects(r.reachable("main", "v1", "^main~3"))
}

func TestReadGitsThinPack(t *testing.T) {
	pack, have, want := smallGitPack(t)
	got, err := Read(t.Context(), bytes.NewReader(pack), have, large)
	if err != nil {
		t.Fatal(err)
	}
	sameSet(t, got, want)
	if _, err := Read(t.Context(), bytes.NewReader(pack), nil, large); !errors.Is(err, ErrIncomplete) {
		t.Errorf("without its bases: %v", err)
	}
}

func TestReadPackThatIsCutAnywhere(t *testing.T) {
	pack, have, _ := smallGitPack(t)
	for n := range pack {
		var format *FormatError
		_, err := Read(t.Context(), bytes.NewReader(pack[:n]), have, large)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &format) || format.Offset != int64(n) {
			t.Fatalf("%d bytes of %d: %v", n, len(pack), err)
		}
	}
}

func TestReadPackWithAnyByteFlipped(t *testing.T) {
	pack, have, want := smallGitPack(t)
	limits := source.Limits{MaxBytes: 1 << 20, MaxFileBytes: 1 << 19, MaxFiles: 1000}.WithDefaults()
	for n := range pack {
		flipped := bytes.Clone(pack)
		flipped[n] ^= 1 << (n % 8)
		if got, err := Read(t.Context(), bytes.NewReader(flipped), have, limits); err == nil || got != nil {
			t.Fatalf("byte %d: got %d objects, %v", n, len(got), err)
		}
		// With a sum that is right, there may be another pack; whatever it has is under its own hash.
		got, err := Read(t.Context(), bytes.NewReader(signed(flipped[:len(flipped)-20])), have, limits)
		if err != nil {
			continue
		}
		trueHashes(t, got)
		for hash, o := range want {
			if g, ok := got[hash]; ok && !bytes.Equal(g.Body(), o.Body()) {
				t.Fatalf("byte %d: %s has another body", n, hash)
			}
		}
	}
}

func trueHashes(t *testing.T, set object.Set) (sum int64) {
	t.Helper()
	hasher := object.NewHasher()
	for hash, o := range set {
		if true, err := hasher.Sum(o.Kind, o.Body()); err != nil || true != hash {
			t.Errorf("%s is %s, %v", hash, true, err)
		}
		sum += int64(o.Size())
	}
	return sum
}

func TestReadFromAnyReader(t *testing.T) {
	pack, have, want := smallGitPack(t)
	for name, r := range map[string]io.Reader{
		"byte by byte":        iotest.OneByteReader(bytes.NewReader(pack)),
		"by halves":           iotest.HalfReader(bytes.NewReader(pack)),
		"with its end":        iotest.DataErrReader(bytes.NewReader(pack)),
		"with empty reads":    &emptyReads{r: bytes.NewReader(pack)},
		"with its end, bytes": iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(pack))),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(t.Context(), r, have, large)
			if err != nil {
				t.Fatal(err)
			}
			sameSet(t, got, want)
		})
	}
}

// emptyReads reads nothing every other time.
type emptyReads struct {
	r     io.Reader
	calls int
}

func (e *emptyReads) Read(p []byte) (int, error) {
	if e.calls++; e.calls%2 == 0 {
		return 0, nil
	}
	return e.r.Read(p[:min(len(p), 7)])
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestReadTellsItsReadersError(t *testing.T) {
	pack, have, _ := smallGitPack(t)
	broken := errors.New("broken")
	for n := 0; n <= len(pack); n += 97 {
		r := io.MultiReader(bytes.NewReader(pack[:n]), iotest.ErrReader(broken))
		if _, err := Read(t.Context(), r, have, large); !errors.Is(err, broken) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
	if _, err := Read(t.Context(), io.MultiReader(bytes.NewReader(pack), iotest.ErrReader(broken)), have, large); !errors.Is(err, broken) {
		t.Errorf("after all of it: %v", err)
	}
	if _, err := Read(t.Context(), readerFunc(func([]byte) (int, error) { return 0, nil }), have, large); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("nothing comes: %v", err)
	}
	if _, err := Read(t.Context(), readerFunc(func(p []byte) (int, error) { return len(p) + 1, nil }), have, large); err == nil {
		t.Error("a reader that reads more than it can is believed")
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	pack, have, _ := smallGitPack(t)
	for n := 0; n <= len(pack); n += len(pack) / 20 {
		synctest.Test(t, func(t *testing.T) { // which fails if a goroutine stays behind
			ctx, cancel := context.WithCancel(t.Context())
			stall := readerFunc(func([]byte) (int, error) {
				cancel()
				<-ctx.Done()
				return 0, errors.New("the connection is gone")
			})
			_, err := Read(ctx, io.MultiReader(bytes.NewReader(pack[:n]), stall), have, large)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("after %d bytes: %v", n, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	stops := func(hash object.Hash) (object.Object, bool) { cancel(); return have(hash) }
	if _, err := Read(ctx, bytes.NewReader(pack), stops, large); !errors.Is(err, context.Canceled) {
		t.Errorf("while it is completed: %v", err)
	}
	if _, err := Read(ctx, bytes.NewReader(pack), have, large); !errors.Is(err, context.Canceled) {
		t.Errorf("before it starts: %v", err)
	}
}

func TestReadLeavesNoGoroutine(t *testing.T) {
	pack, have, _ := smallGitPack(t)
	for _, in := range [][]byte{pack, pack[:len(pack)/2], nil, packOf(blobPart("base"), deltaPart("x"), blobPart("more"))} {
		synctest.Test(t, func(t *testing.T) {
			Read(t.Context(), bytes.NewReader(in), have, large)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("a panic of the reader is lost")
			}
		}()
		Read(t.Context(), io.MultiReader(bytes.NewReader(pack[:500]), readerFunc(func([]byte) (int, error) { panic("reader") })), have, large)
	})
}

// TestReadTakesMemoryForWhatComes reads packs that claim much and bring little.
func TestReadTakesMemoryForWhatComes(t *testing.T) {
	limits := source.Limits{}.WithDefaults()
	size := uint64(limits.MaxFileBytes)
	manyClaimed := signed([]byte("PACK\x00\x00\x00\x02\x00\x01\x86\xa0"))
	bomb := packOf(blobPart("base"), deltaPart(string(append(patchHead(4, int(size)), 4, 'a', 'b', 'c', 'd'))))
	for name, pack := range map[string][]byte{
		"an object":    packOf(part{kind: object.Blob, size: size, body: "x"}),
		"its start":    packOf(part{kind: object.Blob, size: size, body: "x"})[:20],
		"many objects": manyClaimed,
		"a delta":      bomb,
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Read(t.Context(), bytes.NewReader(pack), nil, limits)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("it is read")
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 8<<20 {
				t.Errorf("%d bytes of memory are taken for a pack of %d", took, len(pack))
			}
		})
	}
}

// FuzzRead reads what it is given as the rest of a pack of so many objects.
func FuzzRead(f *testing.F) {
	for _, parts := range [][]part{
		{blobPart("base"), deltaPart(patchOf(4, "delta"))},
		{hashPart("base", patchOf(4, "x")), {kind: object.Tree, body: "100644 a\x00aaaaaaaaaaaaaaaaaaaa"}},
		{blobPart(strings.Repeat("abc", 500)), deltaPart(string(append(patchHead(1500, 1000), 0xb0, 0xe8, 3)))},
		{hashPart("outside", patchOf(7, "x")), {kind: object.Blob, body: "stored", stored: true}},
	} {
		pack := packOf(parts...)
		f.Add(pack[12:len(pack)-20], uint32(len(parts)), false)
		f.Add(pack[12:], uint32(len(parts)), true)
	}
	f.Fuzz(func(t *testing.T, rest []byte, count uint32, whole bool) {
		pack := append(binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), count), rest...)
		if !whole {
			pack = signed(pack)
		}
		readFuzzed(t, pack)
	})
}

// FuzzReadDeltas makes packs that are well-formed down to their patches.
func FuzzReadDeltas(f *testing.F) {
	f.Add([]byte("base"), patchOf(4, "delta"), patchOf(5, "second"), uint64(1))
	f.Add(bytes.Repeat([]byte("x"), 1000), string(append(patchHead(1000, 1002), 0xb0, 0xe8, 3, 2, 'y', 'z')), patchOf(1002, "z"), uint64(2))
	f.Add([]byte("outside"), patchOf(7, "1"), string(append(patchHead(7, 4), 0x91, 1, 4)), uint64(3))
	f.Add([]byte("outside"), patchOf(7, ""), patchOf(0, "x"), uint64(77))
	f.Fuzz(func(t *testing.T, base []byte, first, second string, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		bodies := []string{string(base), "outside", "none"}
		parts := []part{{kind: object.Kind(1 + random.IntN(4)), body: string(base)}}
		for range random.IntN(12) {
			p := part{kind: offsetDelta, back: 1 + random.IntN(len(parts)), stored: random.IntN(2) == 0}
			if p.body = first; random.IntN(2) == 0 {
				p.body = second
			}
			if random.IntN(3) == 0 {
				p.kind, p.base = hashDelta, blobHash(bodies[random.IntN(len(bodies))])
			}
			parts = append(parts, p)
			bodies = append(bodies, first, second)
		}
		if random.IntN(2) == 0 { // the base comes last, for those that are by hash
			parts = append(parts[1:], parts[0])
			parts[0] = blobPart(first)
			for i := range parts {
				parts[i].back = min(parts[i].back, max(i, 0))
			}
		}
		readFuzzed(t, packOf(parts...))
	})
}

func readFuzzed(t *testing.T, pack []byte) {
	t.Helper()
	got, err := Read(t.Context(), bytes.NewReader(pack), haveOf("outside"), small)
	if sum := trueHashes(t, got); sum > small.MaxBytes || len(got) > small.MaxFiles+spareObjects || err != nil && got != nil && !errors.Is(err, ErrIncomplete) {
		t.Errorf("got %d objects of %d bytes, %v", len(got), sum, err)
	}
	again, errAgain := Read(t.Context(), iotest.OneByteReader(bytes.NewReader(pack)), haveOf("outside"), small)
	if (err == nil) != (errAgain == nil) || len(got) != len(again) {
		t.Errorf("got %d objects, %v, and byte by byte %d, %v", len(got), err, len(again), errAgain)
	}
}
