package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A pipeline runs the program, built as a user builds it, against a real cluster.
type pipeline struct {
	program, kubeconfig, namespace string
	config                         *rest.Config
}

// programs is the folder that the program is built into, once.
var programs string

func TestMain(m *testing.M) {
	code, err := func() (_ int, err error) {
		if programs, err = os.MkdirTemp("", "ci-"); err != nil {
			return 1, err
		}
		defer os.RemoveAll(programs)
		if out, err := exec.Command("go", "build", "-o", programs+"/ci", ".").CombinedOutput(); err != nil {
			return 1, fmt.Errorf("building: %w\n%s", err, out)
		}
		return m.Run(), nil
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func newPipeline(t *testing.T) *pipeline {
	t.Helper()
	p := &pipeline{program: filepath.Join(programs, "ci"), config: testbed.KubernetesWith(t, testbed.KubernetesOptions{Controllers: true}), namespace: testbed.UniqueName("ci")}
	p.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	body, err := clientcmd.Write(api.Config{
		Clusters: map[string]*api.Cluster{"c": {
			Server: p.config.Host, CertificateAuthorityData: p.config.CAData, CertificateAuthority: p.config.CAFile,
		}},
		AuthInfos: map[string]*api.AuthInfo{"u": {
			Token: p.config.BearerToken, ClientCertificateData: p.config.CertData, ClientKeyData: p.config.KeyData,
		}},
		Contexts:       map[string]*api.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.kubeconfig, body, 0o600); err != nil {
		t.Fatal(err)
	}
	p.client(t, "namespaces").apply(t, p.namespace)
	return p
}

// A client reads one kind of object.
type client struct{ dynamic.ResourceInterface }

func (p *pipeline) client(t *testing.T, resource string) client {
	t.Helper()
	d, err := dynamic.NewForConfig(p.config)
	if err != nil {
		t.Fatal(err)
	}
	kind := d.Resource(schema.GroupVersionResource{Version: "v1", Resource: resource})
	if resource == "namespaces" {
		return client{kind}
	}
	return client{kind.Namespace(p.namespace)}
}

// apply makes a namespace, which is gone again after the test.
func (c client) apply(t *testing.T, name string) {
	t.Helper()
	if _, err := c.Apply(t.Context(), name, namespace(name), metav1.ApplyOptions{FieldManager: "test"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Delete(context.Background(), name, metav1.DeleteOptions{}) }) // of a cluster that ends anyway
}

// text returns the data of a ConfigMap, or nothing where it is not there.
func (c client) text(t *testing.T, name string) string {
	t.Helper()
	object, err := c.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	data, _ := json.Marshal(object.Object["data"])
	return string(data)
}

// run returns the exit code and what the program wrote.
func (p *pipeline) run(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	if args[0] != "diff" {
		args = append([]string{args[0], "-kubeconfig", p.kubeconfig, "-n", p.namespace, "-set", "shop"}, args[1:]...)
	}
	var out, log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), p.program, args...)
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(out.String()+log.String(), "\x1b") {
		t.Errorf("ci %s: terminal sequences, though this is no terminal", args[0])
	}
	return cmd.ProcessState.ExitCode(), out.String(), log.String()
}

// must runs the program and wants an exit code, and texts in what it wrote.
func (p *pipeline) must(t *testing.T, code int, wants []string, args ...string) string {
	t.Helper()
	got, out, log := p.run(t, args...)
	if got != code {
		t.Fatalf("ci %q ended with %d, want %d:\n%s%s", args, got, code, out, log)
	}
	for _, want := range wants {
		if !strings.Contains(out+log, want) {
			t.Errorf("ci %q does not say %q:\n%s%s", args, want, out, log)
		}
	}
	return out
}

func configMap(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {greeting: %q}\n", name, value)
}

// folder writes a folder of manifests.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const planted = "cGxhbnRlZC1zZWNyZXQ="

func secret(value string) string {
	return "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\ndata: {key: " + value + "}\n"
}

func TestPipelinePlansAppliesAndRollsBack(t *testing.T) {
	p := newPipeline(t)
	store := t.TempDir()
	first := folder(t, map[string]string{"a.yaml": configMap("a", "hello"), "b.yaml": configMap("b", "x"), "s.yaml": secret(planted)})
	second := folder(t, map[string]string{"a.yaml": configMap("a", "${who}"), "s.yaml": secret("b3RoZXItc2VjcmV0")})

	p.must(t, 2, []string{"a", "b"}, "plan", "-f", first, "-exit-code")
	p.must(t, 0, []string{"created    ConfigMap " + p.namespace + "/a", "3 created"}, "apply", "-f", first, "-store", store)
	p.must(t, 0, nil, "plan", "-f", first, "-exit-code")

	markdown := p.must(t, 0, []string{"hello", "world"}, "plan", "-f", second, "-var", "who=world", "-o", "markdown")
	for _, value := range []string{planted, "planted-secret", "b3RoZXItc2VjcmV0"} {
		if strings.Contains(markdown, value) {
			t.Errorf("the plan tells a Secret:\n%s", markdown)
		}
	}
	var machine apply.Plan
	if err := json.Unmarshal([]byte(p.must(t, 0, nil, "plan", "-f", second, "-var", "who=world", "-o", "json")), &machine); err != nil {
		t.Fatal(err)
	}
	if machine.Count(apply.Configured) != 2 || machine.Count(apply.Pruned) != 1 {
		t.Errorf("the plan as JSON: %s", machine.Counts())
	}

	p.must(t, 1, []string{"who"}, "apply", "-f", second, "-var", "whom=you", "-store", store) // a variable that nobody has set
	p.must(t, 0, []string{"pruned     ConfigMap " + p.namespace + "/b"}, "apply", "-f", second, "-var", "who=world", "-store", store)
	configMaps := p.client(t, "configmaps")
	if got := configMaps.text(t, "a"); got != `{"greeting":"world"}` {
		t.Fatalf("a says %s", got)
	}

	p.must(t, 0, []string{"1 created", "2 configured"}, "rollback", "-store", store)
	if a, b := configMaps.text(t, "a"), configMaps.text(t, "b"); a != `{"greeting":"hello"}` || b != `{"greeting":"x"}` {
		t.Errorf("rolled back, a says %s and b %s", a, b)
	}
	p.must(t, 1, []string{`does not have "v9"`}, "rollback", "-store", store, "-to", "v9")
	p.must(t, 1, []string{"nothing of a set shop"}, "rollback", "-store", t.TempDir())
}

func TestPipelineRollsBackWhatWasRefused(t *testing.T) {
	p := newPipeline(t)
	store := t.TempDir()
	configMaps := p.client(t, "configmaps")
	good := folder(t, map[string]string{"a.yaml": configMap("a", "${who}")})
	bad := folder(t, map[string]string{"a.yaml": configMap("a", "broken"), "b.yaml": configMap("b", "x") + "nonsense: true\n"})
	p.must(t, 0, nil, "apply", "-f", folder(t, map[string]string{"a.yaml": configMap("a", "older")}), "-store", store)
	p.must(t, 0, nil, "apply", "-f", good, "-var", "who=ann", "-store", store)
	p.must(t, 1, []string{"in part", "nonsense"}, "apply", "-f", bad, "-store", store)
	if got := configMaps.text(t, "a"); got != `{"greeting":"broken"}` {
		t.Fatalf("after the bad one, a says %s", got)
	}
	for _, want := range []string{"ann", "older", "ann"} { // back to the good one, with its variables; then to the one before it, and forward
		p.must(t, 0, nil, "rollback", "-store", store)
		if got := configMaps.text(t, "a"); got != `{"greeting":"`+want+`"}` {
			t.Errorf("rolled back, a says %s, want %s", got, want)
		}
	}
	p.must(t, 1, []string{"nothing of a set"}, "wait", "-set", "shopp")
}

func TestPipelineKeepsToThePruneLimit(t *testing.T) {
	p := newPipeline(t)
	many, few := map[string]string{}, map[string]string{"0.yaml": configMap("c-0", "x")}
	for n := range 5 {
		many[fmt.Sprint(n, ".yaml")] = configMap(fmt.Sprint("c-", n), "x")
	}
	p.must(t, 0, nil, "apply", "-f", folder(t, many))
	p.must(t, 1, []string{"prune"}, "apply", "-f", folder(t, few), "-prune-limit", "0.5")
	if p.client(t, "configmaps").text(t, "c-4") == "" {
		t.Error("c-4 is gone")
	}
}

func TestPipelineWaitsAndSaysWhatIsWrong(t *testing.T) {
	p := newPipeline(t)
	deployment := func(image string, paused bool) string {
		return folder(t, map[string]string{"web.yaml": fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  paused: %v
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: %s}]}
`, paused, image)})
	}
	p.must(t, 0, []string{"created    Deployment.apps", "Current", "all 1 object(s)"}, "apply", "-f", deployment("example.com/web:1", false), "-wait", "-timeout", "1m")
	p.must(t, 0, []string{"all 1 object(s)"}, "wait")
	p.must(t, 1, []string{"web", "-timeout"}, "apply", "-f", deployment("example.com/web:2", true), "-wait", "-timeout", "4s")
}

func TestPipelineComparesRevisions(t *testing.T) {
	p := newPipeline(t)
	repository := testbed.Git(t)
	commit := func(files map[string]string) string {
		t.Helper()
		tree := make(map[string][]byte)
		for name, body := range files {
			tree["deploy/"+name] = []byte(body)
			if body == "" {
				tree["deploy/"+name] = nil // removes it
			}
		}
		hash, err := repository.Commit(t.Context(), tree)
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	first := commit(map[string]string{"a.yaml": configMap("a", "hello"), "b.yaml": configMap("b", "x"), "s.yaml": secret(planted)})
	second := commit(map[string]string{"a.yaml": configMap("a", "world"), "b.yaml": "", "c.yaml": configMap("c", "x"), "s.yaml": secret("b3RoZXItc2VjcmV0")})
	at := []string{"-git", repository.URL(), "-path", "deploy", first, second}

	text := p.must(t, 2, []string{
		`changed  ConfigMap a .data.greeting: "hello" → "world"`, "removed  ConfigMap b", "added    ConfigMap c", `changed  Secret key .data.key: "***" → "***"`,
	}, append([]string{"diff", "-exit-code"}, at...)...)
	if strings.Contains(text, planted) {
		t.Errorf("the diff tells a Secret:\n%s", text)
	}
	var all []difference
	if err := json.Unmarshal([]byte(p.must(t, 0, nil, append([]string{"diff", "-o", "json"}, at...)...)), &all); err != nil || len(all) != 4 {
		t.Errorf("as JSON: %v, %v", all, err)
	}
	p.must(t, 0, nil, "diff", "-exit-code", "-git", repository.URL(), "-path", "deploy", second, "main")
	p.must(t, 1, []string{"nowhere"}, "diff", "-git", repository.URL(), "nowhere", "main")
}

func TestPipelineRefusesWhatItDoesNotKnow(t *testing.T) {
	for want, args := range map[string][]string{
		"no command":       {"destroy"},
		"where are":        {"plan", "-set", "shop"},
		"which set":        {"apply", "-f", folder(t, map[string]string{"a.yaml": configMap("a", "x")})},
		"excludes":         {"apply", "-f", ".", "-git", "https://example.com/a"},
		"compare what":     {"diff", "a"},
		"what is \"more\"": {"wait", "more"},
		"name=value":       {"plan", "-var", "x"},
		"-o \"yaml\"":      {"plan", "-o", "yaml"},
		"-store":           {"rollback", "-set", "shop"},
	} {
		var out, log bytes.Buffer
		if err := run(t.Context(), &out, &log, args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ci %q: %v, want an error with %q", args, err, want)
		}
	}
}

func namespace(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}
}
