package kustomize

type generatedKind struct {
	apiVersion, kind string
	fill             func(*treeGen, map[string]any)
}

var objectKinds = []generatedKind{
	{"apps/v1", "Deployment", workload},
	{"apps/v1", "Deployment", workload},
	{"apps/v1", "Deployment", workload},
	{"apps/v1", "StatefulSet", statefulSet},
	{"apps/v1", "DaemonSet", workload},
	{"extensions/v1beta1", "Deployment", workload},
	{"batch/v1", "CronJob", func(g *treeGen, o map[string]any) {
		job := map[string]any{}
		g.maybe(job, "spec", 90, func() any { return map[string]any{"template": g.template()} })
		o["spec"] = map[string]any{"schedule": "* * * * *", "jobTemplate": job}
	}},
	{"batch/v1", "Job", func(g *treeGen, o map[string]any) { o["spec"] = map[string]any{"template": g.template()} }},
	{"v1", "Pod", func(g *treeGen, o map[string]any) { o["spec"] = g.podSpec() }},
	{"v1", "Service", func(g *treeGen, o map[string]any) {
		spec := map[string]any{"ports": []any{map[string]any{"port": 80, "name": "http"}, map[string]any{"port": 443}}}
		g.maybe(spec, "selector", 60, func() any { return g.labels() })
		o["spec"] = spec
	}},
	{"v1", "ConfigMap", func(g *treeGen, o map[string]any) { g.maybe(o, "data", 80, func() any { return g.labels() }) }},
	{"v1", "Secret", func(g *treeGen, o map[string]any) { g.maybe(o, "stringData", 80, func() any { return g.labels() }) }},
	{"v1", "ServiceAccount", nil},
	{"v1", "Namespace", nil},
	{"example.com/v1", "Namespace", nil},
	{"v1", "PersistentVolumeClaim", func(g *treeGen, o map[string]any) {
		o["spec"] = map[string]any{"storageClassName": g.name(), "volumeName": g.name()}
	}},
	{"storage.k8s.io/v1", "StorageClass", nil},
	{"rbac.authorization.k8s.io/v1", "Role", role},
	{"rbac.authorization.k8s.io/v1", "ClusterRole", role},
	{"rbac.authorization.k8s.io/v1", "RoleBinding", binding},
	{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", binding},
	{"apiextensions.k8s.io/v1", "CustomResourceDefinition", func(g *treeGen, o map[string]any) {
		spec := map[string]any{"group": "example.com", "containers": []any{map[string]any{"image": "nginx"}}}
		g.maybe(spec, "conversion", 50, func() any {
			return map[string]any{"webhook": map[string]any{"clientConfig": map[string]any{"service": map[string]any{"name": g.name(), "namespace": g.namespace()}}}}
		})
		o["spec"] = spec
	}},
	{"apiregistration.k8s.io/v1", "APIService", func(g *treeGen, o map[string]any) {
		g.maybe(o, "spec", 80, func() any { return map[string]any{"service": map[string]any{"name": g.name()}} })
	}},
	{"example.com/v1", "Gadget", func(g *treeGen, o map[string]any) {
		spec := map[string]any{"containers": []any{g.container()}, "big": 12345678901, "float": 2.5, "nothing": nil}
		g.maybe(spec, "template", 50, func() any { return g.template() })
		o["spec"] = spec
	}},
	{"networking.k8s.io/v1", "Ingress", func(g *treeGen, o map[string]any) {
		o["spec"] = map[string]any{
			"ingressClassName": g.name(), "tls": []any{map[string]any{"secretName": g.name()}},
			"rules": []any{map[string]any{"http": map[string]any{"paths": []any{map[string]any{"backend": map[string]any{"service": map[string]any{"name": g.name()}}}}}}},
		}
	}},
	{"autoscaling/v2", "HorizontalPodAutoscaler", func(g *treeGen, o map[string]any) {
		o["spec"] = map[string]any{"scaleTargetRef": map[string]any{"kind": "Deployment", "name": g.name()}, "maxReplicas": 3}
	}},
	{"policy/v1", "PodDisruptionBudget", func(g *treeGen, o map[string]any) {
		o["spec"] = map[string]any{"minAvailable": 1, "selector": map[string]any{"matchLabels": g.labels()}}
	}},
	{"networking.k8s.io/v1", "NetworkPolicy", func(g *treeGen, o map[string]any) {
		o["spec"] = map[string]any{
			"podSelector": map[string]any{"matchLabels": g.labels()},
			"ingress":     []any{map[string]any{"from": []any{map[string]any{"podSelector": map[string]any{"matchLabels": g.labels()}}}}},
		}
	}},
	{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks},
	{"admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", webhooks},
}

func workload(g *treeGen, o map[string]any) {
	spec := map[string]any{}
	g.maybe(spec, "replicas", 50, func() any { return pick[any](g, 2, 3, 1) })
	g.maybe(spec, "selector", 60, func() any { return map[string]any{"matchLabels": g.labels()} })
	g.maybe(spec, "template", 90, func() any { return g.template() })
	g.maybe(o, "spec", 95, func() any { return spec })
}

func statefulSet(g *treeGen, o map[string]any) {
	workload(g, o)
	if spec, ok := o["spec"].(map[string]any); ok {
		g.maybe(spec, "serviceName", 70, func() any { return g.name() })
		g.maybe(spec, "volumeClaimTemplates", 40, func() any {
			return []any{map[string]any{"metadata": map[string]any{"name": "data"}, "spec": map[string]any{"storageClassName": g.name()}}}
		})
	}
}

func role(g *treeGen, o map[string]any) {
	rule := map[string]any{"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": []any{"get"}}
	g.maybe(rule, "resourceNames", 40, func() any { return []any{g.name(), g.name()} })
	o["rules"] = []any{rule}
}

func binding(g *treeGen, o map[string]any) {
	subject := map[string]any{"kind": pick(g, "ServiceAccount", "ServiceAccount", "User"), "name": g.name()}
	g.maybe(subject, "namespace", 50, func() any { return g.namespace() })
	o["subjects"] = []any{subject}
	if !g.tame && g.chance(20) {
		o["subjects"] = []any{subject, map[string]any{"kind": "Group"}}
	}
	o["roleRef"] = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": pick(g, "Role", "ClusterRole"), "name": g.name()}
}

func webhooks(g *treeGen, o map[string]any) {
	service := map[string]any{"name": g.name(), "path": "/"}
	g.maybe(service, "namespace", 60, func() any { return g.namespace() })
	o["webhooks"] = []any{map[string]any{"name": "w", "clientConfig": map[string]any{"service": service}}}
}
