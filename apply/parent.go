package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What KEP-3659 puts on the parent of a set and on its members.
const (
	partOfLabel          = "applyset.kubernetes.io/part-of"
	idLabel              = "applyset.kubernetes.io/id"
	toolingAnnotation    = "applyset.kubernetes.io/tooling"
	groupKindsAnnotation = "applyset.kubernetes.io/contains-group-kinds"
	namespacesAnnotation = "applyset.kubernetes.io/additional-namespaces"

	tooling      = "gitopskit/v1"
	inventoryKey = "inventory" // of the Secret's data
)

var secretResource = resource{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, Plural: "secrets", Namespaced: true}

// A parent is the Secret that holds a set's inventory, as it was last read or written. It is a Secret, which is also
// kubectl's default for it, since the inventory has sums of the members, Secrets among them.
type parent struct {
	client  *client
	id      ID
	manager string

	exists   bool
	deleting bool
	metadata metav1.ObjectMeta
	data     map[string][]byte
	kind     string // the Secret's type
}

// secretDocument is the part of a Secret that is kept over a write.
type secretDocument struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Data       map[string][]byte `json:"data,omitempty"`
	Type       string            `json:"type,omitempty"`
}

// readParent returns the parent and the inventory, which is empty where there is no parent yet.
func (a *Applier) readParent(ctx context.Context, id ID) (*parent, *inventory, error) {
	p := &parent{client: a.client, id: id, manager: a.opts.FieldManager}
	var secret secretDocument
	err := a.client.getJSON(ctx, p.path(), "application/json", &secret)
	if apierrors.IsNotFound(err) {
		return p, newInventory(), nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the inventory of %s: %w", id, err)
	}
	if secret.Metadata.Labels[idLabel] != id.label() || len(secret.Data[inventoryKey]) == 0 {
		return nil, nil, fmt.Errorf("reading the inventory of %s: %w; choose another name for the set", id, ErrNotParent)
	}
	if by := secret.Metadata.Annotations[toolingAnnotation]; !strings.HasPrefix(by, "gitopskit/") {
		return nil, nil, fmt.Errorf("reading the inventory of %s: %w of gitopskit but of %q", id, ErrNotParent, by)
	}
	p.exists, p.deleting, p.metadata = true, secret.Metadata.DeletionTimestamp != nil, secret.Metadata
	p.data, p.kind = secret.Data, secret.Type
	inv, err := decodeInventory(secret.Data[inventoryKey], a.opts.MaxInventoryBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the inventory of %s: %w", id, err)
	}
	return p, inv, nil
}

func (p *parent) path() []string { return secretResource.path(p.id.Namespace, p.id.Name) }

// write stores the inventory, unless the parent has just that; it is [ErrConflict] where somebody else wrote in between.
func (p *parent) write(ctx context.Context, inv *inventory) error {
	secret, err := p.render(inv)
	if err != nil {
		return fmt.Errorf("writing the inventory of %s: %w", p.id, err)
	}
	if p.exists && string(secret.Data[inventoryKey]) == string(p.data[inventoryKey]) &&
		maps.Equal(secret.Metadata.Annotations, p.metadata.Annotations) {
		return nil
	}
	verb, path := "PUT", p.path()
	if !p.exists {
		verb, path = "POST", secretResource.path(p.id.Namespace, "")
	}
	written, err := p.client.write(ctx, verb, path, secret, p.manager)
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), p.exists && apierrors.IsNotFound(err):
		return fmt.Errorf("writing the inventory of %s: %w: %w", p.id, ErrConflict, err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("writing the inventory of %s: create the namespace %s first: %w", p.id, p.id.Namespace, err)
	case err != nil:
		return fmt.Errorf("writing the inventory of %s: %w", p.id, err)
	}
	p.exists, p.metadata, p.data = true, written.ObjectMeta, secret.Data
	return nil
}

// render returns the Secret to write: what others put on it stays.
func (p *parent) render(inv *inventory) (*secretDocument, error) {
	encoded, err := inv.encode()
	if err != nil {
		return nil, err
	}
	if len(encoded) > 1000<<10 { // etcd's and the API server's limit is 1 MiB of data
		return nil, fmt.Errorf("%w: the inventory of %d objects has %d bytes, and a Secret holds 1 MiB; split the set",
			ErrTooLarge, len(inv.entries), len(encoded))
	}
	secret := &secretDocument{APIVersion: "v1", Kind: "Secret", Type: p.kind, Data: maps.Clone(p.data), Metadata: metav1.ObjectMeta{
		Name: p.id.Name, Namespace: p.id.Namespace, ResourceVersion: p.metadata.ResourceVersion,
		Labels: maps.Clone(p.metadata.Labels), Annotations: maps.Clone(p.metadata.Annotations),
		OwnerReferences: p.metadata.OwnerReferences, Finalizers: p.metadata.Finalizers,
	}}
	if secret.Data == nil {
		secret.Data = make(map[string][]byte)
	}
	secret.Data[inventoryKey] = encoded
	metav1.SetMetaDataLabel(&secret.Metadata, idLabel, p.id.label())
	metav1.SetMetaDataAnnotation(&secret.Metadata, toolingAnnotation, tooling)
	kinds, namespaces := []string{}, map[string]bool{}
	for _, gk := range inv.groupKinds() {
		kinds = append(kinds, gk.String())
	}
	for ref := range inv.entries {
		if ref.Namespace != "" && ref.Namespace != p.id.Namespace {
			namespaces[ref.Namespace] = true
		}
	}
	metav1.SetMetaDataAnnotation(&secret.Metadata, groupKindsAnnotation, strings.Join(kinds, ","))
	metav1.SetMetaDataAnnotation(&secret.Metadata, namespacesAnnotation, strings.Join(slices.Sorted(maps.Keys(namespaces)), ","))
	return secret, nil
}

// remove deletes the parent, if it still is what was last read or written.
func (p *parent) remove(ctx context.Context) error {
	if !p.exists {
		return nil
	}
	err := p.client.delete(ctx, p.path(), deleteOptions(string(p.metadata.UID), p.metadata.ResourceVersion, metav1.DeletePropagationBackground))
	switch {
	case apierrors.IsConflict(err):
		return fmt.Errorf("deleting the inventory of %s: %w: %w", p.id, ErrConflict, err)
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("deleting the inventory of %s: %w", p.id, err)
	}
	p.exists = false
	return nil
}
