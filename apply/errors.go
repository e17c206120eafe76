package apply

import "errors"

// What callers branch on.
var (
	// ErrInvalid: an option, the set, or an object of it is not what could be used.
	ErrInvalid = errors.New("invalid")
	// ErrDuplicate: two objects of the set have one identity: group, kind, namespace and name.
	ErrDuplicate = errors.New("two objects with one identity")
	// ErrEmptySet: the set is empty, was not before, and AllowEmpty is not set. Nothing was sent.
	ErrEmptySet = errors.New("refused to prune by an empty set")
	// ErrPruneShare: more of the set would be pruned than Options.MaxPruneShare allows. Nothing was sent.
	ErrPruneShare = errors.New("refused to prune so much of the set")
	// ErrUnknownKind: neither the cluster nor a CustomResourceDefinition of the set has the object's kind.
	ErrUnknownKind = errors.New("the cluster does not know this kind")
	// ErrConflict: another applier wrote the set's inventory in the meantime; what this one did is told in its result,
	// and applying again puts it right. Fields that another manager has are a [*ConflictError] instead.
	ErrConflict = errors.New("another applier is at work on this set")
	// ErrNotParent: the Secret with the set's name is not a set's parent, and is left as it is.
	ErrNotParent = errors.New("the Secret is not the parent of a set")
	// ErrTerminating: the set's parent is being deleted; nothing was sent.
	ErrTerminating = errors.New("the inventory is being deleted")
	// ErrInventory: the inventory cannot be read; nothing was sent, so that nothing is orphaned.
	ErrInventory = errors.New("the inventory cannot be read")
	// ErrTooLarge: a limit was crossed; the text names it.
	ErrTooLarge = errors.New("too large")
	// ErrUnhealthy: an object failed, or was not healthy when the wait for it ended.
	ErrUnhealthy = errors.New("not healthy")
	// ErrNotReached: the object was not sent, since an earlier wave failed, or what it depends on, or the validation.
	ErrNotReached = errors.New("not sent: others before it failed")
	// ErrPlanOutdated: the cluster or the desired state is not as it was when the plan was made; nothing was sent.
	ErrPlanOutdated = errors.New("the plan is outdated")
	// ErrDependency: an annotation config.kubernetes.io/depends-on cannot be read, or names what is not in the set, or
	// objects depend on each other in a circle. Nothing was sent.
	ErrDependency = errors.New("the dependencies between objects cannot be kept")
	// ErrProtected: the object was left alone, as an annotation of it says; the text names it.
	ErrProtected = errors.New("left alone, by its annotation")
	// ErrOwned: the object belongs to another set; the text names it.
	ErrOwned = errors.New("it belongs to another set")
	// ErrExists: the object exists, and Options.Adopt does not allow to take it.
	ErrExists = errors.New("it exists already, and was not applied by this set")
	// ErrOccupied: the namespace, or the definition of a kind, still has objects outside the set, or that the set is to keep.
	ErrOccupied = errors.New("it has objects that would go with it")
)

// An Error is about one object. Answers of the API server are in its chain, as *apierrors.StatusError.
type Error struct {
	Op  string // "applying", "pruning", …
	Ref Ref
	Err error
}

func (e *Error) Error() string { return e.Op + " " + e.Ref.String() + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
