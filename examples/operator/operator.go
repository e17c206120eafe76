package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"
	ctrlsource "sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source/bucket"
	"github.com/gitopskit/gitopskit/source/git"
)

// The kinds, which are the first parts of the loops' names too.
const (
	gitRepository = sourcev1.GitRepositoryKind
	bucketKind    = sourcev1.BucketKind
	kustomization = kustomizev1.KustomizationKind
)

func kindOf(kind string) schema.GroupVersionKind {
	if kind == kustomization {
		return kustomizev1.GroupVersion.WithKind(kind)
	}
	return sourcev1.GroupVersion.WithKind(kind)
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(s))
	utilruntime.Must(sourcev1.AddToScheme(s))
	utilruntime.Must(kustomizev1.AddToScheme(s))
	return s
}

// requests is the queue of a controller.
type requests = workqueue.TypedRateLimitingInterface[ctrl.Request]

// An operator is this process: what all shards have in common.
type operator struct {
	settings
	client  client.Client // that reads from a cache
	reader  client.Reader // that does not: no cache is to hold Secrets
	config  *rest.Config
	store   *artifact.DirStore
	shards  []*shard
	share   share
	commits *git.Cache
	keys    *bucket.Cache

	mu       sync.Mutex
	queues   map[string]requests // by kind
	clusters map[clusterKey]*cluster
}

func newOperator(m manager.Manager, store *artifact.DirStore, s settings) *operator {
	o := &operator{settings: s, client: m.GetClient(), reader: m.GetAPIReader(), config: m.GetConfig(), store: store,
		shards:  make([]*shard, max(s.shards, 1)),
		commits: git.NewCache(git.CacheOptions{}), keys: bucket.NewCache(bucket.CacheOptions{}),
		queues:   make(map[string]requests),
		clusters: make(map[clusterKey]*cluster)}
	for i := range o.shards {
		o.shards[i] = &shard{number: i}
	}
	return o
}

// An entry is what is known of an object beside its loop.
type entry struct {
	loop    *reconcile.Loop
	config  string // what the loop was made of
	problem error  // why there is no loop, or not the one of the newest generation

	mu        sync.Mutex
	asked     string // the last reconcile.fluxcd.io/requestedAt
	stage     int    // of what was asked: 0 nothing, 1 triggered, 2 fetched
	handled   string
	inventory []kustomizev1.ResourceRef // nil: nothing was applied by this process
}

// heed notes how far the loop has come with what was asked.
func (e *entry) heed(event reconcile.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch event.(type) {
	case reconcile.Fetched:
		e.stage = min(2*e.stage, 2)
	case reconcile.Applied, reconcile.Failed:
		_, failed := event.(reconcile.Failed)
		if e.stage == 2 || e.stage == 1 && failed {
			e.stage, e.handled = 0, e.asked
		}
	}
}

// ask triggers the loop where an annotation is new, and returns the last one that was done.
func (e *entry) ask(o client.Object, handled string) string {
	value := o.GetAnnotations()[fluxmeta.ReconcileRequestAnnotation]
	e.mu.Lock()
	fresh := value != "" && value != handled && value != e.asked && value != e.handled && e.loop != nil
	if fresh {
		e.asked, e.stage = value, 1
	}
	if e.handled != "" {
		handled = e.handled
	}
	e.mu.Unlock()
	if fresh {
		e.loop.Trigger()
	}
	return handled
}

// entryOf returns the shard's entry for a loop's name.
func (s *shard) entryOf(name string) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[name] == nil {
		s.entries[name] = new(entry)
	}
	return s.entries[name]
}

// A visit is to one object, whose shard is held.
type visit struct {
	kind  string
	name  types.NamespacedName
	loop  string // its name
	shard *shard
	group *reconcile.Group
	entry *entry
}

type reconciler func(ctx context.Context, v *visit) (ctrl.Result, error)

// visits calls do for objects whose shard is held.
func (o *operator) visits(kind string, do reconciler) ctrlreconcile.Func {
	return func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
		name := request.NamespacedName
		v := &visit{kind: kind, name: name, loop: loopName(kind, name), shard: o.shardOf(name)}
		o.triggerStandIns(v)
		group, inside, leave := v.shard.enter(ctx)
		if group == nil {
			return ctrl.Result{}, nil
		}
		defer leave()
		v.group, v.entry = group, v.shard.entryOf(v.loop)
		result, err := do(inside, v)
		if apierrors.IsConflict(err) { // the cache was behind
			return ctrl.Result{RequeueAfter: 100 * time.Millisecond}, nil
		}
		return result, err
	}
}

// control has a controller for a kind, with a queue that events of loops come to as well.
func (o *operator) control(m manager.Manager, kind string) *builder.Builder {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kindOf(kind))
	return builder.ControllerManagedBy(m).Named(strings.ToLower(kind)).For(object).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		WatchesRawSource(ctrlsource.Func(func(_ context.Context, queue requests) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.queues[kind] = queue
			return nil
		}))
}

// put has the group run the loop that make returns, where config is not what the present one was made of.
func (o *operator) put(ctx context.Context, v *visit, config string, make func() (*reconcile.Loop, error)) error {
	e := v.entry
	if e.config == config && e.problem == nil {
		return nil
	}
	l, err := make()
	if err == nil {
		l.Name = v.loop
		l.OnEvent = func(event reconcile.Event) {
			e.heed(event)
			o.enqueue(v.kind, v.name, 50*time.Millisecond) // events come in bursts
		}
		if e.loop == nil {
			err = v.group.Add(l)
		} else {
			err = v.group.Replace(ctx, l)
		}
	}
	if e.problem = err; err == nil {
		e.loop, e.config = l, config
	}
	return err
}

// drop ends the loop of an object, and leaves what it has applied.
func (v *visit) drop(ctx context.Context) error {
	if v.entry.loop != nil {
		if err := v.group.Remove(ctx, v.loop, reconcile.Leave); err != nil {
			return err
		}
		v.entry.loop = nil
	}
	v.shard.mu.Lock()
	defer v.shard.mu.Unlock()
	delete(v.shard.entries, v.loop)
	delete(v.shard.origins, v.loop)
	return nil
}

// release takes the finalizer off.
func (o *operator) release(ctx context.Context, object client.Object) error {
	before := object.DeepCopyObject().(client.Object)
	if !controllerutil.RemoveFinalizer(object, kustomizev1.KustomizationFinalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return client.IgnoreNotFound(o.client.Patch(ctx, object, patch))
}

func loopName(kind string, name types.NamespacedName) string {
	return kind + "/" + name.Namespace + "/" + name.Name
}

func (o *operator) enqueue(kind string, name types.NamespacedName, after time.Duration) {
	o.mu.Lock()
	queue := o.queues[kind]
	o.mu.Unlock()
	if queue != nil {
		queue.AddAfter(ctrl.Request{NamespacedName: name}, after)
	}
}

// enqueueShard has all objects of a shard looked at.
func (o *operator) enqueueShard(s *shard) {
	for _, kind := range []string{gitRepository, bucketKind, kustomization} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kindOf(kind))
		if err := o.client.List(context.Background(), list); err != nil {
			continue // the cache has synced, and has no other errors
		}
		for _, item := range list.Items {
			if name := client.ObjectKeyFromObject(&item); o.shardOf(name) == s {
				o.enqueue(kind, name, 0)
			}
		}
	}
}

// read decodes an object from the cache, and returns it as it is too, with the fields of its spec that its type does not
// know.
func (o *operator) read(ctx context.Context, kind string, name types.NamespacedName, into client.Object) (
	raw *unstructured.Unstructured, unknown []string, err error) {
	raw = &unstructured.Unstructured{}
	raw.SetGroupVersionKind(kindOf(kind))
	if err := o.client.Get(ctx, name, raw); err != nil {
		return nil, nil, err
	}
	err = runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(raw.Object, into, true)
	strict, ok := runtime.AsStrictDecodingError(err)
	if !ok {
		return raw, nil, err
	}
	for _, e := range strict.Errors() {
		if field := specField.FindStringSubmatch(e.Error()); field != nil {
			unknown = append(unknown, field[1])
		}
	}
	return raw, unknown, nil
}

var specField = regexp.MustCompile(`unknown field "(spec\.[^"]*)"`)

// writeStatus writes what has changed of the status.
func (o *operator) writeStatus(ctx context.Context, before, after client.Object) error {
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	return client.IgnoreNotFound(o.client.Status().Patch(ctx, after, client.MergeFrom(before)))
}

func unsupportedText(fields []string) string {
	return "not supported by this operator: " + strings.Join(fields, ", ")
}

// ServeHTTP serves the artifacts under the URLs that statuses have, which end in <digest>.tar.gz.
func (o *operator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutSuffix(path.Base(r.URL.Path), ".tar.gz")
	content, err := o.store.Open(r.Context(), digest.NewDigestFromEncoded(digest.SHA256, name))
	if !ok || err != nil || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	defer content.Close()
	w.Header().Set("Content-Type", "application/gzip")
	if _, err := io.Copy(w, content); err != nil {
		panic(http.ErrAbortHandler) // a damaged artifact must not look whole
	}
}

func notFound(kind string, name types.NamespacedName, err error) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s '%s' is not there", kind, name)
	}
	return err
}
