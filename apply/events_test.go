package apply

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// framed is an event as a server sends it in protobuf.
func framed(t testing.TB, kind string, object interface{ Marshal() ([]byte, error) }) []byte {
	t.Helper()
	raw, err := object.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	inEnvelope, err := (&runtime.Unknown{Raw: raw}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	e := metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: append(bytes.Clone(protobufMark), inEnvelope...)}}
	frame, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)
}

// allEvents reads the objects of a stream to its end.
func allEvents(stream []byte) (objects []partialObject, err error) {
	next := readEvents(bytes.NewReader(stream))
	for {
		_, raw, err := next()
		if err != nil {
			return objects, err
		}
		var o partialObject
		if err := decodeEvent(raw, &o); err != nil {
			return objects, err
		}
		objects = append(objects, o)
	}
}

func TestEventsAreReadInEitherForm(t *testing.T) {
	first := partialObject{ObjectMeta: metav1.ObjectMeta{Name: "a", ResourceVersion: "1", Labels: map[string]string{"b": "c"}}}
	second := partialObject{ObjectMeta: metav1.ObjectMeta{Name: "a", ResourceVersion: "2", Annotations: map[string]string{"long": strings.Repeat("x", 1<<17)}}}
	var text []byte
	for _, o := range []partialObject{first, second} {
		line, err := json.Marshal(map[string]any{"type": "MODIFIED", "object": o})
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	frames := append(framed(t, "ADDED", &first), framed(t, "MODIFIED", &second)...)
	for form, stream := range map[string][]byte{"JSON": text, "protobuf": frames} {
		got, err := allEvents(stream)
		if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || !reflect.DeepEqual(got, []partialObject{first, second}) {
			t.Errorf("%s: %v, %v", form, got, err)
		}
		for _, short := range []int{len(stream) - 5, 1} {
			if got, err := allEvents(stream[:short]); !errors.Is(err, io.ErrUnexpectedEOF) || len(got) > 1 {
				t.Errorf("%s that is cut after %d bytes: %d objects, %v", form, short, len(got), err)
			}
		}
	}
	if _, err := allEvents(nil); !errors.Is(err, io.EOF) {
		t.Errorf("of nothing: %v", err)
	}
	large := append(framed(t, "ADDED", &first), 1, 0, 0, 0)
	if _, err := allEvents(large); err == nil || !strings.Contains(err.Error(), "16777216 bytes") {
		t.Errorf("of a frame that is too large: %v", err)
	}
}

func FuzzEvents(f *testing.F) {
	o := partialObject{ObjectMeta: metav1.ObjectMeta{Name: "a", ResourceVersion: "1"}}
	frame := framed(f, "ADDED", &o)
	f.Add(frame)
	f.Add(append(frame, frame...))
	f.Add(framed(f, "ERROR", &metav1.Status{Code: 410}))
	f.Add([]byte(`{"type":"ADDED","object":{"metadata":{"name":"a"}}}`))
	f.Fuzz(func(t *testing.T, stream []byte) {
		if _, err := allEvents(stream); err == nil {
			t.Error("a stream without an end")
		}
	})
}

func TestMetadataIsWatchedInProtobuf(t *testing.T) {
	var mu sync.Mutex
	var kinds []string
	b := newBench(t, Options{}).tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err == nil && isWatch(r) {
			mu.Lock()
			defer mu.Unlock()
			kinds = append(kinds, resp.Header.Get("Content-Type"))
		}
		return resp, err
	})
	definition, object := b.definition("Namespaced", true)
	w := b.watched()
	w.apply(definition, object, configMap(t, "a", "1"))
	w.await()
	w.wantNoOther("a")
	mu.Lock()
	defer mu.Unlock()
	for _, kind := range kinds {
		if kind != "application/vnd.kubernetes.protobuf;stream=watch" {
			t.Errorf("a watch is in %q", kind)
		}
	}
	if len(kinds) < 4 {
		t.Errorf("%d watches", len(kinds))
	}
}
