package apply

import "k8s.io/apimachinery/pkg/runtime/schema"

// Waves are applied one after another, and pruned the other way round. Within a wave order means nothing to the server.
const (
	definitionWave = iota // what others need to exist at all
	accountWave           // ServiceAccounts: the cluster deletes a token's Secret that comes before its account
	referenceWave         // what others name, and the server insists on when they are created
	workloadWave          // everything else
	interceptWave         // what stands between a request and its object: only once what serves it is there
	waves
)

var waveOfKind = map[schema.GroupKind]int{
	{Kind: "Namespace"}: definitionWave,
	definitionKind:      definitionWave,

	{Kind: "ServiceAccount"}: accountWave,

	{Kind: "ConfigMap"}:                                                               referenceWave,
	{Kind: "LimitRange"}:                                                              referenceWave,
	{Kind: "PersistentVolume"}:                                                        referenceWave,
	{Kind: "PersistentVolumeClaim"}:                                                   referenceWave,
	{Kind: "ResourceQuota"}:                                                           referenceWave,
	{Kind: "Secret"}:                                                                  referenceWave,
	{Group: "networking.k8s.io", Kind: "IngressClass"}:                                referenceWave,
	{Group: "node.k8s.io", Kind: "RuntimeClass"}:                                      referenceWave,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}:                         referenceWave,
	{Group: "rbac.authorization.k8s.io", Kind: "Role"}:                                referenceWave,
	{Group: "scheduling.k8s.io", Kind: "PriorityClass"}:                               referenceWave,
	{Group: "storage.k8s.io", Kind: "StorageClass"}:                                   referenceWave,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy"}:        referenceWave,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicy"}:          referenceWave,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}:     interceptWave,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicyBinding"}:   interceptWave,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"}:   interceptWave,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicyBinding"}: interceptWave,
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:                             interceptWave,
}

func waveOf(ref Ref) int {
	if wave, ok := waveOfKind[ref.groupKind()]; ok {
		return wave
	}
	return workloadWave
}
