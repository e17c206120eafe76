package apply

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	services    = resource{schema.GroupVersionKind{Version: "v1", Kind: "Service"}, "services", true}
	deployments = resource{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, "deployments", true}
	namespaces  = resource{schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "namespaces", false}
)

// sampleInventory has n objects of four kinds, most of which were applied.
func sampleInventory(n int) *inventory {
	v := newInventory()
	v.revalidated = time.Unix(1700000000, 0)
	for i := range n {
		r := []resource{configMaps, services, deployments, namespaces}[i%4]
		ref := Ref{Group: r.Group, Kind: r.Kind, Name: fmt.Sprintf("application-%d", i/4)}
		if r.Namespaced {
			ref.Namespace = fmt.Sprintf("team-%d", i/40)
		}
		e := entry{applied: i%7 != 6}
		if e.applied {
			e.intent = intent(map[string]any{"i": int64(i)}, "x", nil)
			e.fingerprint = intent(map[string]any{"j": int64(i)}, "x", nil)
		}
		v.add(ref, r, e)
	}
	return v
}

func encodedInventory(v *inventory) []byte { return v.encode(v.refs(nil), nil) }

func decoded(data []byte, limit int64) (*inventory, error) {
	d := newDecoder(limit, len(data))
	_, err := d.read(data)
	return d.inventory, err
}

func goldenInventory(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The files are of an inventory as clusters have it: they are to be read for ever.
func TestInventoryReadsWhatOlderVersionsWrote(t *testing.T) {
	for _, name := range []string{"inventory-v1", "inventory-v2"} {
		got, err := decoded(goldenInventory(t, name), 1<<20)
		if want := sampleInventory(60); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, %v, want %v", name, got, err, want)
		}
	}
	if !slices.Equal(encodedInventory(sampleInventory(60)), goldenInventory(t, "inventory-v2")) {
		t.Error("the same inventory has other bytes than it had")
	}
}

func TestInventoryKeepsWhatItIsTold(t *testing.T) {
	v := sampleInventory(200)
	v.writer = "somebody"
	for _, want := range []*inventory{v, v.clone(), newInventory()} {
		got, err := decoded(encodedInventory(want), 1<<20)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v became %v, %v", want, got, err)
		}
	}
}

func TestInventoryIsBoundedAndDeterministic(t *testing.T) {
	v := newInventory()
	for i := range 1000 {
		v.add(Ref{Kind: "ConfigMap", Namespace: "n", Name: fmt.Sprint("name-", i)}, configMaps, entry{})
	}
	one := encodedInventory(v)
	if two := encodedInventory(v.clone()); !slices.Equal(one, two) {
		t.Error("the same inventory has other bytes")
	}
	for _, data := range [][]byte{one, goldenInventory(t, "inventory-v1")} {
		_, err := decoded(data, 1000)
		if !errors.Is(err, ErrTooLarge) || !errors.Is(err, ErrInventory) || !strings.Contains(err.Error(), "MaxInventoryBytes") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestInventoryRefusesWhatItDoesNotUnderstand(t *testing.T) {
	v := newInventory()
	a, b := Ref{Kind: "ConfigMap", Namespace: "n", Name: "a"}, Ref{Kind: "ConfigMap", Namespace: "n", Name: "b"}
	service, path := Ref{Kind: "Service", Namespace: "n", Name: "a"}, Ref{Kind: "ConfigMap", Namespace: "n", Name: "../a"}
	v.add(a, configMaps, entry{applied: true, intent: sum{1}, fingerprint: sum{2}})
	v.add(b, configMaps, entry{})
	v.add(service, services, entry{})
	good := v.encode([]Ref{a, b, service}, nil)
	if got, err := decoded(good, 1<<20); err != nil || !reflect.DeepEqual(got, v) {
		t.Fatalf("%v became %v, %v", v, got, err)
	}
	for i := range good {
		flipped := slices.Clone(good)
		flipped[i] ^= 4
		for what, data := range map[string][]byte{"cut off": good[:i], "cut off and sealed": sealed(good[:min(i, len(good)-crc32.Size-1)]), "flipped": flipped} {
			if _, err := decoded(data, 1<<20); !errors.Is(err, ErrInventory) {
				t.Errorf("%s at %d: the error is %v, want ErrInventory", what, i, err)
			}
		}
	}
	odd := v.clone()
	odd.kinds[a.groupKind()] = resource{configMaps.GroupVersionKind, "../configmaps", true}
	for says, data := range map[string][]byte{
		"does not begin":  []byte("no inventory"),
		`version is "3"`:  []byte(title + "3\nwho knows"),
		"more than it":    sealed(append(slices.Clone(good[:len(good)-crc32.Size]), 0)),
		"in their order":  v.encode([]Ref{b, a}, nil),
		"is in it twice":  v.encode([]Ref{a, service, a}, nil),
		`"../a"`:          v.encode([]Ref{path, a}, nil),
		"../configmaps":   encodedInventory(odd),
		"power of two":    v.encode(nil, make([]shard, 3)),
		"has no name":     v.encode(nil, make([]shard, 2)),
		"unexpected EOF":  goldenInventory(t, "inventory-v1")[:500],
		"flags 0xff":      sealed(append([]byte(title+version+"\x00\x00\x00\x01\x00\x01v\x01k\x01p\x00"), 0xff, 0)),
		"shares more":     sealed([]byte(title + version + "\x00\x00\x00\x01\x00\x01v\x01k\x01p\x00\x00\x09\x01a\x00")),
		"number is too":   sealed([]byte(title + version + "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")),
		"its checksum is": append(slices.Clone(good), 1),
	} {
		if _, err := decoded(data, 1<<20); !errors.Is(err, ErrInventory) || !strings.Contains(err.Error(), says) {
			t.Errorf("the error is %v, want ErrInventory that says %s", err, says)
		}
	}
}

// sealed has the checksum that the text wants.
func sealed(text []byte) []byte {
	text = slices.Clone(text)
	return binary.BigEndian.AppendUint32(text, crc32.ChecksumIEEE(text))
}

func FuzzDecodeInventory(f *testing.F) {
	v := sampleInventory(9)
	v.writer = "w"
	two := encodedInventory(v)
	f.Add(two)
	f.Add(two[:len(two)/2])
	f.Add(two[:len(two)-crc32.Size]) // the target gives it its checksum
	f.Add(v.encode(nil, []shard{{name: "a", size: 1}, {name: "b", size: 2}}))
	f.Add(goldenInventory(f, "inventory-v1"))
	f.Add([]byte("no inventory"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, sealed(data)} {
			d := newDecoder(1<<20, len(data))
			shards, err := d.read(data)
			if err != nil {
				if !errors.Is(err, ErrInventory) {
					t.Errorf("the error is %v, want ErrInventory", err)
				}
				continue
			}
			again := newDecoder(1<<20, len(data))
			same, err := again.read(d.inventory.encode(d.inventory.refs(nil), shards))
			if err != nil || !reflect.DeepEqual(again.inventory.entries, d.inventory.entries) || !reflect.DeepEqual(same, shards) {
				t.Errorf("%v with %v became %v with %v, %v", d.inventory, shards, again.inventory, same, err)
			}
		}
	})
}

func BenchmarkInventory(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		v := sampleInventory(n)
		data := encodedInventory(v)
		b.Run(fmt.Sprint("encode-", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				encodedInventory(v)
			}
			b.ReportMetric(float64(len(data))/float64(n), "B/object")
		})
		b.Run(fmt.Sprint("decode-", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decoded(data, 1<<30); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
