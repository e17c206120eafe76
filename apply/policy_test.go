package apply

import "testing"

func TestPolicyIsReadAsEachToolReadsItsAnnotation(t *testing.T) {
	const flux, argo = "kustomize.toolkit.fluxcd.io/", "argocd.argoproj.io/sync-options"
	kept := func(because string) policy { return policy{keep: because} }
	ignored := func(because string) policy { return policy{ignore: because, keep: because} }
	for _, test := range []struct {
		key, value string
		want       policy
	}{
		{flux + "ssa", "Override", policy{}},
		{flux + "ssa", "Merge", policy{noTakeover: flux + "ssa: Merge"}},
		{flux + "ssa", "merge", policy{noTakeover: flux + "ssa: merge"}},
		{flux + "ssa", "IfNotPresent", policy{createOnly: flux + "ssa: IfNotPresent"}},
		{flux + "ssa", "ifnotpresent", policy{createOnly: flux + "ssa: ifnotpresent"}},
		{flux + "ssa", "Ignore", ignored(flux + "ssa: Ignore")},
		{flux + "ssa", " Ignore", policy{}},
		{flux + "ssa", "Other", policy{}},
		{flux + "reconcile", "disabled", ignored(flux + "reconcile: disabled")},
		{flux + "reconcile", "Disabled", ignored(flux + "reconcile: Disabled")},
		{flux + "reconcile", "enabled", policy{}},
		{flux + "prune", "disabled", kept(flux + "prune: disabled")},
		{flux + "prune", "Disabled", kept(flux + "prune: Disabled")},
		{flux + "prune", "", policy{}},
		{flux + "force", "enabled", policy{replace: flux + "force: enabled"}},
		{flux + "force", "Enabled", policy{replace: flux + "force: Enabled"}},
		{flux + "force", "disabled", policy{}},
		{"client.lifecycle.config.k8s.io/deletion", "detach", kept("client.lifecycle.config.k8s.io/deletion: detach")},
		{"client.lifecycle.config.k8s.io/deletion", "Detach", policy{}},
		{"cli-utils.sigs.k8s.io/on-remove", "keep", kept("cli-utils.sigs.k8s.io/on-remove: keep")},
		{"cli-utils.sigs.k8s.io/on-remove", "keep ", policy{}},
		{"helm.sh/resource-policy", "keep", kept("helm.sh/resource-policy: keep")},
		{"helm.sh/resource-policy", " Keep ", kept("helm.sh/resource-policy:  Keep ")},
		{"helm.sh/resource-policy", "delete", policy{}},
		{argo, "Prune=false", kept(argo + ": Prune=false")},
		{argo, "Validate=false, Prune=false ,Replace=true", kept(argo + ": Prune=false")},
		{argo, "Prune=confirm", kept(argo + ": Prune=confirm")},
		{argo, "Delete=false", kept(argo + ": Delete=false")},
		{argo, "Delete=confirm", kept(argo + ": Delete=confirm")},
		{argo, "prune=false", policy{}},
		{argo, "Prune = false", policy{}},
		{argo, "Prune=true", policy{}},
		{argo, "Replace=true", policy{}},
		{argo, "Force=true,Replace=true", policy{replace: argo + ": Force=true"}},
		{argo, "Force=true,Prune=false", kept(argo + ": Prune=false")},
		{argo, ",,", policy{}},
	} {
		if got := policyOf(map[string]string{test.key: test.value, "other": "keep"}, nil); got != test.want {
			t.Errorf("%s: %q is\n  %+v, want\n  %+v", test.key, test.value, got, test.want)
		}
	}
}

func TestPolicyOfLabelsIsFluxAlone(t *testing.T) {
	labels := map[string]string{
		"kustomize.toolkit.fluxcd.io/ssa":         "IfNotPresent",
		"helm.sh/resource-policy":                 "keep",
		"cli-utils.sigs.k8s.io/on-remove":         "keep",
		"client.lifecycle.config.k8s.io/deletion": "detach",
	}
	if got, want := policyOf(nil, labels), (policy{createOnly: "kustomize.toolkit.fluxcd.io/ssa: IfNotPresent"}); got != want {
		t.Errorf("the policy is %+v, want %+v", got, want)
	}
}

func TestPolicyJoinsWhatSeveralAnnotationsSay(t *testing.T) {
	got := policyOf(map[string]string{
		"kustomize.toolkit.fluxcd.io/ssa":   "IfNotPresent",
		"kustomize.toolkit.fluxcd.io/force": "enabled",
		"helm.sh/resource-policy":           "keep",
	}, nil)
	want := policy{
		createOnly: "kustomize.toolkit.fluxcd.io/ssa: IfNotPresent",
		keep:       "helm.sh/resource-policy: keep",
	}
	if got != want {
		t.Errorf("the policy is %+v, want %+v", got, want)
	}
}
