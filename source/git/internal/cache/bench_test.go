package cache

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// manifests returns 50,000 objects of 25 MB together.
func manifests(b *testing.B) object.Set {
	random := rand.New(rand.NewPCG(1, 1))
	bodies := make([]string, 50_000)
	for i := range bodies {
		var s strings.Builder
		fmt.Fprintf(&s, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app-%d\n  namespace: team-%d\ndata:\n", i, i%97)
		for s.Len() < 500 {
			fmt.Fprintf(&s, "  key-%d: %x\n", random.IntN(50), random.Uint64())
		}
		bodies[i] = s.String()
	}
	return setOf(b, bodies...)
}

func BenchmarkFolderWarmStart(b *testing.B) {
	set, dir := manifests(b), b.TempDir()
	add(b, openFolder(b, dir, 1<<30).Repository("r"), Record{}, set)
	b.ReportAllocs()
	for b.Loop() {
		if missing(b, openFolder(b, dir, 1<<30).Repository("r"), set) > 0 {
			b.Fatal("objects are missing")
		}
	}
	b.ReportMetric(float64(bytesIn(b, dir))/1e6, "MB-on-disk")
}

func BenchmarkPlainFilesWarmStart(b *testing.B) {
	set, dir := manifests(b), b.TempDir()
	for hash, o := range set {
		name := filepath.Join(dir, hash.String())
		if err := os.WriteFile(name, o.Body(), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		hasher := object.NewHasher()
		for hash, o := range set {
			body, err := os.ReadFile(filepath.Join(dir, hash.String()))
			if err != nil {
				b.Fatal(err)
			}
			if sum, err := hasher.Sum(o.Kind, body); err != nil || sum != hash {
				b.Fatal("another hash")
			}
		}
	}
}

func BenchmarkFolderAdd(b *testing.B) {
	set := manifests(b)
	for b.Loop() {
		add(b, openFolder(b, b.TempDir(), 1<<30).Repository("r"), Record{}, set)
	}
}

func BenchmarkFolderAddOneObject(b *testing.B) {
	set, dir, i := manifests(b), b.TempDir(), 0
	c := openFolder(b, dir, 1<<30)
	add(b, c.Repository("r"), Record{}, set)
	for b.Loop() {
		i++
		for hash, o := range setOf(b, fmt.Sprint(i)) {
			set[hash] = o
		}
		add(b, c.Repository("r"), Record{commitOf(b, set, fmt.Sprint(i)), ""}, set)
	}
}

func BenchmarkMemoryAdd(b *testing.B) {
	set, c, i := manifests(b), Memory(1<<30), 0
	for b.Loop() {
		i++
		add(b, c.Repository("r"), Record{commitOf(b, set, fmt.Sprint(i)), ""}, set)
	}
}

func BenchmarkMemoryObject(b *testing.B) {
	set, c := manifests(b), Memory(1<<30)
	add(b, c.Repository("r"), Record{}, set)
	r := c.Repository("r")
	for b.Loop() {
		for hash := range set {
			if _, ok := r.Object(hash); !ok {
				b.Fatal("an object is missing")
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(set)), "ns/object")
}
