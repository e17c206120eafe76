package apply

import "testing"

func TestWavesCompareGroupAndKind(t *testing.T) {
	for ref, want := range map[Ref]int{
		{Kind: "Namespace"}:                                               definitionWave,
		{Kind: "ServiceAccount"}:                                          accountWave,
		{Kind: "Secret"}:                                                  referenceWave,
		{Group: "apps", Kind: "Deployment"}:                               workloadWave,
		{Group: "example.com", Kind: "Namespace"}:                         workloadWave,
		{Group: "example.com", Kind: "Secret"}:                            workloadWave,
		{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: definitionWave,
		{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}: interceptWave,
	} {
		if got := waveOf(ref); got != want {
			t.Errorf("%s is of wave %d, want %d", ref, got, want)
		}
	}
}
