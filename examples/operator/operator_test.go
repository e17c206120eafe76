package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

func configMapFile(name, value string) []byte {
	return fmt.Appendf(nil, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {key: %q}\n", name, value)
}

func commit(t *testing.T, r *testbed.Repository, files map[string][]byte) string {
	t.Helper()
	hash, err := r.Commit(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func gitRepositoryOf(name, url, more string) string {
	return fmt.Sprintf("---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: %s}\n"+
		"spec:\n  url: %s\n  ref: {branch: main}\n%s\n", name, url, more)
}

func kustomizationOf(name, from, dir, more string) string {
	return fmt.Sprintf("---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: %s}\n"+
		"spec:\n  interval: 10m\n  retryInterval: 1s\n  path: %s\n  sourceRef: {kind: %s}\n%s\n", name, dir, from, more)
}

// applicationOf is a GitRepository and a Kustomization of all that is in it.
func applicationOf(name, url, ofSource, ofKustomization string) string {
	return gitRepositoryOf(name, url, ofSource) + kustomizationOf(name, "GitRepository, name: "+name, "./", ofKustomization)
}

const everySecond, prune = "  interval: 1s", "  prune: true"

// TestOperator has one operator serve all that its parts create side by side, each with names of its own.
func TestOperator(t *testing.T) {
	b := newBed(t)
	address := freeAddress(t)
	b.start("one", "-listen", address, "-advertise", address, "-shards", "3")
	t.Run("parts", func(t *testing.T) {
		for name, part := range map[string]func(*bed){
			"what Git has is applied and pruned":    appliesAndPrunes,
			"artifacts are served":                  servesArtifacts,
			"reconcile is requested":                reconcilesOnRequest,
			"suspended":                             suspends,
			"dependsOn":                             waitsForDependencies,
			"what is not supported is named":        namesUnsupported,
			"nothing is pruned that is not to be":   leavesWhatIsNotPruned,
			"Bucket":                                readsBuckets,
			"credentials":                           readsCredentials,
			"what a Kustomization changes":          overlays,
			"health":                                checksHealth,
			"drift":                                 correctsDrift,
			"a service account that may not":        impersonates,
			"a source that is not there, and comes": waitsForSource,
			"a broken revision leaves the last one in place": keepsLastGood,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				part(b.in(t))
			})
		}
	})
}

func appliesAndPrunes(b *bed) {
	repository := testbed.Git(b.t)
	first := commit(b.t, repository, map[string][]byte{"app/one.yaml": configMapFile("one", "1"),
		"app/two.yaml": configMapFile("two", "2")})
	b.create(gitRepositoryOf("apps", repository.URL(), everySecond) +
		kustomizationOf("app", "GitRepository, name: apps", "./app", prune))

	b.becomes(gitRepository, "apps", "True", "stored artifact for revision 'main@sha1:"+first+"'")
	k := b.becomes(kustomization, "app", "True", "Applied revision: main@sha1:"+first)
	b.holds("one", "1")
	entries, _, _ := unstructured.NestedSlice(k.Object, "status", "inventory", "entries")
	want := fmt.Sprintf("[map[id:%s_one__ConfigMap v:v1] map[id:%[1]s_two__ConfigMap v:v1]]", b.namespace)
	if fmt.Sprint(entries) != want {
		b.t.Errorf("the inventory is %v, not %s", entries, want)
	}
	for field, want := range map[string]any{"observedGeneration": int64(1), "lastAppliedRevision": "main@sha1:" + first,
		"lastAttemptedRevision": "main@sha1:" + first} {
		if got := k.Object["status"].(map[string]any)[field]; got != want {
			b.t.Errorf("status.%s is %v, not %v", field, got, want)
		}
	}
	second := commit(b.t, repository, map[string][]byte{"app/one.yaml": configMapFile("one", "new"), "app/two.yaml": nil})
	b.becomes(kustomization, "app", "True", "Applied revision: main@sha1:"+second)
	b.holds("one", "new")
	if _, ok := b.configMap("two"); ok {
		b.t.Error("what the second commit does not have is still there")
	}
	b.becomes(gitRepository, "apps", "True", second)
	cells := b.columns(gitRepository, "gitrepositories", "apps")
	text := "stored artifact for revision 'main@sha1:" + second + "'"
	if cells["URL"] != repository.URL() || cells["READY"] != "True" || cells["STATUS"] != text {
		b.t.Errorf("kubectl get shows %v", cells)
	}
	cells = b.columns(kustomization, "kustomizations", "app")
	if cells["READY"] != "True" || cells["STATUS"] != "Applied revision: main@sha1:"+second {
		b.t.Errorf("kubectl get shows %v", cells)
	}
	b.remove(kustomization, "app")
	if _, ok := b.configMap("one"); ok {
		b.t.Error("what a deleted Kustomization had applied is still there")
	}
	b.remove(gitRepository, "apps")
}

func servesArtifacts(b *bed) {
	repository := testbed.Git(b.t)
	commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("served", "1")})
	b.create(gitRepositoryOf("served", repository.URL(), everySecond))
	o := b.becomes(gitRepository, "served", "True", "stored artifact")
	at := make(map[string]string)
	for _, field := range []string{"url", "digest"} {
		at[field], _, _ = unstructured.NestedString(o.Object, "status", "artifact", field)
	}
	answer, err := http.Get(at["url"])
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if got := digest.FromBytes(body).String(); err != nil || answer.StatusCode != http.StatusOK || got != at["digest"] {
		b.t.Errorf("%s is %s of digest %s, not %s: %v", at["url"], answer.Status, got, at["digest"], err)
	}
	if answer, err = http.Get(strings.ReplaceAll(at["url"], at["digest"][7:17], "../../../.")); err == nil {
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			b.t.Errorf("a path that leads out is %s", answer.Status)
		}
	}
}

func reconcilesOnRequest(b *bed) {
	repository := testbed.Git(b.t)
	commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("requested", "1")})
	b.create(applicationOf("hourly", repository.URL(), "  interval: 1h", prune))
	b.becomes(kustomization, "hourly", "True", "Applied")
	second := commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("requested", "2")})
	b.patch(gitRepository, "hourly", `{"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}`)
	b.becomes(gitRepository, "hourly", "True", second)
	b.handled(gitRepository, "hourly", "now")
	b.becomes(kustomization, "hourly", "True", second)

	third := commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("requested", "3")})
	b.patch(kustomization, "hourly", `{"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "later"}}}`)
	b.becomes(kustomization, "hourly", "True", third)
	b.handled(kustomization, "hourly", "later")
}

func (b *bed) handled(kind, name, request string) {
	b.t.Helper()
	b.eventually("the request to "+name+" is handled", func() bool {
		handled, _, _ := unstructured.NestedString(b.get(kind, name).Object, "status", "lastHandledReconcileAt")
		return handled == request
	})
}

func suspends(b *bed) {
	repository := testbed.Git(b.t)
	commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("paused", "1")})
	b.create(applicationOf("paused", repository.URL(), everySecond, prune))
	b.becomes(kustomization, "paused", "True", "Applied")
	b.patch(kustomization, "paused", `{"spec": {"suspend": true}}`)
	second := commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("paused", "2")})
	b.becomes(gitRepository, "paused", "True", second) // so the Kustomization could have known
	time.Sleep(time.Second)
	b.holds("paused", "1")
	b.patch(kustomization, "paused", `{"spec": {"suspend": false}}`)
	b.holds("paused", "2")

	b.patch(gitRepository, "paused", `{"spec": {"suspend": true}}`)
	b.becomes(kustomization, "paused", "True", second)
	commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("paused", "3")})
	b.patch(kustomization, "paused", `{"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}`)
	b.handled(kustomization, "paused", "now")
	b.holds("paused", "2")
	b.patch(gitRepository, "paused", `{"spec": {"suspend": false}}`)
	b.holds("paused", "3")
}

func waitsForDependencies(b *bed) {
	repository := testbed.Git(b.t)
	wrong := []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\nwrong: true\n")
	commit(b.t, repository, map[string][]byte{"base/a.yaml": wrong, "top/a.yaml": configMapFile("top", "1")})
	text := gitRepositoryOf("layers", repository.URL(), everySecond) +
		kustomizationOf("base", "GitRepository, name: layers", "./base", prune)
	for i := range 6 { // some of them are of another shard than the one that they depend on
		text += kustomizationOf(fmt.Sprintf("top%d", i), "GitRepository, name: layers", "./top", prune+
			fmt.Sprintf("\n  namePrefix: t%d-\n  dependsOn: [{name: base}]", i))
	}
	b.create(text)
	b.becomes(kustomization, "base", "False", "wrong")
	for i := range 6 {
		b.becomes(kustomization, fmt.Sprintf("top%d", i), "False", "dependency Kustomization/"+b.namespace+"/base: ")
		if _, ok := b.configMap(fmt.Sprintf("t%d-top", i)); ok {
			b.t.Error("it was applied before what it depends on")
		}
	}
	if reason := condition(b.get(kustomization, "top0"), "Ready").Reason; reason != "DependencyNotReady" {
		b.t.Errorf("the reason is %s", reason)
	}
	second := commit(b.t, repository, map[string][]byte{"base/a.yaml": configMapFile("base", "1")})
	for i := range 6 {
		b.becomes(kustomization, fmt.Sprintf("top%d", i), "True", second)
	}
	b.patch(kustomization, "base", `{"spec": {"dependsOn": [{"name": "base"}]}}`)
	b.becomes(kustomization, "base", "False", "it would depend on itself")
}

func namesUnsupported(b *bed) {
	b.create(`apiVersion: kustomize.toolkit.fluxcd.io/v1beta2
kind: Kustomization
metadata: {name: odd}
spec:
  interval: 1m
  prune: true
  validation: client
  decryption: {provider: sops}
  kubeConfig: {secretRef: {name: other}}
  invented: true
  sourceRef: {kind: OCIRepository, name: there}
---
apiVersion: source.toolkit.fluxcd.io/v1beta2
kind: GitRepository
metadata: {name: odd}
spec: {interval: 1m, url: "https://example.com/a", gitImplementation: libgit2, accessFrom: {}, provider: azure}
---
apiVersion: source.toolkit.fluxcd.io/v1beta2
kind: Bucket
metadata: {name: odd}
spec: {interval: 1m, endpoint: example.com, bucketName: a, provider: gcp}
`)
	const text = "not supported by this operator: "
	b.becomes(kustomization, "odd", "False",
		text+"spec.decryption, spec.invented, spec.kubeConfig, spec.sourceRef.kind: OCIRepository")
	for _, field := range []string{"spec.provider: azure", "spec.gitImplementation", "spec.accessFrom"} {
		b.becomes(gitRepository, "odd", "False", field)
	}
	b.becomes(bucketKind, "odd", "False", text+"spec.provider: gcp")
	for _, kind := range []string{kustomization, gitRepository, bucketKind} {
		if c := condition(b.get(kind, "odd"), "Stalled"); c.Status != "True" || c.Reason != "Unsupported" {
			b.t.Errorf("%s is Stalled %q for %q", kind, c.Status, c.Reason)
		}
	}
	b.patch(gitRepository, "odd", `{"spec": {"gitImplementation": "go-git", "accessFrom": null, "provider": null}}`)
	b.eventually("what is supported is tried", func() bool {
		return condition(b.get(gitRepository, "odd"), "Stalled").Status != "True"
	})
}

func leavesWhatIsNotPruned(b *bed) {
	repository := testbed.Git(b.t)
	commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("kept", "1"), "b.yaml": configMapFile("stays", "1")})
	b.create(applicationOf("unpruned", repository.URL(), everySecond, "  prune: false") +
		kustomizationOf("orphaning", "GitRepository, name: unpruned", "./",
			prune+"\n  namePrefix: o-\n  deletionPolicy: Orphan"))
	b.becomes(kustomization, "orphaning", "True", "Applied")
	b.becomes(kustomization, "unpruned", "True", "Applied")
	second := commit(b.t, repository, map[string][]byte{"a.yaml": nil})
	b.becomes(kustomization, "orphaning", "True", second)
	b.becomes(kustomization, "unpruned", "True", second)
	if _, ok := b.configMap("o-kept"); ok {
		b.t.Error("it was not pruned though it should be")
	}
	b.remove(kustomization, "unpruned")
	b.remove(kustomization, "orphaning")
	for _, name := range []string{"kept", "stays", "o-stays"} {
		if _, ok := b.configMap(name); !ok {
			b.t.Errorf("%s is gone", name)
		}
	}
}

func readsBuckets(b *bed) {
	s3 := testbed.S3(b.t)
	put := func(key string, body []byte) {
		if err := s3.Put(b.t.Context(), key, body); err != nil {
			b.t.Fatal(err)
		}
	}
	put("deploy/a.yaml", configMapFile("of-bucket", "1"))
	b.create(fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {accesskey: %q, secretkey: %q}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: Bucket
metadata: {name: bucket}
spec: {interval: 1s, endpoint: %q, bucketName: %s, insecure: true, secretRef: {name: keys}}
`, s3.AccessKey, s3.SecretKey, s3.Endpoint, s3.Name) + kustomizationOf("bucket", "Bucket, name: bucket", "./deploy", prune))
	b.becomes(bucketKind, "bucket", "True", "stored artifact for revision 'sha256:")
	b.becomes(kustomization, "bucket", "True", "Applied revision: sha256:")
	b.holds("of-bucket", "1")
	if cells := b.columns(bucketKind, "buckets", "bucket"); cells["ENDPOINT"] != s3.Endpoint || cells["READY"] != "True" {
		b.t.Errorf("kubectl get shows %v", cells)
	}
	put("deploy/a.yaml", configMapFile("of-bucket", "2"))
	b.holds("of-bucket", "2")
}

func readsCredentials(b *bed) {
	const planted = "hunter2-planted"
	repository := testbed.GitWith(b.t, testbed.GitOptions{User: "git", Password: planted})
	first := commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("private", "1")})
	b.create(gitRepositoryOf("private", repository.HTTPSURL(), everySecond+"\n  secretRef: {name: login}"))
	b.becomes(gitRepository, "private", "False", `secrets "login" not found`)
	ca := strings.ReplaceAll("\n"+strings.TrimSpace(string(repository.CA)), "\n", "\n    ")
	b.create("apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData:\n  username: git\n" +
		"  password: wrong-" + planted + "\n  ca.crt: |" + ca + "\n")
	b.eventually("the password is refused", func() bool {
		return condition(b.get(gitRepository, "private"), "Ready").Reason == "AuthenticationFailed"
	})
	secret := &unstructured.Unstructured{}
	secret.SetAPIVersion("v1")
	secret.SetKind("Secret")
	secret.SetNamespace(b.namespace)
	secret.SetName("login")
	_ = unstructured.SetNestedField(secret.Object, planted, "stringData", "password")
	b.update(secret)
	b.becomes(gitRepository, "private", "True", first)
	text, _ := b.get(gitRepository, "private").MarshalJSON()
	if bytes.Contains(text, []byte(planted)) {
		b.t.Errorf("the object tells the password: %s", text)
	}
}

func overlays(b *bed) {
	repository := testbed.Git(b.t)
	commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("plain", "${greeting} ${name} ${unset}${of_map}")})
	b.create(gitRepositoryOf("overlaid", repository.URL(), everySecond) + `---
apiVersion: v1
kind: ConfigMap
metadata: {name: values}
data: {name: nobody, of_map: "!"}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1beta2
kind: Kustomization
metadata: {name: overlaid}
spec:
  interval: 2s
  prune: true
  sourceRef: {kind: GitRepository, name: overlaid}
  namePrefix: pre-
  commonMetadata: {labels: {of: all}, annotations: {by: operator}}
  postBuild:
    substitute: {greeting: hello, name: world}
    substituteFrom: [{kind: ConfigMap, name: values}, {kind: Secret, name: absent, optional: true}]
  patches: [{patch: '[{"op": "add", "path": "/data/patched", "value": "yes"}]', target: {kind: ConfigMap}}]
  patchesStrategicMerge: [{apiVersion: v1, kind: ConfigMap, metadata: {name: plain}, data: {merged: "yes"}}]
  patchesJson6902: [{target: {kind: ConfigMap, name: plain}, patch: [{op: add, path: /data/beta, value: "yes"}]}]
`)
	b.becomes(kustomization, "overlaid", "True", "Applied")
	b.holds("pre-plain", "hello world !")
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("v1")
	o.SetKind("ConfigMap")
	o.SetNamespace(b.namespace)
	o.SetName("pre-plain")
	b.refresh(o)
	data, _, _ := unstructured.NestedStringMap(o.Object, "data")
	if data["patched"] != "yes" || data["merged"] != "yes" || data["beta"] != "yes" {
		b.t.Errorf("the patches made %v", data)
	}
	if o.GetLabels()["of"] != "all" || o.GetAnnotations()["by"] != "operator" ||
		o.GetLabels()["kustomize.toolkit.fluxcd.io/name"] != "overlaid" ||
		o.GetLabels()["kustomize.toolkit.fluxcd.io/namespace"] != b.namespace {
		b.t.Errorf("labels %v, annotations %v", o.GetLabels(), o.GetAnnotations())
	}
	values := o.DeepCopy()
	values.SetName("values")
	b.refresh(values)
	_ = unstructured.SetNestedField(values.Object, "!!", "data", "of_map")
	b.update(values)
	b.holds("pre-plain", "hello world !!")
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: example.com/web}]}
`

func checksHealth(b *bed) {
	repository := testbed.Git(b.t)
	commit(b.t, repository, map[string][]byte{"a.yaml": []byte(deployment)})
	b.create(applicationOf("healthy", repository.URL(), everySecond, prune+"\n  wait: true") +
		kustomizationOf("checked", "GitRepository, name: healthy", "./", prune+"\n  namePrefix: checked-\n  timeout: 30s\n"+
			"  healthChecks:\n  - {apiVersion: apps/v1, kind: Deployment, name: checked-web}\n"+
			"  - {apiVersion: v1, kind: ConfigMap, name: awaited}"))
	b.becomes(kustomization, "healthy", "True", "Applied")
	if c := condition(b.get(kustomization, "healthy"), "Healthy"); c.Status != "True" {
		b.t.Errorf("Healthy is %s: %s", c.Status, c.Message)
	}
	b.eventually("the health checks run", func() bool {
		return condition(b.get(kustomization, "checked"), "Healthy").Status == "Unknown"
	})
	b.create(string(configMapFile("awaited", "1")))
	b.becomes(kustomization, "checked", "True", "Applied")
}

func correctsDrift(b *bed) {
	repository := testbed.Git(b.t)
	commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("drifting", "1")})
	b.create(applicationOf("drifting", repository.URL(), "  interval: 1h", prune))
	b.becomes(kustomization, "drifting", "True", "Applied")
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("v1")
	o.SetKind("ConfigMap")
	o.SetNamespace(b.namespace)
	o.SetName("drifting")
	if err := b.Delete(b.t.Context(), o); err != nil {
		b.t.Fatal(err)
	}
	b.holds("drifting", "1")
}

func impersonates(b *bed) {
	repository := testbed.Git(b.t)
	commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("forbidden", "1")})
	b.create("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: nobody}\n" +
		applicationOf("tenant", repository.URL(), everySecond, prune+"\n  serviceAccountName: nobody"))
	b.becomes(kustomization, "tenant", "False", "system:serviceaccount:"+b.namespace+":nobody")
	if _, ok := b.configMap("forbidden"); ok {
		b.t.Error("it was applied all the same")
	}
}

func waitsForSource(b *bed) {
	repository := testbed.Git(b.t)
	first := commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("late", "1")})
	b.create(kustomizationOf("late", "GitRepository, name: late", "./", prune))
	b.becomes(kustomization, "late", "False", "GitRepository '"+b.namespace+"/late' is not there")
	b.create(gitRepositoryOf("late", repository.URL(), everySecond))
	b.becomes(kustomization, "late", "True", first)
}

func keepsLastGood(b *bed) {
	repository := testbed.Git(b.t)
	first := commit(b.t, repository, map[string][]byte{"a.yaml": configMapFile("good", "1")})
	b.create(applicationOf("good", repository.URL(), everySecond, prune))
	b.becomes(kustomization, "good", "True", "Applied")
	second := commit(b.t, repository, map[string][]byte{"a.yaml": []byte("no: object")})
	b.becomes(gitRepository, "good", "True", second)
	k := b.becomes(kustomization, "good", "False", second)
	status := k.Object["status"].(map[string]any)
	if condition(k, "Ready").Reason != "BuildFailed" || status["lastAppliedRevision"] != "main@sha1:"+first ||
		status["lastAttemptedRevision"] != "main@sha1:"+second {
		b.t.Errorf("the status is %v", status)
	}
	b.holds("good", "1")
}
