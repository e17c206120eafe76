package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	internalscheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Answers are asked for as metadata alone, in protobuf where the server has it.
const (
	protobufAs        = "application/vnd.kubernetes.protobuf;as=%[1]s;g=meta.k8s.io;v=v1,application/json;as=%[1]s;g=meta.k8s.io;v=v1"
	acceptDiscovery   = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	fieldsAreMistakes = "Strict" // unknown and doubled fields are errors, as with kubectl
)

var (
	acceptMetadata     = fmt.Sprintf(protobufAs, "PartialObjectMetadata")
	acceptMetadataList = fmt.Sprintf(protobufAs, "PartialObjectMetadataList")
)

// A client sends the few kinds of request that this package needs. Answers of 429 and 5xx with Retry-After are waited
// out and sent again by client-go's rest package.
type client struct{ rest *rest.RESTClient }

func newClient(config *rest.Config, most int) (*client, error) {
	if config == nil {
		return nil, errors.New("reading the configuration of the cluster: it is nil")
	}
	c := rest.CopyConfig(config)
	if c.QPS == 0 && c.RateLimiter == nil {
		c.QPS = -1
	}
	if c.WarningHandler == nil && c.WarningHandlerWithContext == nil {
		c.WarningHandler = rest.NoWarnings{}
	}
	c.NegotiatedSerializer = internalscheme.Codecs.WithoutConversion()
	c.ContentType, c.AcceptContentTypes = "application/json", ""
	pacer := newPacer(most)
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		pacer.next = next
		return pacer
	})
	httpClient, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration of the cluster: %w", err)
	}
	r, err := rest.UnversionedRESTClientForConfigAndClient(c, httpClient)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration of the cluster: %w", err)
	}
	return &client{rest: r}, nil
}

// patching says how a manifest is sent.
type patching struct {
	manager    string
	force, dry bool
}

func (p patching) request(r *rest.Request) *rest.Request {
	if p.force {
		r = r.Param("force", "true")
	}
	if p.dry {
		r = r.Param("dryRun", metav1.DryRunAll)
	}
	return r.Param("fieldManager", p.manager).Param("fieldValidation", fieldsAreMistakes)
}

// apply sends a manifest by server-side apply and returns the metadata of the answer and whether it created the object.
func (c *client) apply(ctx context.Context, path []string, body []byte, how patching) (*metav1.PartialObjectMetadata, bool, error) {
	result := how.request(c.rest.Patch(types.ApplyPatchType)).AbsPath(path...).
		SetHeader("Accept", acceptMetadata).Body(body).Do(ctx)
	var status int
	m, err := metadata(result.StatusCode(&status))
	return m, status == http.StatusCreated, err
}

// patchJSON changes an object by a JSON patch, and patchMerge by a merge patch.
func (c *client) patchJSON(ctx context.Context, path []string, body []byte, manager string) error {
	return c.patch(ctx, types.JSONPatchType, path, body, manager)
}

func (c *client) patchMerge(ctx context.Context, path []string, body []byte, manager string) error {
	return c.patch(ctx, types.MergePatchType, path, body, manager)
}

func (c *client) patch(ctx context.Context, kind types.PatchType, path []string, body []byte, manager string) error {
	return c.rest.Patch(kind).AbsPath(path...).Param("fieldManager", manager).SetHeader("Accept", acceptMetadata).Body(body).Do(ctx).Error()
}

func (c *client) getMetadata(ctx context.Context, path []string) (*metav1.PartialObjectMetadata, error) {
	return metadata(c.rest.Get().AbsPath(path...).SetHeader("Accept", acceptMetadata).Do(ctx))
}

func (c *client) listMetadata(ctx context.Context, path []string, selector string) ([]metav1.PartialObjectMetadata, error) {
	items, _, err := list(ctx, c.rest.Get().AbsPath(path...).Param("labelSelector", selector))
	return items, err
}

// listPage lists up to 500 objects, and says how to go on where there are more.
func (c *client) listPage(ctx context.Context, path []string, next string) ([]metav1.PartialObjectMetadata, string, error) {
	r := c.rest.Get().AbsPath(path...).Param("limit", "500")
	if next != "" {
		r = r.Param("continue", next)
	}
	return list(ctx, r)
}

func list(ctx context.Context, r *rest.Request) ([]metav1.PartialObjectMetadata, string, error) {
	o, err := r.SetHeader("Accept", acceptMetadataList).Do(ctx).Get()
	if err != nil {
		return nil, "", err
	}
	list, ok := o.(*metav1.PartialObjectMetadataList)
	if !ok {
		return nil, "", fmt.Errorf("the server answered with a %T where metadata was asked for", o)
	}
	return list.Items, list.Continue, nil
}

func (c *client) delete(ctx context.Context, path []string, opts metav1.DeleteOptions) error {
	opts.Kind, opts.APIVersion = "DeleteOptions", "v1"
	body, err := json.Marshal(opts)
	if err != nil {
		return err
	}
	// The answer may be the whole object, which nobody reads: as metadata it is short. It may also be a Status.
	return c.rest.Delete().AbsPath(path...).SetHeader("Content-Type", "application/json").
		SetHeader("Accept", acceptMetadata+",application/json").Body(body).Do(ctx).Error()
}

// deleteOptions let the server delete just the object that was seen, in the state in which it was seen.
func deleteOptions(uid, resourceVersion string, propagation metav1.DeletionPropagation) metav1.DeleteOptions {
	id := types.UID(uid)
	return metav1.DeleteOptions{
		Preconditions:     &metav1.Preconditions{UID: &id, ResourceVersion: &resourceVersion},
		PropagationPolicy: &propagation,
	}
}

// getJSON decodes the answer into out.
func (c *client) getJSON(ctx context.Context, path []string, accept string, out any) error {
	result := c.rest.Get().AbsPath(path...).SetHeader("Accept", accept).Do(ctx)
	if err := result.Error(); err != nil { // Raw does not decode what the server says of an error
		return err
	}
	body, err := result.Raw()
	if err != nil {
		return err
	}
	return json.Unmarshal(body, out)
}

// write creates or replaces an object by verb POST or PUT and returns its new metadata.
func (c *client) write(ctx context.Context, verb string, path []string, object any, manager string) (*metav1.PartialObjectMetadata, error) {
	body, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	return metadata(c.rest.Verb(verb).AbsPath(path...).Param("fieldManager", manager).
		SetHeader("Accept", acceptMetadata).SetHeader("Content-Type", "application/json").Body(body).Do(ctx))
}

func metadata(result rest.Result) (*metav1.PartialObjectMetadata, error) {
	o, err := result.Get()
	if err != nil {
		return nil, err
	}
	m, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil, fmt.Errorf("the server answered with a %T where metadata was asked for", o)
	}
	return m, nil
}

// objectGone tells whether the server says that it has no such object, and kindGone that it has nothing at all at the path:
// the kind, or its version, is not served.
func objectGone(err error) bool { return apierrors.IsNotFound(err) && !kindGone(err) }

func kindGone(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
