// The program of the bare loop: one fetch, and a PATCH for each object, made beforehand, by many workers. It is the limit of
// what a first convergence can be.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing/fstest"

	"golang.org/x/sync/errgroup"

	"github.com/gitopskit/gitopskit/internal/bench/fleet"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
	"github.com/gitopskit/gitopskit/internal/bench/work"
	"github.com/gitopskit/gitopskit/kustomize"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

const (
	workers        = 32 // as many as gitopskit has
	acceptMetadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1," +
		"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	partOf = "applyset.kubernetes.io/part-of"
)

func main() { measure.Main(run) }

// A patch is one object's request.
type patch struct {
	path string
	body []byte
}

func run(ctx context.Context, j fleet.Job) (s fleet.Sample, err error) {
	api, err := work.NewAPI(j.Config())
	if err != nil {
		return s, err
	}
	origin, err := git.New(j.URL, git.Options{Branch: fleet.Branch})
	if err != nil {
		return s, err
	}
	patches, err := prepare(ctx, j)
	if err != nil {
		return s, err
	}
	if err := work.Warm(ctx, j.Config()); err != nil {
		return s, err
	}
	steps := &fleet.Steps{Job: j}
	err = steps.Take(ctx, fleet.Course{
		Work: fleet.First,
		Do: func(ctx context.Context) error {
			snapshot, err := origin.Fetch(ctx, source.Revision{})
			if err != nil {
				return err
			}
			if err := snapshot.Close(); err != nil {
				return err
			}
			return send(ctx, api, patches)
		},
		Count: func(s *fleet.Step) { s.Fetches, s.Applies = 1, 1 },
	})
	return fleet.Sample{Steps: steps.Done}, err
}

// prepare builds what gitopskit builds, and sends of it what gitopskit sends.
func prepare(ctx context.Context, j fleet.Job) (patches []patch, err error) {
	for i := range j.N {
		files := make(fstest.MapFS)
		for name, body := range fleet.App(i, 0) {
			files[name] = &fstest.MapFile{Data: body, Mode: 0o644}
		}
		objects, err := kustomize.Build(ctx, files, fleet.Folder(i), kustomize.Options{})
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			labels := o.GetLabels()
			labels[partOf] = label(j.Namespace, i)
			o.SetLabels(labels)
			o.SetNamespace(j.Namespace)
			body, err := json.Marshal(o.Object)
			if err != nil {
				return nil, err
			}
			path, ok := fleet.Path(o.GetKind(), j.Namespace)
			if !ok {
				return nil, fmt.Errorf("no path is known for a %s", o.GetKind())
			}
			patches = append(patches, patch{path + "/" + o.GetName(), body})
		}
	}
	return patches, nil
}

// label is the value of the members' label, as KEP-3659 has it.
func label(namespace string, i int) string {
	sum := sha256.Sum256([]byte(fleet.Name(i) + "." + namespace + ".Secret."))
	return "applyset-" + base64.RawURLEncoding.EncodeToString(sum[:]) + "-v1"
}

func send(ctx context.Context, api *work.API, patches []patch) error {
	query := url.Values{"fieldManager": {"gitopskit"}, "force": {"true"}, "fieldValidation": {"Strict"}}
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(workers)
	for _, p := range patches {
		all.Go(func() error {
			_, err := api.Do(ctx, http.MethodPatch, p.path, work.Call{Query: query, Accept: acceptMetadata,
				ContentType: "application/apply-patch+yaml", Body: p.body})
			return err
		})
	}
	return all.Wait()
}
