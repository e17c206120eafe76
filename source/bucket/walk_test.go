package bucket

import (
	"context"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

// Each step back can cost a look at all keys, and there may be a million of them.
func TestStepsBackEndWithTheContext(t *testing.T) {
	s, err := New(Options{Endpoint: "example.com", Bucket: "fleet"})
	if err != nil {
		t.Fatal(err)
	}
	l := &timeline{keys: []string{"a"}, versions: [][]Object{{{Key: "a", ETag: "1", Version: "1"}}}, events: []event{{}}}
	w, err := s.walk(t.Context(), l, contents{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.step(ctx); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if _, err := w.step(t.Context()); err != nil {
		t.Error(err)
	}
	if now, err := w.digest(t.Context()); now != (source.Revision{}) || err != nil {
		t.Errorf("got %v, %v", now, err)
	}
}
