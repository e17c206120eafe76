package pack

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// manifestText is text of about a size, as it stands in repositories.
func manifestText(random *rand.Rand, size int) string {
	var text strings.Builder
	for text.Len() < size {
		fmt.Fprintf(&text, "- name: web-%d\n  image: registry.example/web:v%d\n  replicas: %d\n", random.IntN(1000), random.IntN(100),
			random.IntN(10))
	}
	return text.String()
}

// grownPatch makes what follows a base of the size out of it.
func grownPatch(size int, more string) string {
	patch := append(patchHead(size, size+len(more)), 0xb0, byte(size), byte(size>>8), byte(len(more)))
	return string(patch) + more
}

// heldParts are objects of all sizes that are held in different ways, with several deltas on each, of which some come before
// it and most long after what it came in was used for others.
func heldParts() (parts []part, want []string) {
	random := rand.New(rand.NewPCG(1, 2))
	bodies := make([]string, 200)
	for i := range bodies {
		bodies[i] = manifestText(random, []int{10, 1000, 5000, 20_000, 63_000}[i%5])
	}
	for i, body := range bodies {
		if i%10 == 3 {
			parts = append(parts, hashPart(body, grownPatch(len(body), "early")))
			want = append(want, body+"early")
		}
		parts = append(parts, blobPart(body))
		want = append(want, body)
	}
	for round := range 3 {
		for _, body := range bodies {
			more := fmt.Sprint("late ", round)
			parts = append(parts, hashPart(body, grownPatch(len(body), more)), deltaPart(grownPatch(len(body)+len(more), "!")))
			want = append(want, body+more, body+more+"!")
		}
	}
	return parts, want
}

func TestReadLeavesNothingInMemoryThatIsUsedAgain(t *testing.T) {
	parts, want := heldParts()
	got, err := Read(t.Context(), bytes.NewReader(packOf(parts...)), nil, large)
	if err != nil {
		t.Fatal(err)
	}
	sameSet(t, got, setOf(want...))
}

func TestReadHoldsManifestsCompressed(t *testing.T) {
	parts, want := heldParts()
	got, err := Read(t.Context(), bytes.NewReader(packOf(parts...)), nil, large)
	if err != nil {
		t.Fatal(err)
	}
	size, held := 0, 0
	for _, body := range want {
		o := got[blobHash(body)]
		if o.Size() != len(body) {
			t.Fatalf("an object says %d bytes and has %d", o.Size(), len(body))
		}
		if len(body) <= object.MaxPacked {
			size += o.Size()
			held += o.Held()
		}
	}
	if held > size/2 {
		t.Errorf("%d bytes are held for %d", held, size)
	}
}
