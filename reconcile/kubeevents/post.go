package kubeevents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	internalscheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
)

// An event is an Event of events.k8s.io/v1, as far as it is written here.
type event struct {
	APIVersion          string           `json:"apiVersion"`
	Kind                string           `json:"kind"`
	Metadata            metadata         `json:"metadata"`
	EventTime           metav1.MicroTime `json:"eventTime"`
	ReportingController string           `json:"reportingController"`
	ReportingInstance   string           `json:"reportingInstance"`
	Action              string           `json:"action"`
	Reason              string           `json:"reason"`
	Regarding           Object           `json:"regarding"`
	Note                string           `json:"note"`
	Type                string           `json:"type"`
	Series              *eventSeries     `json:"series,omitempty"`
}

type metadata struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

type eventSeries struct {
	Count            int              `json:"count"`
	LastObservedTime metav1.MicroTime `json:"lastObservedTime"`
}

func newClient(config *rest.Config) (*rest.RESTClient, error) {
	if config == nil {
		return nil, errors.New("the configuration of the cluster is nil")
	}
	c := rest.CopyConfig(config)
	c.QPS, c.RateLimiter = -1, nil // there is one for all of a Recorder
	c.NegotiatedSerializer = internalscheme.Codecs.WithoutConversion()
	c.ContentType, c.AcceptContentTypes = "application/json", ""
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	httpClient, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, err
	}
	return rest.UnversionedRESTClientForConfigAndClient(c, httpClient)
}

// deliver writes a series to the server. It returns false where the server cannot take anything now; then the series is
// in the queue again.
func (r *Recorder) deliver(ctx context.Context, s *series) bool {
	r.mu.Lock()
	if s.name == "" {
		s.name = eventName(s.Object) // which stays for all tries, lest one whose answer was lost is there twice
	}
	sent := *s
	r.mu.Unlock()
	err := r.write(ctx, &sent)
	if r.settle(s, &sent, err) && r.opts.OnError != nil {
		r.opts.OnError(fmt.Errorf("posting the event %s of %s %s/%s: %w", s.Reason, s.Kind, s.Namespace, s.Name, err))
	}
	return !passes(err)
}

// settle notes what came of writing a series, and tells whether it is given up.
func (r *Recorder) settle(s, sent *series, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil && !s.there:
		s.there, s.told, s.failed = true, sent.count, 0
		s.due = time.Time{} // the first repeat is told at once
	case err == nil:
		s.told, s.failed = sent.count, 0
		s.due = time.Now().Add(rhythm)
	case apierrors.IsNotFound(err) && s.there: // it was kept for its hour; or the namespace is gone, which comes out now
		s.there, s.name = false, ""
	case passes(err) && s.failed+1 < tries:
		s.failed++
	default:
		s.refused = true
		r.dropped += s.count - s.told
		return true
	}
	if s.count > s.told && !s.queued {
		s.queued = true
		r.queue = append(r.queue, s)
	}
	return false
}

// write creates or patches the Event.
func (r *Recorder) write(ctx context.Context, s *series) error {
	namespace := s.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault // as the API wants it of Events about what is in no namespace
	}
	path := []string{"apis", "events.k8s.io", "v1", "namespaces", namespace, "events"}
	var again *eventSeries
	if s.count > 1 {
		again = &eventSeries{s.count, metav1.NewMicroTime(s.last)}
	}
	if s.there {
		body, err := json.Marshal(map[string]any{"series": again})
		if err != nil {
			return err
		}
		return r.client.Patch(types.MergePatchType).AbsPath(append(path, s.name)...).Body(body).Do(ctx).Error()
	}
	kind := "Normal"
	if s.Warning {
		kind = "Warning"
	}
	body, err := json.Marshal(event{APIVersion: "events.k8s.io/v1", Kind: "Event", Metadata: metadata{namespace, s.name},
		EventTime: metav1.NewMicroTime(s.first), ReportingController: r.opts.Controller, ReportingInstance: r.opts.Instance,
		Action: s.Action, Reason: s.Reason, Regarding: s.Object, Note: s.Note, Type: kind, Series: again})
	if err != nil {
		return err
	}
	err = r.client.Post().AbsPath(path...).Body(body).Do(ctx).Error()
	if apierrors.IsAlreadyExists(err) {
		return nil // an earlier try came through; the next repeat brings it up to date
	}
	return err
}

// eventName is the object's name and, where other Events have the time, a number that no other has: times may be the
// same.
func eventName(o Object) string {
	suffix := fmt.Sprintf(".%016x", rand.Uint64())
	name := strings.TrimRight(o.Name[:min(len(o.Name), validation.DNS1123SubdomainMaxLength-len(suffix))], ".-")
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		name = "event" // the names of some kinds may have more than that of an Event
	}
	return name + suffix
}

// passes tells whether an error is likely to go by itself: the server is busy or not there.
func passes(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err != nil
	}
	code := status.Status().Code
	return code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
}
