package apply

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A sum is a shortened SHA-256: 96 bits, so that an inventory of many objects stays small. Whoever could make two
// manifests with one sum could only keep his own change from being applied.
type sum [12]byte

// intent is the sum of a manifest, of who sends it, and of what of it is left to others.
func intent(manifest map[string]any, manager string, ignored []pointer) sum {
	return new(digester).intent(manifest, manager, ignored)
}

func (d *digester) intent(manifest map[string]any, manager string, ignored []pointer) sum {
	d.text(manager)
	for _, p := range ignored {
		for _, part := range p {
			d.text(part)
		}
		d.text("")
	}
	d.value(manifest)
	return d.short()
}

// priorityClass is a kind whose generation is 1 for ever.
var priorityClass = schema.GroupKind{Group: "scheduling.k8s.io", Kind: "PriorityClass"}

// fingerprint is the sum of those parts of an object's metadata that tell whether sending the manifest again would change
// anything. The kind's generation counts its changes of spec. Labels and annotations count where the manifest has them.
// Who changed what else is in managedFields, of which the status is none of ours. A kind without a generation is as its
// resourceVersion says. Where fields are left to others, only what the manager owns counts.
func (m *member) fingerprint(live *metav1.PartialObjectMetadata, manager string) sum {
	return m.fingerprintBy(new(digester), live, manager)
}

func (m *member) fingerprintBy(d *digester, live *metav1.PartialObjectMetadata, manager string) sum {
	if len(m.ignored) > 0 {
		return ownedSum(live, manager)
	}
	d.text(string(live.UID))
	if live.Generation == 0 || m.ref.groupKind() == priorityClass {
		d.text(live.ResourceVersion)
		return d.short()
	}
	d.number(uint64(live.Generation))
	d.text(live.Labels[partOfLabel])
	d.wanted(live.Labels, m.given("labels"))
	d.wanted(live.Annotations, m.given("annotations"))
	for _, o := range live.OwnerReferences {
		d.text(fmt.Sprintf("%s %s %s %s %v %v", o.UID, o.APIVersion, o.Kind, o.Name, o.Controller != nil && *o.Controller,
			o.BlockOwnerDeletion != nil && *o.BlockOwnerDeletion))
	}
	for _, f := range live.ManagedFields {
		if f.Subresource == "status" {
			continue
		}
		d.text(f.Manager)
		d.text(string(f.Operation))
		d.text(f.APIVersion)
		d.text(f.Subresource)
		if f.Time != nil {
			d.number(uint64(f.Time.Unix()))
		}
		if f.FieldsV1 != nil {
			d.text(f.FieldsV1.GetRawString())
		}
	}
	return d.short()
}

// A digester gathers values to be summed, each with its kind and its length ahead, so that no two values look alike. It
// may be used again after short.
type digester struct{ buffer []byte }

func (d *digester) short() sum {
	whole := sha256.Sum256(d.buffer)
	d.buffer = d.buffer[:0]
	return sum(whole[:len(sum{})])
}

func (d *digester) number(n uint64) { d.buffer = binary.BigEndian.AppendUint64(d.buffer, n) }

func (d *digester) text(s string) {
	d.number(uint64(len(s)))
	d.buffer = append(d.buffer, s...)
}

func (d *digester) value(v any) {
	switch v := v.(type) {
	case map[string]any:
		d.text("{" + strconv.Itoa(len(v)))
		for _, k := range sortedKeys(v) {
			d.text(k)
			d.value(v[k])
		}
	case []any:
		d.text("[" + strconv.Itoa(len(v)))
		for _, e := range v {
			d.value(e)
		}
	case string:
		d.text("s")
		d.text(v)
	case bool:
		d.text("b" + strconv.FormatBool(v))
	case int64:
		d.text("i")
		d.number(uint64(v))
	case float64:
		d.text("f")
		d.number(math.Float64bits(v))
	case nil:
		d.text("0")
	default: // no manifest read from YAML or JSON has it, one that a program made may
		d.text(fmt.Sprintf("%T %v", v, v))
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// wanted adds those entries of the live labels or annotations that the manifest names.
func (d *digester) wanted(live map[string]string, manifest map[string]any) {
	for _, k := range sortedKeys(manifest) {
		d.text(k)
		value, ok := live[k]
		d.text(strconv.FormatBool(ok) + value)
	}
}
