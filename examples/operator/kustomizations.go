package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	fluxkustomize "github.com/fluxcd/pkg/apis/kustomize"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/kustomize"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// A desired is a Kustomization as it is to be: what its loop is made of.
type desired struct {
	*kustomizev1.Kustomization
	name        types.NamespacedName
	source      *origin
	depends     []reconcile.Dependency
	overlay     kustomize.Overlay
	variables   kustomize.Variables
	ignore      []apply.IgnoreRule
	unsupported []string
}

// desire reads a Kustomization, and says which of its fields are not supported.
func (o *operator) desire(ctx context.Context, name types.NamespacedName) (*desired, error) {
	k := &desired{Kustomization: new(kustomizev1.Kustomization), name: name}
	raw, unknown, err := o.read(ctx, kustomization, name, k.Kustomization)
	if err != nil {
		return nil, err
	}
	spec := k.Spec
	for _, field := range unknown {
		switch field {
		case "spec.validation": // has had no effect since v1beta2
		case "spec.patchesStrategicMerge", "spec.patchesJson6902":
		default:
			k.unsupported = append(k.unsupported, field)
		}
	}
	oddSource := !slices.Contains([]string{gitRepository, bucketKind}, spec.SourceRef.Kind)
	expression := func(d kustomizev1.DependencyReference) bool { return d.ReadyExpr != "" }
	for field, set := range map[string]bool{
		"spec.decryption": spec.Decryption != nil, "spec.kubeConfig": spec.KubeConfig != nil,
		"spec.healthCheckExprs":                       len(spec.HealthCheckExprs) > 0,
		"spec.sourceRef.kind: " + spec.SourceRef.Kind: oddSource,
		"spec.dependsOn.readyExpr":                    slices.ContainsFunc(spec.DependsOn, expression),
	} {
		if set {
			k.unsupported = append(k.unsupported, field)
		}
	}
	k.ignoreRules()
	slices.Sort(k.unsupported)
	return k, k.overlayOf(raw)
}

// overlayOf makes an overlay of the fields that are called the same in a kustomization, and of those that only set one.
func (k *desired) overlayOf(raw *unstructured.Unstructured) error {
	all, _ := raw.Object["spec"].(map[string]any)
	text, err := json.Marshal(all)
	if err == nil {
		err = json.Unmarshal(text, &k.overlay)
	}
	if err != nil {
		return err
	}
	k.overlay.Namespace = k.Spec.TargetNamespace
	group := kustomizev1.GroupVersion.Group
	labels := map[string]string{group + "/name": k.Name, group + "/namespace": k.Namespace}
	if m := k.Spec.CommonMetadata; m != nil {
		for name, value := range m.Labels {
			labels[name] = value
		}
	}
	k.overlay.Labels = []kustomize.Label{{Pairs: labels}}
	var beta struct { // what v1beta2 had beside patches
		PatchesStrategicMerge []json.RawMessage
		PatchesJSON6902       []struct {
			Patch  json.RawMessage
			Target *kustomize.Selector
		} `json:"patchesJson6902"`
	}
	if err := json.Unmarshal(text, &beta); err != nil {
		return err
	}
	for _, p := range beta.PatchesStrategicMerge {
		k.overlay.Patches = append(k.overlay.Patches, kustomize.Patch{Patch: string(p)})
	}
	for _, p := range beta.PatchesJSON6902 {
		k.overlay.Patches = append(k.overlay.Patches, kustomize.Patch{Patch: string(p.Patch), Target: p.Target})
	}
	return nil
}

// ignoreRules takes those rules whose target names objects: this operator knows no regular expressions there.
func (k *desired) ignoreRules() {
	for _, rule := range k.Spec.Ignore {
		var t fluxkustomize.Selector
		if rule.Target != nil {
			t = *rule.Target
		}
		pattern := strings.ContainsAny(t.Group+t.Kind+t.Namespace+t.Name, `*+?()[]{}|^$\`)
		if pattern || t.Version != "" || t.AnnotationSelector != "" {
			k.unsupported = append(k.unsupported, "spec.ignore.target: "+fmt.Sprint(t))
		}
		k.ignore = append(k.ignore, apply.IgnoreRule{Group: t.Group, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name,
			LabelSelector: t.LabelSelector, Pointers: rule.Paths})
	}
}

// refer looks up what the Kustomization refers to, and returns what tells one state of all that from another.
func (o *operator) refer(ctx context.Context, v *visit, k *desired) (version string, err error) {
	ref := k.Spec.SourceRef
	at := types.NamespacedName{Namespace: or(ref.Namespace, k.Namespace), Name: ref.Name}
	object, fresh, err := o.readSource(ctx, ref.Kind, at)
	if err != nil && !apierrors.IsNotFound(err) {
		return "", err
	}
	k.source = v.shard.share(fresh)
	if object != nil && err == nil && *object.artifact != nil && o.shardOf(at) != v.shard {
		k.source.news(v.group, (*object.artifact).Revision)
	}
	version = fmt.Sprintf("%s/%d %s", k.UID, k.Generation, k.source.version)
	for _, d := range k.Spec.DependsOn {
		other := types.NamespacedName{Namespace: or(d.Namespace, k.Namespace), Name: d.Name}
		dependency := reconcile.Dependency{Name: loopName(kustomization, other)}
		var theirs kustomizev1.Kustomization
		if o.shardOf(other) != v.shard {
			if err := o.standIn(v, other); err != nil {
				return "", err
			}
		} else if _, _, err := o.read(ctx, kustomization, other, &theirs); err == nil {
			from := theirs.Spec.SourceRef
			dependency.SameRevision = from.Kind == ref.Kind && from.Name == ref.Name &&
				or(from.Namespace, other.Namespace) == at.Namespace
		}
		k.depends = append(k.depends, dependency)
		version += fmt.Sprintf(" %s=%t", dependency.Name, dependency.SameRevision)
	}
	versions, err := o.substitutes(ctx, k)
	return version + versions, err
}

// substitutes reads the variables. Later objects count more than earlier ones, and what the spec has itself most.
func (o *operator) substitutes(ctx context.Context, k *desired) (versions string, err error) {
	post := k.Spec.PostBuild
	if post == nil {
		return "", nil
	}
	values := make(map[string]string)
	for _, ref := range post.SubstituteFrom {
		name := types.NamespacedName{Namespace: k.Namespace, Name: ref.Name}
		var config corev1.ConfigMap
		var secret corev1.Secret
		object := client.Object(&config)
		if ref.Kind == "Secret" {
			object = &secret
		}
		if err := o.reader.Get(ctx, name, object); err != nil {
			if apierrors.IsNotFound(err) && ref.Optional {
				continue
			}
			return "", fmt.Errorf("substituting variables: %w", err)
		}
		for key, value := range config.Data {
			values[key] = value
		}
		for key, value := range secret.Data {
			values[key] = string(value)
		}
		versions += " " + string(object.GetUID()) + object.GetResourceVersion()
	}
	for key, value := range post.Substitute {
		values[key] = value
	}
	if len(values) > 0 || k.GetSubstituteStrategy() == kustomizev1.SubstituteStrategyAlways {
		k.variables = kustomize.Variables{Values: values, Unknown: kustomize.EmptyUnknown}
	}
	return versions, nil
}

// loop makes the loop of a Kustomization.
func (o *operator) loop(v *visit, k *desired) (*reconcile.Loop, error) {
	c, err := o.cluster(k, 0)
	if err != nil {
		return nil, err
	}
	timeout := k.GetTimeout()
	builder := &kustomize.Builder{Dir: path.Join(".", strings.TrimLeft(path.Clean("/"+k.Spec.Path), "/")),
		Options: kustomize.Options{Overlay: k.overlay, Variables: k.variables}}
	l := &reconcile.Loop{Source: k.source, Build: builder.Build, DependsOn: k.depends, Store: o.store,
		Interval: k.source.interval, Resync: k.Spec.Interval.Duration,
		Timeout: timeout, Timeouts: reconcile.Timeouts{Fetch: k.source.timeout}}
	if annotations := k.annotations(); len(annotations) > 0 {
		l.Build = annotated(builder, annotations)
	}
	if k.Spec.RetryInterval != nil {
		l.RetryMin, l.RetryMax = k.Spec.RetryInterval.Duration, k.Spec.RetryInterval.Duration
	}
	target := reconcile.NewTarget(c.applier, apply.Set{ID: inventoryOf(k.name)}, reconcile.TargetOptions{})
	target.Use(l)
	l.Apply = func(ctx context.Context, revision source.Revision, objects []*unstructured.Unstructured) (
		*apply.Result, error) {
		result, err := target.Apply(ctx, revision, objects)
		v.entry.take(result, err)
		return result, err
	}
	switch {
	case k.Spec.Wait:
	case len(k.Spec.HealthChecks) > 0:
		l.Wait = func(ctx context.Context, _ source.Revision) error { return c.healthy(ctx, k.Kustomization) }
	default:
		l.Wait = nil
	}
	return l, nil
}

// annotations are those that all objects are to have. Where nothing is to be pruned, that is said on each object, in the
// words that Flux and package apply have for it.
func (k *desired) annotations() map[string]string {
	annotations := make(map[string]string)
	if m := k.Spec.CommonMetadata; m != nil {
		for name, value := range m.Annotations {
			annotations[name] = value
		}
	}
	if !k.Spec.Prune {
		annotations[kustomizev1.GroupVersion.Group+"/prune"] = kustomizev1.DisabledValue
	}
	return annotations
}

// annotated builds objects with annotations, of which an overlay would put those of Deployments on their Pods too.
func annotated(b *kustomize.Builder, annotations map[string]string) reconcile.BuildFunc {
	return func(ctx context.Context, content fs.FS) ([]*unstructured.Unstructured, error) {
		objects, err := b.Build(ctx, content)
		for i := range objects {
			objects[i] = objects[i].DeepCopy() // the builder keeps its own
			all := objects[i].GetAnnotations()
			if all == nil {
				all = make(map[string]string)
			}
			for name, value := range annotations {
				all[name] = value
			}
			objects[i].SetAnnotations(all)
		}
		return objects, err
	}
}

// take keeps what is in the set after an Apply, for the status.
func (e *entry) take(result *apply.Result, err error) {
	entries := make([]kustomizev1.ResourceRef, 0)
	for _, change := range result.Changes {
		gone := change.Action == apply.Pruned || change.Action == apply.Deleted || errors.Is(change.Err, apply.ErrNotReached)
		if id := inventoryID(change.Ref); !gone && change.Action != apply.Failed {
			entries = append(entries, kustomizev1.ResourceRef{ID: id, Version: change.Ref.Version})
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil { // nothing was pruned
		for _, was := range e.inventory {
			if !slices.Contains(entries, was) {
				entries = append(entries, was)
			}
		}
	}
	e.inventory = entries
}

// inventoryID is namespace_name_group_kind, with the colons of RBAC's names written as the toolkit does.
func inventoryID(r apply.Ref) string {
	return strings.Join([]string{r.Namespace, strings.ReplaceAll(r.Name, ":", "__"), r.Group, r.Kind}, "_")
}

func inventoryOf(name types.NamespacedName) apply.ID {
	return apply.ID{Namespace: name.Namespace, Name: "kustomization-" + name.Name}
}

func or(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// finalize deletes what the Kustomization has applied, if it is to be deleted.
func (o *operator) finalize(ctx context.Context, v *visit, k *desired) error {
	if err := errors.Join(v.drop(ctx), o.store.Untag(ctx, v.loop)); err != nil {
		return err
	}
	policy := k.GetDeletionPolicy()
	unpruned := policy == kustomizev1.DeletionPolicyMirrorPrune && !k.Spec.Prune
	if k.Spec.Suspend || policy == kustomizev1.DeletionPolicyOrphan || unpruned {
		return nil
	}
	wait := time.Duration(0)
	if policy == kustomizev1.DeletionPolicyWaitForTermination {
		wait = k.GetTimeout()
	}
	c, err := o.cluster(k, wait)
	if err != nil {
		return err
	}
	_, err = c.applier.Delete(ctx, inventoryOf(k.name))
	return err
}
