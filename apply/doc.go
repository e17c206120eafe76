// Package apply makes a cluster as a set of manifests says, by server-side apply, and prunes what a set had before.
//
//	applier, err := apply.New(config, apply.Options{})
//	result, err := applier.Apply(ctx, apply.Set{
//		ID:      apply.ID{Namespace: "default", Name: "podinfo"},
//		Objects: objects, // of kustomize.Build, which also takes a folder of plain YAML files, or of anything else
//	})
//	for _, change := range result.Changes { … } // Created, Configured, Unchanged, Pruned, Skipped, Failed
//
// [Applier.Plan] tells what Apply would do, [Applier.Wait] waits until all is healthy, [Applier.Watch] tells what has
// drifted, [Applier.Delete] takes the set away.
//
// # How it works
//
// A set has a parent, a Secret with the set's name, that holds its inventory: each object that the set may have on the
// cluster. An Apply
//
//  1. reads the inventory,
//  2. looks at what there is of the members, and compares,
//  3. writes the inventory ahead, with the objects that are new,
//  4. sends as PATCHes the manifests of what is not as it should be, many at once, wave by wave: namespaces and definitions
//     of kinds, then what others refer to, then the rest, then what intercepts requests,
//  5. deletes what the inventory has and the set has not, the waves in reverse, but only if all was applied,
//  6. writes the inventory as it then is.
//
// However it ends, even by a kill, no object is on the cluster that no inventory names, and the next Apply goes on. Where
// an object fails, the others of its wave are still sent, and later waves are not. Each object's end is in the [Result],
// also of an Apply that failed; [Options.OnChange] tells it as it comes.
//
// A kind that the set both defines and uses is waited for until it is served. An object with the annotation
// config.kubernetes.io/depends-on is sent once the objects that it names, of the same set, are healthy, Jobs once they are
// complete, and deleted before them; the waves do not wait for it. [Options.DependencyTimeout] bounds the wait, after which
// the object is told as Skipped, with [ErrNotReached]. A cycle is [ErrDependency], before anything is sent.
//
// # How nothing is done
//
// The server's answer is remembered, not simulated. The inventory has for each object a sum of the manifest that was sent
// and one of the metadata in the answer: the UID, the generation, the labels and annotations that are the manifest's, the
// owner references, and who manages which fields; for a kind without a generation the resourceVersion. The next Apply asks
// for the metadata of the members. Where both sums are the same, sending the manifest would change nothing, and it is not
// sent. Anything else is one PATCH, of which the answer tells whether it changed something. What metadata cannot tell, such
// as a changed webhook, is found when all is sent again, after [Options.RevalidateAfter].
//
// For the metadata of its members an Apply asks kind by kind, by the fewest requests that are cheap for the server:
//
//	one or two objects of a kind    a GET of each
//	more, in up to 4 namespaces     a LIST by label in each of these; a GET where there is one object
//	more, in more, or in none       one LIST by label, of all
//	a LIST that is forbidden        by namespace instead, then object by object; remembered for the Applier's life
//
// So where nothing is to be done, all of it is one GET of the inventory, these looks, and no write. A member that is not
// found by the set's label is looked for once more, by that of any set. Which kinds the cluster has is asked only for a
// kind that the inventory does not know, by one or two requests in the life of an Applier; again where a kind is not found,
// and before a namespace or a definition is deleted. The server has to be of Kubernetes 1.30 or later.
//
// # Whose an object is
//
// An object is of one set: its label applyset.kubernetes.io/part-of says of which. One with another set's label fails with
// [ErrOwned], which names that set as far as its Secret may be listed. One without any becomes the set's. [Options.Adopt]
// has it otherwise: [AdoptNone] takes nothing that was there before, [AdoptAlways] takes all, also from other sets, and
// needs no look at a first Apply. The look comes before the PATCH: two sets that begin with one object at the same moment
// may both send it, and the next Apply of the one without the label tells.
//
// A field is of the manager that applied it. One that the manifest does not name is not the set's, and what others add
// there stays. Fields that others own become the set's, unless [Options.Conflicts] is
// [FailFields]: then the object fails with a [*ConflictError] that names each field and its manager. What kubectl applied
// client-side is taken over, so that its fields that the manifest no longer has are removed; so is what the managers in
// [Options.TakeOver] have. Fields under [Options.Ignore] are left to whoever else has them. Where the server can no longer
// read who manages a custom resource's fields, since the definition lost the version that they were applied by, they are
// noted as of the present one.
//
// # What an object's author asks for
//
// Annotations that other tools have are honoured, and none is invented:
//
//	kustomize.toolkit.fluxcd.io/reconcile: disabled    neither applied nor deleted
//	kustomize.toolkit.fluxcd.io/ssa: Ignore            the same
//	kustomize.toolkit.fluxcd.io/ssa: IfNotPresent      created where it is not there, and left alone from then on
//	kustomize.toolkit.fluxcd.io/ssa: Merge             applied, but nothing is taken over from other managers
//	kustomize.toolkit.fluxcd.io/prune: disabled        never deleted
//	helm.sh/resource-policy: keep                      never deleted
//	client.lifecycle.config.k8s.io/deletion: detach    never deleted
//	cli-utils.sigs.k8s.io/on-remove: keep              never deleted
//	argocd.argoproj.io/sync-options: Prune=false       never deleted; so with Prune=confirm, Delete=false, Delete=confirm
//	argocd.argoproj.io/sync-options: Force=true        replaced where a field is immutable
//	kustomize.toolkit.fluxcd.io/force: enabled         replaced where a field is immutable
//	config.kubernetes.io/depends-on: …                 sent after what it names: apps/namespaces/shop/Deployment/db, /Namespace/shop
//
// Flux's may be labels as well. What is applied goes by its manifest, what is pruned or deleted by the object on the
// cluster; what says in either place that it is not to be applied, or not to be deleted, is not applied, or not replaced,
// as long as it has the set's label.
// What is so left alone is told as Skipped, with [ErrProtected], and as Unchanged where IfNotPresent created it in this set. What
// stays when it is pruned, or by Delete, loses the set's label, and is nobody's.
//
// # Immutable fields
//
// A change that the server refuses as invalid fails. Where [Options.Replace] or the annotation allows it, the object is
// deleted and created anew, but only after a proof that the change is refused and not the manifest: the server takes the
// same manifest under another name, in a dry run. An invalid manifest so never deletes anything. Namespaces and definitions
// are never replaced.
//
// # What is not pruned
//
// Nothing is pruned where an object of the set failed or was not reached, or by an empty set ([ErrEmptySet]), or more than
// [Options.MaxPruneShare] at once ([ErrPruneShare]); [Set.AllowEmpty] and the option allow it by name. A member is deleted
// in just the state that was looked at: the DELETE has its UID and resourceVersion. It is looked at again where it changed
// meanwhile. One without the set's label is left alone. A namespace, or a definition, that has objects outside the set is
// [ErrOccupied] and stays, unless [Options.DeleteOccupied] is set; and in any case one that has objects which are in the set
// still. The namespace that the parent is in is not pruned; Delete takes it, as the last.
//
// # Before anything is changed
//
// A set that cannot be right is refused as a whole: a manifest without a name, two of one identity ([ErrDuplicate]), a
// Secret with what is no text. The server is asked to refuse fields that it does not know. With [Options.Validate] all that
// would be sent is a dry run first, and where any is refused nothing is changed; only what is in a namespace, or of a kind,
// that the set itself brings, or is about to change, cannot be judged yet.
//
// [Applier.Plan] goes further and returns each difference that the server would make, defaults and webhooks included, with
// Secrets masked: for people by [Plan.WriteDiff], for a pull request by [Plan.WriteMarkdown], for programs as JSON. A plan
// in [Set.Plan] has Apply do what it says or nothing: [ErrPlanOutdated].
//
// # Health
//
// [Applier.Wait] follows the members by watch until all are healthy at one time, by [Options.Health] where that has an
// opinion and by kstatus elsewhere. It ends at once when an object has failed, unless told to keep waiting, and at the end
// of its context; the error is [ErrUnhealthy], with what is wrong down to the containers of Pods. Apply itself waits only
// for what others depend on.
//
// # Drift
//
// [Applier.Watch] follows a set for long: its parent, and its members by their label, metadata only. [Watch.Drift] waits
// until one is not as it was left, and names it and, as far as the cluster tells, who changed it. [Watch.Apply] asks for
// nothing that the watch has been told: where nothing is to be done it sends nothing, and what has drifted costs a PATCH
// each and one write of the inventory. Expired watches, broken connections and kinds that come and go do it no harm: what
// it is not sure of, Apply asks for.
//
// [Applier.Watches] follows many sets by one watch of each kind, in all namespaces, by the labels that all members have, and
// by one of all parents; a set then costs memory alone, some 3 KiB for each object. It also knows which objects other sets
// have, and of which sets there is no inventory yet: the first Apply of a small set is a PATCH for each object and the two
// writes of the inventory, without a look.
//
// # Deletion
//
// [Applier.Delete] deletes all members in the reverse of the waves, those that depend on others before these, and then the
// parent. With [Options.WaitForDeletion] it waits until what it deleted is gone, group by group. What cannot be deleted
// stays in the inventory, and Delete may be called again.
//
// Whoever deletes the parent in another way orphans the members: they stay, and nobody prunes them. So do not let the
// parent be collected with an owner. An operator puts a finalizer on its own resource, and calls Delete before it takes
// that off, as the example shows.
//
// # Two appliers, and many objects
//
// Two appliers of one set are told apart by the parent's resourceVersion: before either sends what the other would not, it
// writes the inventory, and one of them gets [ErrConflict]. To apply again puts it right. One that is overtaken while it sends
// adds what it sent to the other's inventory; only where it is killed just then, or its context ends, may an object that it
// created be left that has the set's label and is in no inventory.
//
// An inventory that is too large for one Secret, of some ten thousand objects and more, is split into up to 1,024 shards,
// Secrets beside the parent with names of their own; [Options.MaxInventoryBytes] bounds it. No more than
// [Options.Concurrency] requests are under way at once, and fewer while the server answers that it has too many.
//
// # Rights
//
// This Role is all that Apply, Plan, Wait and Delete need for a set podinfo of these three kinds; none of its verbs can be
// taken out. Discovery is every authenticated user's by Kubernetes' own roles.
//
//	apiVersion: rbac.authorization.k8s.io/v1
//	kind: Role
//	metadata: {name: podinfo-applier, namespace: podinfo}
//	rules:
//	- {apiGroups: [""], resources: [secrets], verbs: [create]}
//	- {apiGroups: [""], resources: [secrets], resourceNames: [podinfo], verbs: [get, update, delete]}
//	- {apiGroups: [""], resources: [configmaps, services], verbs: [create, patch, get, list, watch, delete]}
//	- {apiGroups: [apps], resources: [deployments], verbs: [create, patch, get, list, watch, delete]}
//
// What needs which, of the kinds that are applied:
//
//	Apply, Plan, Validate      create, patch, get; list makes looks few, and they do without
//	pruning, Delete            get, delete; patch, where an object is to stay
//	Wait                       list, watch; in all namespaces, for a kind with objects in more than one
//	Watch                      list, watch; and of Secrets those two by the set's name
//	Watches                    list, watch; and of Secrets those two; all in all namespaces, else each set does as Watch
//	depends-on                 list, watch
//	replacing                  get, delete, list, watch
//	WaitForDeletion            list, watch; as Wait
//	pruning a namespace        list of every kind that can be listed in it; not with DeleteOccupied
//	pruning a definition       list of its kind in all namespaces; not with DeleteOccupied
//
// An applier that never calls Delete does not need to delete the parent. Shards need get, create, list and delete of all
// Secrets in the parent's namespace. To list Pods, ReplicaSets and Events has Wait tell more, and to list Secrets has
// ErrOwned name the other set; neither is needed. To apply a Role or a binding, its applier needs the rights in it.
//
// # What kubectl sees
//
// The parent and the members have the labels and annotations of KEP-3659: kubectl get with the selector
// applyset.kubernetes.io/part-of lists the members, and kubectl apply --applyset refuses the parent as another tool's.
// kubectl get secret with the selector applyset.kubernetes.io/id lists the sets. Sums of Secrets are in the inventory: it
// is a Secret for that reason.
//
// # What it never does
//
// It does not change or re-sort the manifests it is given. It does not delete what no inventory of the set named. It does
// nothing between two calls, [Watch] and [Watches] aside: no goroutine outlives its call, and all that an [Applier] remembers is which
// kinds the cluster has and which LISTs are forbidden. It starts no process and writes no file.
package apply
