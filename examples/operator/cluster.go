package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gitopskit/gitopskit/apply"
)

// A clusterKey is what Kustomizations have to have in common to share an Applier.
type clusterKey struct {
	user, ignore string
	force        bool
	wait         time.Duration
}

// A cluster is how a Kustomization reaches the cluster.
type cluster struct {
	applier *apply.Applier
	client  client.Client
}

// cluster returns the clients of a Kustomization, that act as its service account where it names one.
func (o *operator) cluster(k *desired, wait time.Duration) (*cluster, error) {
	rules, err := json.Marshal(k.ignore)
	if err != nil {
		return nil, err
	}
	key := clusterKey{ignore: string(rules), force: k.Spec.Force, wait: wait}
	if account := k.Spec.ServiceAccountName; account != "" {
		key.user = "system:serviceaccount:" + k.Namespace + ":" + account
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.clusters[key]; c != nil {
		return c, nil
	}
	config := rest.CopyConfig(o.config)
	config.Impersonate.UserName = key.user
	c := new(cluster)
	if c.applier, err = apply.New(config, apply.Options{FieldManager: "kustomize-controller", Replace: key.force,
		Ignore: k.ignore, WaitForDeletion: wait}); err != nil {
		return nil, err
	}
	c.client, err = client.New(config, client.Options{Mapper: o.client.RESTMapper()})
	if err != nil {
		return nil, err
	}
	o.clusters[key] = c
	return c, nil
}

// healthy waits until the objects that spec.healthChecks names are: they need not be in the set, which is why [apply.Wait]
// does not help.
func (c *cluster) healthy(ctx context.Context, k *kustomizev1.Kustomization) error {
	for {
		var waiting []string
		for _, check := range k.Spec.HealthChecks {
			state, err := c.health(ctx, check, k.Namespace)
			switch {
			case err != nil:
				return err
			case state.Status == status.FailedStatus:
				return fmt.Errorf("%s/%s/%s failed: %s", check.Kind, check.Namespace, check.Name, state.Message)
			case state.Status != status.CurrentStatus:
				waiting = append(waiting, fmt.Sprintf("%s/%s/%s: %s", check.Kind, check.Namespace, check.Name, state.Status))
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; waiting for %s", context.Cause(ctx), strings.Join(waiting, ", "))
		case <-time.After(2 * time.Second):
		}
	}
}

func (c *cluster) health(ctx context.Context, check fluxmeta.NamespacedObjectKindReference, namespace string) (
	*status.Result, error) {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.FromAPIVersionAndKind(check.APIVersion, check.Kind))
	err := c.client.Get(ctx, types.NamespacedName{Namespace: or(check.Namespace, namespace), Name: check.Name}, o)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return &status.Result{Status: status.NotFoundStatus}, nil
	}
	if err != nil {
		return nil, err
	}
	return status.Compute(o)
}
