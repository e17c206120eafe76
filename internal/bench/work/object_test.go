package work

import (
	"reflect"
	"testing"
)

func TestObjectsAreTheSameEachTime(t *testing.T) {
	for i := range 2 * len(Kinds) {
		a, b := object(i, 100, "ns", false), object(i, 100, "ns", false)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("object %d differs from itself", i)
		}
		if a.GetKind() != KindOf(i).Name || a.GetName() != NameOf(i) || a.GetNamespace() != "ns" {
			t.Errorf("object %d is a %s %s/%s", i, a.GetKind(), a.GetNamespace(), a.GetName())
		}
		_ = a.DeepCopy() // panics where a value is not one of JSON's
	}
	if reflect.DeepEqual(object(0, 0, "ns", false), object(0, 0, "ns", true)) {
		t.Error("the object that changes does not")
	}
}

func TestObjectsGrowBySize(t *testing.T) {
	const size = 20_000
	for i := range Kinds {
		small, err := object(i, 0, "ns", false).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		big, err := object(i, size, "ns", false).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if grown := len(big) - len(small); grown < size || grown > size*3/2 {
			t.Errorf("%s grew by %d bytes and not by about %d", Kinds[i].Name, grown, size)
		}
	}
}
