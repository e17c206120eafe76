package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// childVariable has this test's program be the operator.
const childVariable = "GITOPSKIT_TEST_OPERATOR"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what is to come: much longer than it takes.
const patience = 60 * time.Second

// A bed is a cluster that has the toolkit's kinds, and a namespace of a test's own.
type bed struct {
	client.Client
	t         *testing.T
	config    *rest.Config
	namespace string
}

// in is the bed for a part of its test.
func (b *bed) in(t *testing.T) *bed {
	part := *b
	part.t = t
	return &part
}

var defined sync.Once

func newBed(t *testing.T) *bed {
	config := testbed.KubernetesWith(t, testbed.KubernetesOptions{Controllers: true})
	c, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{c, t, config, testbed.UniqueName("operator")}
	defined.Do(func() { b.define() })
	b.create("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + b.namespace + "}")
	return b
}

// define creates the kinds of config/crds.yaml, and waits until they are served.
func (b *bed) define() {
	text, err := os.ReadFile("config/crds.yaml")
	if err != nil {
		b.t.Fatal(err)
	}
	b.create(string(text))
	for _, kind := range []string{gitRepository, bucketKind, kustomization} {
		b.eventually("the kind "+kind, func() bool {
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(kindOf(kind))
			return b.List(b.t.Context(), list) == nil
		})
	}
}

// create creates the objects of a YAML text.
func (b *bed) create(text string) {
	b.t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		if err := decoder.Decode(&o.Object); err != nil {
			return
		}
		if o.GetNamespace() == "" && b.namespace != "" && o.GetKind() != "CustomResourceDefinition" && o.GetKind() != "Namespace" {
			o.SetNamespace(b.namespace)
		}
		if err := b.Create(b.t.Context(), o); err != nil {
			b.t.Fatalf("creating %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

func (b *bed) get(kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(kindOf(kind))
	if err := b.Get(b.t.Context(), types.NamespacedName{Namespace: b.namespace, Name: name}, o); err != nil {
		return nil
	}
	return o
}

// configMap returns what the ConfigMap has under "key", and whether it is there.
func (b *bed) configMap(name string) (string, bool) {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("v1")
	o.SetKind("ConfigMap")
	if err := b.Get(b.t.Context(), types.NamespacedName{Namespace: b.namespace, Name: name}, o); err != nil {
		return "", false
	}
	value, _, _ := unstructured.NestedString(o.Object, "data", "key")
	return value, true
}

// update merges what the object has into the one on the cluster.
func (b *bed) update(o *unstructured.Unstructured) {
	b.t.Helper()
	o.SetResourceVersion("")
	text, err := o.MarshalJSON()
	if err == nil {
		err = b.Patch(b.t.Context(), o, client.RawPatch(types.MergePatchType, text))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// refresh reads the object.
func (b *bed) refresh(o *unstructured.Unstructured) {
	b.t.Helper()
	if err := b.Get(b.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		b.t.Fatal(err)
	}
}

// remove deletes an object, and waits until it is gone.
func (b *bed) remove(kind, name string) {
	b.t.Helper()
	if err := b.Delete(b.t.Context(), b.get(kind, name)); err != nil {
		b.t.Fatal(err)
	}
	b.eventually(kind+" "+name+" is gone", func() bool { return b.get(kind, name) == nil })
}

// holds waits until the ConfigMap has the value.
func (b *bed) holds(name, value string) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("the ConfigMap %s has %q", name, value), func() bool {
		got, ok := b.configMap(name)
		return ok && got == value
	})
}

// patch merges a change into an object.
func (b *bed) patch(kind, name, change string) {
	b.t.Helper()
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(kindOf(kind))
	o.SetNamespace(b.namespace)
	o.SetName(name)
	if err := b.Patch(b.t.Context(), o, client.RawPatch(types.MergePatchType, []byte(change))); err != nil {
		b.t.Fatal(err)
	}
}

// eventually waits until what is so.
func (b *bed) eventually(what string, is func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("not so after %s: %s", patience, what)
		}
	}
}

func condition(o *unstructured.Unstructured, kind string) metav1.Condition {
	if o == nil {
		return metav1.Condition{}
	}
	var status struct{ Conditions []metav1.Condition }
	text, _ := json.Marshal(o.Object["status"])
	_ = json.Unmarshal(text, &status)
	if c := meta.FindStatusCondition(status.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// becomes waits until the object's condition Ready has the status and a message that contains the text.
func (b *bed) becomes(kind, name string, status metav1.ConditionStatus, text string) *unstructured.Unstructured {
	b.t.Helper()
	var last *unstructured.Unstructured
	defer func() {
		if b.t.Failed() && last != nil {
			text, _ := json.MarshalIndent(last.Object["status"], "", " ")
			b.t.Logf("the status of %s %s: %s", kind, name, text)
		}
	}()
	b.eventually(fmt.Sprintf("%s %s is Ready %s: %s", kind, name, status, text), func() bool {
		last = b.get(kind, name)
		ready := condition(last, "Ready")
		return ready.Status == status && strings.Contains(ready.Message, text)
	})
	return last
}

// columns returns the cells that kubectl get shows of an object, by the names of their columns.
func (b *bed) columns(kind, resource, name string) map[string]any {
	b.t.Helper()
	httpClient, err := rest.HTTPClientFor(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	gv := kindOf(kind).GroupVersion()
	server, _, err := rest.DefaultServerUrlFor(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	address := fmt.Sprintf("%s/apis/%s/namespaces/%s/%s/%s",
		strings.TrimRight(server.String(), "/"), gv, b.namespace, resource, name)
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	answer, err := httpClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	var table metav1.Table
	if err := json.NewDecoder(answer.Body).Decode(&table); err != nil || len(table.Rows) != 1 {
		b.t.Fatalf("the table of %s %s has %d rows: %v", kind, name, len(table.Rows), err)
	}
	cells := make(map[string]any)
	for i, column := range table.ColumnDefinitions {
		cells[strings.ToUpper(column.Name)] = table.Rows[0].Cells[i]
	}
	return cells
}

// An instance is an operator that runs as a process of its own.
type instance struct {
	*exec.Cmd
	log  *lockedBuffer
	done chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// start starts an operator; the test's end ends it.
func (b *bed) start(identity string, flags ...string) *instance {
	b.t.Helper()
	return b.startAt(b.kubeconfig(), identity, flags...)
}

func (b *bed) startAt(kubeconfig, identity string, flags ...string) *instance {
	b.t.Helper()
	i := &instance{log: new(lockedBuffer), done: make(chan struct{})}
	i.Cmd = exec.Command(os.Args[0], append([]string{"-kubeconfig", kubeconfig, "-storage", b.t.TempDir(), "-listen", "",
		"-namespace", b.namespace, "-identity", identity}, flags...)...)
	i.Cmd.Env = append(os.Environ(), childVariable+"=1")
	i.Stdout, i.Stderr = i.log, i.log
	if err := i.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() { _ = i.Wait(); close(i.done) }()
	b.t.Cleanup(func() {
		i.stop(syscall.SIGTERM)
		if b.t.Failed() {
			b.t.Logf("the log of %s:\n%s", identity, i.log.String())
		}
	})
	return i
}

// stop ends the operator by a signal, and waits for its end.
func (i *instance) stop(signal syscall.Signal) {
	_ = i.Process.Signal(signal)
	select {
	case <-i.done:
	case <-time.After(20 * time.Second):
		_ = i.Process.Kill()
		<-i.done
	}
}

func (b *bed) kubeconfig() string {
	c := clientcmdapi.NewConfig()
	c.Clusters["test"] = &clientcmdapi.Cluster{Server: b.config.Host, CertificateAuthorityData: b.config.CAData,
		CertificateAuthority: b.config.CAFile, InsecureSkipTLSVerify: b.config.Insecure}
	c.AuthInfos["test"] = &clientcmdapi.AuthInfo{ClientCertificateData: b.config.CertData, ClientKeyData: b.config.KeyData,
		ClientCertificate: b.config.CertFile, ClientKey: b.config.KeyFile, Token: b.config.BearerToken}
	c.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	c.CurrentContext = "test"
	file := filepath.Join(b.t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*c, file); err != nil {
		b.t.Fatal(err)
	}
	return file
}

// freeAddress is one that nobody listens at just now.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
