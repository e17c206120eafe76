package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"golang.org/x/sync/errgroup"
)

const (
	bareWorkers    = 32
	acceptMetadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	acceptList     = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
)

// prepareBare makes a loop of one request for each object, whatever there is on the server.
func prepareBare(ctx context.Context, j job) (func(context.Context) error, error) {
	a, err := newAPI(j.config())
	if err != nil {
		return nil, err
	}
	if j.Work == workPrune {
		return func(ctx context.Context) error {
			return spread(1, j.N, func(i int) error { return a.remove(ctx, pathOf(i, j.Namespace)) })
		}, warm(ctx, j.config())
	}
	bodies, err := j.bodies(j.N)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		return spread(0, j.N, func(i int) error { return a.patch(ctx, pathOf(i, j.Namespace), bodies[i]) })
	}, warm(ctx, j.config())
}

// prepareBareList makes the least that tells whether anything changed. What is not its result is the bare loop's.
func prepareBareList(ctx context.Context, j job) (func(context.Context) error, error) {
	if j.Work == workCreate || j.Work == workPrune {
		return prepareBare(ctx, j)
	}
	a, err := newAPI(j.config())
	if err != nil {
		return nil, err
	}
	bodies, err := j.bodies(1)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		err := spread(0, len(kinds), func(i int) error { return a.list(ctx, kinds[i], j.Namespace) })
		if err == nil && j.Work == workOneChanged {
			err = a.patch(ctx, pathOf(0, j.Namespace), bodies[0])
		}
		return err
	}, warm(ctx, j.config())
}

// bodies marshals the first n objects.
func (j job) bodies(n int) ([][]byte, error) {
	bodies := make([][]byte, n)
	for i := range bodies {
		var err error
		if bodies[i], err = json.Marshal(j.object(i).Object); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

// spread calls do with the numbers from first to before end, by a fixed number of workers, and returns the first error.
func spread(first, end int, do func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(bareWorkers)
	for i := first; i < end; i++ {
		g.Go(func() error { return do(i) })
	}
	return g.Wait()
}

func (a *api) patch(ctx context.Context, path string, body []byte) error {
	_, err := a.do(ctx, http.MethodPatch, path, call{query: url.Values{"fieldManager": {"bench"}, "force": {"true"}},
		contentType: "application/apply-patch+yaml", accept: acceptMetadata, body: body})
	return err
}

func (a *api) remove(ctx context.Context, path string) error {
	_, err := a.do(ctx, http.MethodDelete, path, call{query: url.Values{"propagationPolicy": {"Background"}},
		accept: acceptMetadata + ",application/json"})
	return err
}

func (a *api) list(ctx context.Context, k kind, namespace string) error {
	_, err := a.do(ctx, http.MethodGet, k.path+"/namespaces/"+namespace+"/"+k.plural,
		call{query: url.Values{"labelSelector": {partOf + "=" + partOfValue}}, accept: acceptList})
	return err
}
