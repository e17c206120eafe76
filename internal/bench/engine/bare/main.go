// The program of the bare loops: the limits of what a client can do. What they send is what gitopskit sends: the same
// bodies, parameters and headers.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/gitopskit/gitopskit/internal/bench/work"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/sync/errgroup"
)

const (
	workers        = 32 // as many as gitopskit has
	acceptMetadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1," +
		"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	acceptList = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," +
		"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	partOf = "applyset.kubernetes.io/part-of"
)

func main() { work.Main(work.Engine{Prepare: prepare}) }

// A loop has what is made beforehand.
type loop struct {
	*work.API
	work.Job
	bodies [][]byte // by number of the object
}

func prepare(ctx context.Context, j work.Job) (func(context.Context) error, error) {
	a, err := work.NewAPI(j.Config())
	if err != nil {
		return nil, err
	}
	l := &loop{API: a, Job: j}
	do := l.patches
	switch {
	case j.Work == work.Prune:
		do, err = l.deletes, l.prepareDeletes(ctx)
	case j.Who == "bare-list" && j.Work != work.Create: // what is not its result is the bare loop's
		do, err = l.lists, l.prepareBodies(1)
	default:
		err = l.prepareBodies(j.N)
	}
	if err != nil {
		return nil, err
	}
	return do, work.Warm(ctx, j.Config())
}

// patches sends one request for each object, whatever there is on the server.
func (l *loop) patches(ctx context.Context) error {
	return spread(0, l.N, func(i int) error { return l.patch(ctx, i) })
}

// deletes deletes all objects but the first.
func (l *loop) deletes(ctx context.Context) error {
	return spread(1, l.N, func(i int) error {
		_, err := l.Do(ctx, http.MethodDelete, work.PathOf(i, l.Namespace), work.Call{ContentType: "application/json",
			Accept: acceptMetadata + ",application/json", Body: l.bodies[i]})
		return err
	})
}

// lists is the least that tells whether anything changed. It does not decode the answers.
func (l *loop) lists(ctx context.Context) error {
	err := spread(0, len(work.Kinds), func(i int) error {
		_, err := l.Do(ctx, http.MethodGet, work.Kinds[i].Path(l.Namespace),
			work.Call{Query: url.Values{"labelSelector": {partOf + "=" + l.label()}}, Accept: acceptList})
		return err
	})
	if err == nil && l.Work == work.OneChanged {
		err = l.patch(ctx, 0)
	}
	return err
}

func (l *loop) patch(ctx context.Context, i int) error {
	_, err := l.Do(ctx, http.MethodPatch, work.PathOf(i, l.Namespace), work.Call{
		Query:       url.Values{"fieldManager": {"gitopskit"}, "force": {"true"}, "fieldValidation": {"Strict"}},
		ContentType: "application/apply-patch+yaml", Accept: acceptMetadata, Body: l.bodies[i]})
	return err
}

// label is the value of the members' label, as KEP-3659 has it.
func (l *loop) label() string {
	sum := sha256.Sum256([]byte("bench-set." + l.Namespace + ".Secret."))
	return "applyset-" + base64.RawURLEncoding.EncodeToString(sum[:]) + "-v1"
}

// prepareBodies marshals the first n objects.
func (l *loop) prepareBodies(n int) error {
	l.bodies = make([][]byte, n)
	for i := range l.bodies {
		o := l.Object(i)
		labels := o.GetLabels()
		labels[partOf] = l.label()
		o.SetLabels(labels)
		var err error
		if l.bodies[i], err = json.Marshal(o.Object); err != nil {
			return err
		}
	}
	return nil
}

// prepareDeletes looks which objects are there, so that just those are deleted, in the state that they have.
func (l *loop) prepareDeletes(ctx context.Context) error {
	seen := make(map[string]metav1.ObjectMeta)
	for _, k := range work.Kinds {
		path := k.Path(l.Namespace)
		body, err := l.Do(ctx, http.MethodGet, path, work.Call{Preparing: true,
			Accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"})
		if err != nil {
			return err
		}
		var list metav1.PartialObjectMetadataList
		if err := json.Unmarshal(body, &list); err != nil {
			return err
		}
		for _, o := range list.Items {
			seen[path+"/"+o.Name] = o.ObjectMeta
		}
	}
	l.bodies = make([][]byte, l.N)
	background := metav1.DeletePropagationBackground
	for i := range l.bodies {
		o := seen[work.PathOf(i, l.Namespace)]
		var err error
		if l.bodies[i], err = json.Marshal(metav1.DeleteOptions{
			TypeMeta:          metav1.TypeMeta{Kind: "DeleteOptions", APIVersion: "v1"},
			Preconditions:     &metav1.Preconditions{UID: &o.UID, ResourceVersion: &o.ResourceVersion},
			PropagationPolicy: &background,
		}); err != nil {
			return err
		}
	}
	return nil
}

// spread calls do with the numbers from first to before end, by a fixed number of workers, and returns the first error.
func spread(first, end int, do func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(workers)
	for i := first; i < end; i++ {
		g.Go(func() error { return do(i) })
	}
	return g.Wait()
}
