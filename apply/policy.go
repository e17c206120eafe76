package apply

import (
	"cmp"
	"slices"
	"strings"
)

// A policy is what the author of an object asks for by an annotation that he already has for another tool. Each field is
// empty where nothing asks for it, else it is what does, for the report: "helm.sh/resource-policy: keep".
//
//	annotation                                       value         compared        field
//	kustomize.toolkit.fluxcd.io/ssa                  Override      folding case    none, the default
//	                                                 Merge                         noTakeover
//	                                                 IfNotPresent                  createOnly
//	                                                 Ignore                        ignore, keep
//	kustomize.toolkit.fluxcd.io/reconcile            disabled      folding case    ignore, keep
//	kustomize.toolkit.fluxcd.io/prune                disabled      folding case    keep
//	kustomize.toolkit.fluxcd.io/force                enabled       folding case    replace
//	client.lifecycle.config.k8s.io/deletion          detach        exactly         keep
//	cli-utils.sigs.k8s.io/on-remove                  keep          exactly         keep
//	helm.sh/resource-policy                          keep          trimmed,        keep
//	                                                               folding case
//	argocd.argoproj.io/sync-options                  Prune=false   exactly, each   keep
//	                                                 Prune=confirm of a trimmed    keep: nobody is here to confirm
//	                                                 Delete=false  list with       keep
//	                                                 Delete=confirm commas         keep
//	                                                 Force=true                    replace
//
// Values are compared as the tool compares them. Flux takes a label for an annotation, and people use that. Other values
// mean nothing, such as Argo's Replace=true: a PUT in place of an apply would take fields from other managers, and what
// it is for, objects too large for kubectl's annotation, server-side apply has no need of. Argo tells an object that
// stays when it is pruned from one that stays with its application deleted; here both stay both times, since what was
// kept can be deleted still, and not the other way.
type policy struct {
	ignore     string // neither apply nor delete it
	createOnly string // leave it alone once it exists
	keep       string // never delete it, be it to prune, to Delete or to replace it, whatever the options say
	replace    string // where it cannot be changed in place, delete it and create it anew
	noTakeover string // leave to other managers what they own
}

const (
	fluxPrefix         = "kustomize.toolkit.fluxcd.io/"
	argoSyncOptions    = "argocd.argoproj.io/sync-options"
	helmResourcePolicy = "helm.sh/resource-policy"
	lifecycleDeletion  = "client.lifecycle.config.k8s.io/deletion"
	cliUtilsOnRemove   = "cli-utils.sigs.k8s.io/on-remove"
)

// policyOf reads the policy from an object's annotations and labels: of the manifest for what is to be applied, of the
// live object for what is to be deleted, and of both for what is to be ignored or kept.
func policyOf(annotations, labels map[string]string) policy {
	fluxSays := func(name, value string) string {
		return cmp.Or(says(annotations, fluxPrefix+name, foldedTo(value)), says(labels, fluxPrefix+name, foldedTo(value)))
	}
	argoSays := func(options ...string) string {
		for _, option := range strings.Split(annotations[argoSyncOptions], ",") {
			if option = strings.TrimSpace(option); slices.Contains(options, option) {
				return argoSyncOptions + ": " + option
			}
		}
		return ""
	}
	p := policy{
		ignore:     cmp.Or(fluxSays("reconcile", "disabled"), fluxSays("ssa", "Ignore")),
		createOnly: fluxSays("ssa", "IfNotPresent"),
		replace:    cmp.Or(fluxSays("force", "enabled"), argoSays("Force=true")),
		noTakeover: fluxSays("ssa", "Merge"),
	}
	p.keep = cmp.Or(p.ignore, fluxSays("prune", "disabled"),
		says(annotations, helmResourcePolicy, func(v string) bool { return strings.ToLower(strings.TrimSpace(v)) == "keep" }),
		says(annotations, lifecycleDeletion, func(v string) bool { return v == "detach" }),
		says(annotations, cliUtilsOnRemove, func(v string) bool { return v == "keep" }),
		argoSays("Prune=false", "Prune=confirm", "Delete=false", "Delete=confirm"))
	// To replace is to delete. Where an object asks to be kept and to be replaced, the wish that loses no data counts.
	if p.keep != "" {
		p.replace = ""
	}
	return p
}

// policyKeys are the annotations and labels that say something to policyOf.
var policyKeys = map[string]bool{
	fluxPrefix + "ssa": true, fluxPrefix + "reconcile": true, fluxPrefix + "prune": true, fluxPrefix + "force": true,
	argoSyncOptions: true, helmResourcePolicy: true, lifecycleDeletion: true, cliUtilsOnRemove: true,
}

// hasPolicy tells whether any is there; most objects have none, and policyOf is spared them.
func hasPolicy[V any](annotations, labels map[string]V) bool {
	for key := range annotations {
		if policyKeys[key] {
			return true
		}
	}
	for key := range labels {
		if policyKeys[key] {
			return true
		}
	}
	return false
}

// says returns the annotation or label and its value, as they were written, where the value is one that means something.
func says(from map[string]string, key string, means func(string) bool) string {
	if value, ok := from[key]; ok && means(value) {
		return key + ": " + value
	}
	return ""
}

func foldedTo(value string) func(string) bool {
	return func(v string) bool { return strings.EqualFold(v, value) }
}
