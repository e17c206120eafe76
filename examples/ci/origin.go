package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/kustomize"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// origin returns where the manifests come from.
func (o *options) origin() (source.Source, error) {
	switch {
	case o.folder != "" && o.git != "":
		return nil, errors.New("-f excludes -git")
	case o.folder != "" && o.branch+o.tag+o.semver+o.commit != "":
		return nil, errors.New("-branch, -tag, -semver and -commit are for -git")
	case o.folder != "":
		return source.Dir(o.folder, source.DirOptions{}), nil
	case o.git != "":
		return git.New(o.git, git.Options{
			Branch: o.branch, Tag: o.tag, SemVer: o.semver, Commit: o.commit,
			Username: os.Getenv("GIT_USERNAME"), Password: os.Getenv("GIT_PASSWORD"),
		})
	}
	return nil, errors.New("where are the manifests? say -f FOLDER or -git URL")
}

// built fetches the origin and builds it.
func (o *options) built(ctx context.Context) ([]*unstructured.Unstructured, source.Revision, error) {
	origin, err := o.origin()
	if err != nil {
		return nil, source.Revision{}, err
	}
	snapshot, err := origin.Fetch(ctx, source.Revision{}) // the zero Revision is never current
	if err != nil {
		return nil, source.Revision{}, err
	}
	defer snapshot.Close()
	objects, err := o.build(ctx, snapshot)
	return objects, snapshot.Revision, err
}

func (o *options) build(ctx context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
	opts := kustomize.Options{}
	if len(o.variables) > 0 {
		opts.Variables.Values = o.variables
	}
	return kustomize.Build(ctx, fsys, o.path, opts)
}

// target returns the set on the cluster. Each object that is done with is told to progress.
func (o *options) target(p *progress) (*apply.Applier, apply.ID, error) {
	id := apply.ID{Namespace: o.namespace, Name: o.set}
	if o.set == "" {
		return nil, id, errors.New("which set is it? say -set NAME: what a set of that name had before, and has no longer, is pruned")
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, id, fmt.Errorf("finding the cluster: %w", err)
	}
	config.QPS = -1 // the Applier bounds itself
	opts := apply.Options{MaxPruneShare: o.pruneLimit}
	if p != nil {
		opts.OnChange = func(_ apply.ID, c apply.Change) { p.change(c) }
	}
	applier, err := apply.New(config, opts)
	return applier, id, err
}
