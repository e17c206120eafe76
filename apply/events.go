package apply

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// A watch in protobuf is frames, each of four bytes that have its length and a WatchEvent, whose object is in an envelope
// with a mark ahead. It costs the server and us a third of what JSON does.
const maxEventBytes = 1<<24 - 1 // so that a frame's first byte is a zero, and never that of JSON

var protobufMark = []byte("k8s\x00")

// readEvents returns what reads the next event of a watch, in either form; at its end the error is [io.EOF]. The object is
// good until the next.
func readEvents(body io.Reader) func() (kind string, object []byte, err error) {
	buffered := bufio.NewReader(body)
	if first, err := buffered.Peek(1); err == nil && first[0] == 0 {
		var frame []byte
		return func() (string, []byte, error) { return readFrame(buffered, &frame) }
	}
	stream := json.NewDecoder(buffered)
	return func() (string, []byte, error) {
		var e struct {
			Type   string
			Object json.RawMessage
		}
		err := stream.Decode(&e)
		return e.Type, e.Object, err
	}
}

func readFrame(from io.Reader, frame *[]byte) (kind string, object []byte, err error) {
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return "", nil, err
	}
	n := int(binary.BigEndian.Uint32(length[:]))
	if n > maxEventBytes {
		return "", nil, fmt.Errorf("an event of the watch has %d bytes, and may have %d", n, maxEventBytes)
	}
	if cap(*frame) < n {
		*frame = make([]byte, n)
	}
	*frame = (*frame)[:n]
	if _, err := io.ReadFull(from, *frame); err != nil {
		return "", nil, err
	}
	var e metav1.WatchEvent
	if err := e.Unmarshal(*frame); err != nil {
		return "", nil, fmt.Errorf("an event of the watch: %w", err)
	}
	return e.Type, e.Object.Raw, nil
}

// decodeEvent reads the object of an event, in either form.
func decodeEvent(object []byte, into interface{ Unmarshal([]byte) error }) error {
	inEnvelope, is := bytes.CutPrefix(object, protobufMark)
	if !is {
		return json.Unmarshal(object, into)
	}
	var envelope runtime.Unknown
	if err := envelope.Unmarshal(inEnvelope); err != nil {
		return err
	}
	return into.Unmarshal(envelope.Raw)
}
