package apply

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// Options say how an [Applier] works; the zero value works.
type Options struct {
	// FieldManager is the name under which the set's fields are owned; empty: "gitopskit". Whoever changes it leaves the
	// fields to the old name.
	FieldManager string
	// Concurrency is how many requests are under way at once; 0: 32.
	Concurrency int
	// MaxPruneShare is the greatest share of the inventory that one Apply may prune, from 0 to 1, where 0 stands for 1: all
	// of it. One that would prune more is [ErrPruneShare].
	MaxPruneShare float64
	// Propagation is the propagation policy of deletions; empty: background.
	Propagation metav1.DeletionPropagation
	// RevalidateAfter bounds for how long objects that look unchanged are not sent: it catches what a look cannot see,
	// such as a changed webhook. 0: 24 hours.
	RevalidateAfter time.Duration
	// EstablishTimeout is how long an applied CustomResourceDefinition may take to be served; 0: one minute.
	EstablishTimeout time.Duration
	// MaxInventoryBytes bounds the inventory as it is decompressed; 0: 64 MiB.
	MaxInventoryBytes int64
	// Health says how the consumer's own kinds are; nil, or a nil Health: kstatus does. It gets each object of the set that
	// is not being deleted, whole, but no ConfigMap and no Secret, may be called for two at once, and has an error where it
	// cannot tell, which is [UnknownStatus].
	Health func(*unstructured.Unstructured) (*Health, error)
}

func (o Options) withDefaults() Options {
	if o.FieldManager == "" {
		o.FieldManager = "gitopskit"
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 32
	}
	if o.MaxPruneShare == 0 {
		o.MaxPruneShare = 1
	}
	if o.Propagation == "" {
		o.Propagation = metav1.DeletePropagationBackground
	}
	if o.RevalidateAfter == 0 {
		o.RevalidateAfter = 24 * time.Hour
	}
	if o.EstablishTimeout == 0 {
		o.EstablishTimeout = time.Minute
	}
	if o.MaxInventoryBytes == 0 {
		o.MaxInventoryBytes = 64 << 20
	}
	return o
}

func (o Options) check() error {
	if o.MaxPruneShare < 0 || o.MaxPruneShare > 1 {
		return fmt.Errorf("%w: MaxPruneShare is %v, and has to be between 0 and 1", ErrInvalid, o.MaxPruneShare)
	}
	switch o.Propagation {
	case "", metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan:
	default:
		return fmt.Errorf("%w: Propagation is %q, and has to be Background, Foreground or Orphan", ErrInvalid, o.Propagation)
	}
	return nil
}

// An Applier applies sets to one cluster. It keeps what it has learned of the cluster's kinds, and may be used by many
// goroutines at once.
type Applier struct {
	opts   Options
	client *client
	mapper *mapper
}

// New returns an Applier for the cluster that config leads to. There is no client-side rate limit unless config sets QPS
// or RateLimiter. No request is sent.
func New(config *rest.Config, opts Options) (*Applier, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	c, err := newClient(config)
	if err != nil {
		return nil, err
	}
	return &Applier{opts: opts.withDefaults(), client: c, mapper: newMapper(c)}, nil
}
