package apply

import (
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// Options say how an [Applier] works; the zero value works.
type Options struct {
	// FieldManager is the name under which the set's fields are owned; empty: "gitopskit". Whoever changes it leaves the
	// fields to the old name, unless that is in TakeOver.
	FieldManager string
	// Concurrency is how many requests are under way at once, of all calls together; 0: 32. It falls while the server
	// answers that it has too many.
	Concurrency int

	// Adopt says which objects that exist already may become the set's; empty: [AdoptFree].
	Adopt Adoption
	// Conflicts says what becomes of fields that the set names and others own; empty: [TakeFields].
	Conflicts Conflicts
	// TakeOver names field managers whose fields become the set's own, so that those which the manifests do not name are
	// removed: the manager of the tool that had the objects before, as metadata.managedFields names it. What kubectl
	// applied client-side is always taken over. That is done when an object is sent: naming a manager sends none of those
	// that are as they should be, before RevalidateAfter.
	TakeOver []string
	// Ignore are fields that are left to others.
	Ignore []IgnoreRule
	// Replace allows an object to be deleted and created anew where its change is refused because a field of it is
	// immutable. Without it, only objects whose annotation asks for it are.
	Replace bool
	// ReplaceTimeout is how long an object that is replaced may take to be gone; 0: one minute.
	ReplaceTimeout time.Duration
	// Validate has all that would be sent be sent as a dry run first. Where the server refuses any, nothing is changed.
	Validate bool
	// RevalidateAfter bounds for how long objects that look unchanged are not sent: it catches what a look cannot see,
	// such as a changed webhook. 0: 24 hours.
	RevalidateAfter time.Duration
	// EstablishTimeout is how long an applied CustomResourceDefinition may take to be served; 0: one minute.
	EstablishTimeout time.Duration
	// Health says how the consumer's own kinds are; nil, or a nil Health: kstatus does. It gets each object of the set that
	// is not being deleted, whole, but no ConfigMap and no Secret, and must not change it. An error is [UnknownStatus]. Two
	// calls of Wait may call it at once.
	Health func(*unstructured.Unstructured) (*Health, error)
	// DependencyTimeout is how long an object that others depend on may take to be healthy; 0: five minutes.
	DependencyTimeout time.Duration

	// MaxPruneShare is the greatest share of the inventory that one Apply may prune, from 0 to 1, where 0 stands for 1: all
	// of it. One that would prune more is [ErrPruneShare].
	MaxPruneShare float64
	// Propagation is the propagation policy of deletions; empty: background.
	Propagation metav1.DeletionPropagation
	// DeleteOccupied allows to delete a namespace, or a definition of a kind, that still has objects outside the set: they
	// go with it. Otherwise it stays, and is told as [ErrOccupied].
	DeleteOccupied bool
	// WaitForDeletion is how long Delete waits, wave by wave, until what it deleted is gone; 0: it does not wait.
	WaitForDeletion time.Duration

	// MaxInventoryBytes bounds the inventory as it is decoded, of all its Secrets together; 0: 64 MiB.
	MaxInventoryBytes int64

	// OnChange is called as each object is done with, by one goroutine at a time, and what it does holds the others up. A
	// call that fails as a whole calls it for none.
	OnChange func(ID, Change)

	shardBytes int // of an inventory that a Secret holds; 0: 512 KiB
}

// Adoption says which objects become a set's that existed before it named them.
type Adoption string

// The adoptions.
const (
	AdoptFree   Adoption = "free"   // those that have no other set's label; others are [ErrOwned]
	AdoptNone   Adoption = "none"   // none; they are [ErrExists]
	AdoptAlways Adoption = "always" // also another set's; a first Apply then needs no look at what is there
)

// Conflicts says what becomes of fields that a manifest names and another manager owns.
type Conflicts string

// The ways with conflicts.
const (
	TakeFields Conflicts = "take" // they become the set's
	FailFields Conflicts = "fail" // the object fails with a [*ConflictError]
)

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&o.RevalidateAfter, 24 * time.Hour}, {&o.EstablishTimeout, time.Minute}, {&o.ReplaceTimeout, time.Minute},
		{&o.DependencyTimeout, 5 * time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
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
	if o.MaxInventoryBytes == 0 {
		o.MaxInventoryBytes = 64 << 20
	}
	if o.shardBytes == 0 {
		o.shardBytes = 512 << 10
	}
	return o
}

func (o Options) check() error {
	wrong := func(name string, value any, want string) error {
		return fmt.Errorf("%w: %s is %q, and has to be %s", ErrInvalid, name, fmt.Sprint(value), want)
	}
	if !(o.MaxPruneShare >= 0 && o.MaxPruneShare <= 1) { // not a number is neither
		return wrong("MaxPruneShare", o.MaxPruneShare, "between 0 and 1")
	}
	switch o.Propagation {
	case "", metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan:
	default:
		return wrong("Propagation", o.Propagation, "Background, Foreground or Orphan")
	}
	switch o.Adopt {
	case "", AdoptFree, AdoptNone, AdoptAlways:
	default:
		return wrong("Adopt", o.Adopt, "free, none or always")
	}
	switch o.Conflicts {
	case "", TakeFields, FailFields:
	default:
		return wrong("Conflicts", o.Conflicts, "take or fail")
	}
	return nil
}

// An Applier applies sets to one cluster. It keeps what it has learned of the cluster's kinds, and may be used by many
// goroutines at once.
type Applier struct {
	opts   Options
	client *client
	mapper *mapper
	denied denials
	ignore rules

	telling sync.Mutex // held while OnChange is called
}

// New returns an Applier for the cluster that config leads to. There is no client-side rate limit unless config sets QPS
// or RateLimiter. No request is sent.
func New(config *rest.Config, opts Options) (*Applier, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	c, err := newClient(config, opts.Concurrency)
	if err != nil {
		return nil, err
	}
	ignore, err := newRules(opts.Ignore)
	if err != nil {
		return nil, err
	}
	return &Applier{opts: opts, client: c, mapper: newMapper(c), ignore: ignore}, nil
}

// tell calls the consumer's hook.
func (a *Applier) tell(id ID, c Change) {
	if a.opts.OnChange == nil {
		return
	}
	a.telling.Lock()
	defer a.telling.Unlock()
	a.opts.OnChange(id, c)
}
