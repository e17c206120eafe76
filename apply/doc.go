// Package apply makes a cluster as a set of manifests says, by server-side apply, and prunes what a set had before.
//
//	applier, err := apply.New(config, apply.Options{})
//	result, err := applier.Apply(ctx, apply.Set{
//		ID:      apply.ID{Namespace: "default", Name: "podinfo"},
//		Objects: objects, // of kustomize.Build, or anything else that makes manifests
//	})
//	for _, change := range result.Changes { … } // Created, Configured, Unchanged, Pruned, Skipped, Failed
//
// # How it works
//
// A set has a parent, a Secret with the set's name, that holds its inventory: each object that the set may have on the
// cluster. An Apply
//
//  1. reads the inventory,
//  2. writes it ahead, with the objects that are new,
//  3. sends the manifests as PATCHes, many at once, wave by wave: namespaces and definitions of kinds, then what others
//     refer to, then the rest, then what intercepts requests,
//  4. deletes what the inventory has and the set has not, the waves in reverse, but only if all was applied,
//  5. writes the inventory as it then is.
//
// However it ends, even by a kill, no object is on the cluster that no inventory names, and the next Apply goes on. Two
// appliers of one set are told apart by the parent's resourceVersion: one of them gets [ErrConflict].
//
// # How nothing is done
//
// The server's answer is remembered, not simulated. The inventory has for each object a sum of the manifest that was sent
// and one of the metadata in the answer: the UID, the generation, the labels and annotations that are the manifest's, and
// who manages which fields; for a kind without a generation the resourceVersion. The next Apply asks for the metadata of
// all members, by one LIST for each kind. Where both sums are the same, sending the manifest would change nothing, and it
// is not sent. Anything else is one PATCH, of which the answer tells whether it changed something. What metadata cannot
// tell, such as a changed webhook, is found when all is sent again, after [Options.RevalidateAfter].
//
// # Rights
//
// The Secret of the set: get, create, update, delete; and list, where the inventory of many thousand objects takes more
// than one Secret, beside it. What is applied: create, patch, list, get, delete; list in all
// namespaces for a kind of which the set has objects in more than one. Discovery needs no right of its own.
//
// # Two sets and one object
//
// An object is of one set. This package does not look who had an object before: the set that applies it last has it, and one
// that applied it before leaves it alone when it no longer names it. Give each object to one set.
//
// # What it never does
//
// It does not change the manifests it is given. It does not delete what it was not told of, nor what lost the set's label,
// nor anything where an object of the set was refused. It keeps no state but what it knows of the cluster's kinds.
//
// Members have the label applyset.kubernetes.io/part-of and the parent the labels and annotations of KEP-3659, so that
// kubectl knows the set too. Sums of Secrets are in the inventory: it is a Secret for that reason.
package apply
