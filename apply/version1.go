package apply

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The document of version 1, which is still read and no longer written: gzip over JSON, objects under their kinds.
type (
	inventoryDocument struct {
		Version     int            `json:"version"`
		Revalidated int64          `json:"revalidated,omitempty"` // seconds since 1970
		Writer      string         `json:"writer,omitempty"`
		Kinds       []kindDocument `json:"kinds"`
	}
	kindDocument struct {
		Group      string           `json:"group,omitempty"`
		Version    string           `json:"version"`
		Kind       string           `json:"kind"`
		Plural     string           `json:"plural"`
		Namespaced bool             `json:"namespaced,omitempty"`
		Objects    []objectDocument `json:"objects"`
	}
	objectDocument struct {
		Namespace   string `json:"ns,omitempty"`
		Name        string `json:"name"`
		Intent      []byte `json:"intent,omitempty"`
		Fingerprint []byte `json:"fp,omitempty"`
	}
)

func (d *decoder) readVersion1(data []byte) error {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInventory, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, d.left+1))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInventory, err)
	}
	if d.left -= int64(len(text)); d.left < 0 {
		return fmt.Errorf("%w: %w", ErrInventory, tooLarge(d.limit))
	}
	var doc inventoryDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%w: %w", ErrInventory, err)
	}
	if doc.Version != 1 {
		return fmt.Errorf("%w: its version is %d and this program knows 1 and 2", ErrInventory, doc.Version)
	}
	if doc.Revalidated != 0 {
		d.inventory.revalidated = time.Unix(doc.Revalidated, 0)
	}
	d.inventory.writer = doc.Writer
	for _, k := range doc.Kinds {
		if err := d.addVersion1(k); err != nil {
			return fmt.Errorf("%w: %w", ErrInventory, err)
		}
	}
	return nil
}

func (d *decoder) addVersion1(k kindDocument) error {
	gvk := schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}
	if err := d.addKind(resource{GroupVersionKind: gvk, Plural: k.Plural, Namespaced: k.Namespaced}); err != nil {
		return err
	}
	for _, o := range k.Objects {
		var e entry
		if len(o.Intent) == len(e.intent) && len(o.Fingerprint) == len(e.fingerprint) {
			e.applied = true
			copy(e.intent[:], o.Intent)
			copy(e.fingerprint[:], o.Fingerprint)
		}
		if err := d.add(Ref{Group: k.Group, Kind: k.Kind, Namespace: o.Namespace, Name: o.Name}, e); err != nil {
			return err
		}
	}
	return nil
}
