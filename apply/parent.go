package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	secretType   = "Opaque"

	maxSecretBytes      = 8 << 20   // of JSON: etcd takes 1.5 MiB
	maxAnnotationsBytes = 256 << 10 // the API server's limit, of keys and values
)

var secretResource = resource{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, Plural: "secrets", Namespaced: true}

// A parent is the Secret that holds a set's inventory, as it was last read or written. It is a Secret, which is also
// kubectl's default for it, since the inventory has sums of the members, Secrets among them.
type parent struct {
	*Applier
	id ID

	exists   bool
	deleting bool
	metadata metav1.ObjectMeta
	data     map[string][]byte
	shards   []shard // where the inventory is too large for one Secret
	listed   bool    // shards that are left over were looked for
}

// secretDocument is the part of a Secret that is kept over a write.
type secretDocument struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Immutable  *bool             `json:"immutable,omitempty"`
	Data       map[string][]byte `json:"data,omitempty"`
	Type       string            `json:"type,omitempty"`
}

// readParent returns the parent and the inventory, which is empty where there is no parent yet. Where a shard is gone since
// the parent was read, another applier has written, and it reads again.
func (a *Applier) readParent(ctx context.Context, id ID) (*parent, *inventory, error) {
	var before string
	for range 5 {
		p := &parent{Applier: a, id: id}
		inv, err := p.read(ctx)
		switch {
		case err == nil:
			return p, inv, nil
		case p.deleting && errors.Is(err, errShardMissing): // they go with it
			return nil, nil, fmt.Errorf("reading the inventory of %s: %w; wait until it is gone", id, ErrTerminating)
		case !errors.Is(err, errShardMissing) || before == p.metadata.ResourceVersion:
			return nil, nil, fmt.Errorf("reading the inventory of %s: %w", id, err)
		}
		before = p.metadata.ResourceVersion
	}
	return nil, nil, fmt.Errorf("reading the inventory of %s: %w: it changed whenever it was read", id, ErrConflict)
}

func (p *parent) read(ctx context.Context) (*inventory, error) {
	secret, err := p.getSecret(ctx, p.id.Name)
	if apierrors.IsNotFound(err) {
		return newInventory(), nil
	}
	if err != nil {
		return nil, err
	}
	if secret.Metadata.Labels[idLabel] != p.id.label() || len(secret.Data[inventoryKey]) == 0 || secret.Type != secretType {
		return nil, fmt.Errorf("%w; choose another name for the set", ErrNotParent)
	}
	if by := secret.Metadata.Annotations[toolingAnnotation]; !strings.HasPrefix(by, "gitopskit/") {
		return nil, fmt.Errorf("%w of gitopskit but of %q", ErrNotParent, by)
	}
	p.exists, p.deleting, p.metadata = true, secret.Metadata.DeletionTimestamp != nil, secret.Metadata
	p.data = secret.Data
	d := newDecoder(p.opts.MaxInventoryBytes, len(p.data[inventoryKey]))
	if p.shards, err = d.read(p.data[inventoryKey]); err != nil || len(p.shards) == 0 {
		return d.inventory, err
	}
	if len(d.inventory.entries) > 0 {
		return nil, fmt.Errorf("%w: it has objects beside its shards", ErrInventory)
	}
	sharded, err := p.readShards(ctx)
	if err != nil {
		return nil, err
	}
	sharded.inventory.revalidated, sharded.inventory.writer = d.inventory.revalidated, d.inventory.writer
	return sharded.inventory, nil
}

// getSecret reads a Secret of the parent's namespace, and no more than one can be.
func (p *parent) getSecret(ctx context.Context, name string) (*secretDocument, error) {
	answer, err := p.client.rest.Get().AbsPath(secretResource.path(p.id.Namespace, name)...).
		SetHeader("Accept", "application/json").Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer, maxSecretBytes+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxSecretBytes {
		return nil, fmt.Errorf("%w: %w: the Secret %s has more than %d bytes", ErrInventory, ErrTooLarge, name, maxSecretBytes)
	}
	secret := &secretDocument{}
	return secret, json.Unmarshal(body, secret)
}

func (p *parent) path() []string { return secretResource.path(p.id.Namespace, p.id.Name) }

// write stores the inventory, unless the parent has just that; it is [ErrConflict] where somebody else wrote in between.
func (p *parent) write(ctx context.Context, inv *inventory) error {
	if err := p.store(ctx, inv); err != nil {
		return fmt.Errorf("writing the inventory of %s: %w", p.id, err)
	}
	return nil
}

// store writes the parent, and its shards before it where there are any.
func (p *parent) store(ctx context.Context, inv *inventory) error {
	document, shards, err := p.layout(inv)
	if err != nil {
		return err
	}
	if len(shards) > 0 && !p.exists {
		if err := p.store(ctx, newInventory()); err != nil {
			return err
		}
	}
	secret, err := p.render(inv, document)
	if err != nil {
		return err
	}
	if p.exists && string(document) == string(p.data[inventoryKey]) && maps.Equal(secret.Metadata.Annotations, p.metadata.Annotations) {
		return nil
	}
	var seen []string
	if !slices.Equal(names(shards), names(p.shards)) {
		seen = p.seenShards(ctx)
	}
	if err := p.postShards(ctx, shards); err != nil {
		return err
	}
	if err := p.put(ctx, secret); err != nil {
		if isRefusal(err) && p.isAsRead(ctx) {
			p.dropShards(ctx, names(fresh(shards)))
		}
		return err
	}
	p.shards = shards
	p.dropShards(ctx, slices.DeleteFunc(seen, func(name string) bool { return slices.Contains(names(shards), name) }))
	return nil
}

// isAsRead tells whether nobody wrote the parent since, nor this applier by a request that was sent twice.
func (p *parent) isAsRead(ctx context.Context) bool {
	secret, err := p.getSecret(ctx, p.id.Name)
	return err == nil && secret.Metadata.ResourceVersion == p.metadata.ResourceVersion
}

// put creates or replaces the parent.
func (p *parent) put(ctx context.Context, secret *secretDocument) error {
	verb, path := "PUT", p.path()
	if !p.exists {
		verb, path = "POST", secretResource.path(p.id.Namespace, "")
	}
	written, err := p.client.write(ctx, verb, path, secret, p.opts.FieldManager)
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), p.exists && apierrors.IsNotFound(err):
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("create the namespace %s first: %w", p.id.Namespace, err)
	case err != nil:
		return err
	}
	p.exists, p.metadata, p.data = true, written.ObjectMeta, secret.Data
	return nil
}

// render returns the Secret to write: what others put on it stays.
func (p *parent) render(inv *inventory, document []byte) (*secretDocument, error) {
	secret := &secretDocument{APIVersion: "v1", Kind: "Secret", Type: secretType, Data: maps.Clone(p.data), Metadata: metav1.ObjectMeta{
		Name: p.id.Name, Namespace: p.id.Namespace, ResourceVersion: p.metadata.ResourceVersion,
		Labels: maps.Clone(p.metadata.Labels), Annotations: maps.Clone(p.metadata.Annotations),
		OwnerReferences: p.metadata.OwnerReferences, Finalizers: p.metadata.Finalizers,
	}}
	if secret.Data == nil {
		secret.Data = make(map[string][]byte)
	}
	secret.Data[inventoryKey] = document
	total := 0
	for _, value := range secret.Data {
		total += len(value)
	}
	if total > 1<<20 { // the API server's limit
		return nil, fmt.Errorf("%w: the inventory has %d bytes, and others put more on the Secret than is left of 1 MiB; take that off it",
			ErrTooLarge, len(document))
	}
	metav1.SetMetaDataLabel(&secret.Metadata, idLabel, p.id.label())
	p.annotate(&secret.Metadata, inv)
	return secret, nil
}

// annotate says what KEP-3659 wants to be said of a set. What does not fit is left out, for half a list would look like a
// whole one: without the namespaces kubectl knows the members in the parent's own. This package reads neither list.
func (p *parent) annotate(parent *metav1.ObjectMeta, inv *inventory) {
	kinds, namespaces := []string{}, map[string]bool{}
	for _, gk := range inv.groupKinds() {
		kinds = append(kinds, gk.String())
	}
	for ref := range inv.entries {
		if ref.Namespace != "" && ref.Namespace != p.id.Namespace {
			namespaces[ref.Namespace] = true
		}
	}
	delete(parent.Annotations, groupKindsAnnotation)
	delete(parent.Annotations, namespacesAnnotation)
	metav1.SetMetaDataAnnotation(parent, toolingAnnotation, tooling)
	room := maxAnnotationsBytes
	for k, v := range parent.Annotations {
		room -= len(k) + len(v)
	}
	set := func(key string, values []string) {
		value := strings.Join(values, ",")
		if len(key)+len(value) <= room {
			room -= len(key) + len(value)
			metav1.SetMetaDataAnnotation(parent, key, value)
		}
	}
	set(groupKindsAnnotation, kinds)
	set(namespacesAnnotation, slices.Sorted(maps.Keys(namespaces)))
}

// remove deletes the parent, if it still is what was last read or written, and its shards. A parent that a finalizer holds
// keeps them, so that it can be read until it goes.
func (p *parent) remove(ctx context.Context) error {
	if !p.exists {
		return nil
	}
	var seen []string
	if len(p.shards) > 0 {
		seen = p.seenShards(ctx)
	}
	err := p.client.delete(ctx, p.path(), deleteOptions(string(p.metadata.UID), p.metadata.ResourceVersion, metav1.DeletePropagationBackground))
	switch {
	case apierrors.IsConflict(err):
		return fmt.Errorf("deleting the inventory of %s: %w: %w", p.id, ErrConflict, err)
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("deleting the inventory of %s: %w", p.id, err)
	}
	if len(p.metadata.Finalizers) == 0 {
		p.dropShards(ctx, seen)
	}
	p.exists, p.shards = false, nil
	return nil
}
