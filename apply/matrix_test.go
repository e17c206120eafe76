package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A scenario is a call of which each request in turn meets with a fault, and what is there before it.
type scenario struct {
	name    string
	opts    Options
	before  func(b *faultBench)
	objects func(b *faultBench) []*unstructured.Unstructured // to apply; nil: the set is deleted
	after   func(t *testing.T, b *faultBench)                // once a clean run is through
	writes  int                                              // that the call makes at least
}

// A fault befalls one request. To cancel ends the context of the call.
type fault struct {
	name        string
	concurrency int
	befall      func(r *http.Request, next http.RoundTripper, cancel context.CancelFunc) (*http.Response, error)
}

var errLost = errors.New("planted: the answer is lost")

var faults = []fault{
	{"refused", 1, func(*http.Request, http.RoundTripper, context.CancelFunc) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}},
	{"answered by 500", 32, func(r *http.Request, _ http.RoundTripper, _ context.CancelFunc) (*http.Response, error) {
		return answerWith(r, 500, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500,"message":"planted"}`), nil
	}},
	{"done, and its answer lost", 1, loseAnswer},
	{"done, and its answer lost, among many", 32, loseAnswer},
	{"not answered until the context ends", 32, func(r *http.Request, _ http.RoundTripper, cancel context.CancelFunc) (*http.Response, error) {
		cancel()
		<-r.Context().Done()
		return nil, r.Context().Err()
	}},
}

func loseAnswer(r *http.Request, next http.RoundTripper, _ context.CancelFunc) (*http.Response, error) {
	answer, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if !isWatch(r) {
		_, _ = io.Copy(io.Discard, answer.Body)
	}
	return nil, errors.Join(errLost, answer.Body.Close())
}

// meet has the fault befall each request of the call in turn. After one that wrote nothing all is as it was, and the next
// goes on from there.
func (s scenario) meet(t *testing.T, f fault) {
	var b *faultBench
	written := 0
	for k := 1; ; k++ {
		when := fmt.Sprintf("request %d is %s", k, f.name)
		if b == nil {
			b = s.bench(t, f.concurrency)
		}
		b.Take()
		ctx, cancel := context.WithCancel(t.Context())
		var counting sync.Mutex
		count := 0
		run := b.through(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			counting.Lock()
			count++
			mine := count == k
			counting.Unlock()
			if mine {
				return f.befall(r, next, cancel)
			}
			return next.RoundTrip(r)
		})
		_, err := run.call(t, ctx, s.list(b), when)
		ended := ctx.Err()
		cancel()
		if ended != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the error is %v, want the context's", when, err)
		}
		written = len(writes(b.Take()))
		if count >= k && written == 0 {
			if err == nil {
				t.Errorf("%s: no error, and nothing was written", when)
			}
			continue
		}
		b.wantNamed(t, when)
		b.wantConvergence(t, s.list(b), when)
		if s.after != nil {
			s.after(t, b)
		}
		if t.Failed() {
			return
		}
		if count < k {
			break
		}
		b = nil
	}
	if written < s.writes {
		t.Errorf("only %d writes, want %d or more: this test proves little", written, s.writes)
	}
}

func (s scenario) bench(t *testing.T, concurrency int) *faultBench {
	opts := s.opts
	opts.Concurrency = concurrency
	b := newFaultBench(t, opts)
	if s.before != nil {
		s.before(b)
	}
	return b
}

func (s scenario) list(b *faultBench) []*unstructured.Unstructured {
	if s.objects == nil {
		return nil
	}
	return s.objects(b)
}

func secret(t testing.TB, name, kind, value string) *unstructured.Unstructured {
	return manifest(t, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s}\ntype: %s\nstringData: {key: %q}", name, kind, value))
}

var scenarios = []scenario{
	{name: "a first Apply", writes: 8, objects: func(b *faultBench) []*unstructured.Unstructured {
		space := b.namespace + "-own"
		return []*unstructured.Unstructured{deployment(b.t, "web", "nginx:1"), configMap(b.t, "a", "1"), in(space, configMap(b.t, "b", "1")),
			needs(configMap(b.t, "late", "1"), "/namespaces/"+b.namespace+"/ConfigMap/a"), secret(b.t, "s", "Opaque", "1"),
			manifest(b.t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+space+"}")}
	}},
	{name: "an Apply that changes and prunes", writes: 8, before: func(b *faultBench) {
		b.apply(configMap(b.t, "a", "1"), configMap(b.t, "b", "1"), secret(b.t, "s", "Opaque", "1"), deployment(b.t, "web", "nginx:1"), service(b.t, "web"))
	}, objects: func(b *faultBench) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{configMap(b.t, "a", "2"), configMap(b.t, "c", "1"), deployment(b.t, "web", "nginx:2")}
	}},
	{name: "an Apply that adopts and takes over", writes: 6, before: func(b *faultBench) {
		web := deployment(b.t, "web", "nginx:1")
		_ = unstructured.SetNestedField(web.Object, int64(3), "spec", "minReadySeconds")
		b.tool("kubectl-client-side-apply", "POST", strings.TrimSuffix(b.path("deployments", "web"), "/web"), "application/json", clientSide(web))
		b.must("POST", strings.TrimSuffix(b.path("configmaps", "a"), "/a"), `{"metadata":{"name":"a"},"data":{"key":"0"}}`)
	}, objects: func(b *faultBench) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{configMap(b.t, "a", "1"), deployment(b.t, "web", "nginx:1")}
	}, after: func(t *testing.T, b *faultBench) {
		path := b.path("deployments", "web")
		if o := b.tool("reader", "GET", path, "application/json", nil); nested(o, "spec", "minReadySeconds") != nil || o.GetAnnotations()[lastApplied] != "" {
			t.Errorf("what kubectl applied was not taken over: %v", o)
		}
	}},
	{name: "an Apply that replaces", opts: Options{Replace: true}, writes: 5, before: func(b *faultBench) {
		b.apply(secret(b.t, "s", "example.com/a", "1"), configMap(b.t, "a", "1"))
	}, objects: func(b *faultBench) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{secret(b.t, "s", "example.com/b", "2"), configMap(b.t, "a", "1")}
	}},
	{name: "an Apply that validates first", opts: Options{Validate: true}, writes: 4, objects: func(b *faultBench) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{configMap(b.t, "a", "1"), service(b.t, "web")}
	}},
	{name: "Delete", opts: Options{WaitForDeletion: time.Minute}, writes: 4, before: func(b *faultBench) {
		b.apply(configMap(b.t, "a", "1"), needs(configMap(b.t, "b", "1"), "/namespaces/"+b.namespace+"/ConfigMap/a"), service(b.t, "web"))
	}},
}

// A kind that is defined anew costs the server much, so these meet with one fault each.
var (
	defining = scenario{name: "an Apply that defines a kind", writes: 4, objects: func(b *faultBench) []*unstructured.Unstructured {
		definition, object := b.definition("Namespaced", true)
		return []*unstructured.Unstructured{object, definition}
	}}
	undefining = scenario{name: "an Apply that prunes a kind", writes: 4, before: func(b *faultBench) {
		definition, object := b.definition("Namespaced", true)
		b.apply(object, definition, configMap(b.t, "a", "1"))
	}, objects: func(b *faultBench) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{configMap(b.t, "a", "1")}
	}}
)

// A row is a scenario with one fault at each of its requests.
type row struct {
	scenario
	fault
}

func TestAFaultAtAnyRequestOrphansNothingAndIsMadeGoodByTheNextRun(t *testing.T) {
	rows := []row{{defining, faults[2]}, {undefining, faults[0]}}
	for _, s := range scenarios {
		for i, f := range faults {
			if !testbed.Race || i%2 == 0 {
				rows = append(rows, row{s, f})
			}
		}
	}
	newBench(t, Options{})      // a server that all rows share
	each(8, rows, func(r row) { // they mostly wait: a LIST for the server's cache
		t.Run(r.scenario.name+"/"+r.fault.name, func(t *testing.T) { r.meet(t, r.fault) })
	})
	wantNoGoroutines(t)
}

// TestTheInventoryNamesAllThatIsThereAtAnyTime looks after each request.
func TestTheInventoryNamesAllThatIsThereAtAnyTime(t *testing.T) {
	for _, s := range append(slices.Clone(scenarios), defining, undefining) {
		t.Run(s.name, func(t *testing.T) {
			b := s.bench(t, 1)
			run := b.through(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
				answer, err := next.RoundTrip(r)
				if len(writes([]string{r.Method + " " + r.URL.RequestURI()})) > 0 {
					b.wantNamed(t, "after "+r.Method+" "+r.URL.Path)
				}
				return answer, err
			})
			if _, err := run.call(t, t.Context(), s.list(b), "unharmed"); err != nil {
				t.Error(err)
			}
			b.wantConvergence(t, s.list(b), "unharmed")
		})
	}
}

// TestPlanTellsWhereItCouldNotAsk has each request of a plan fail: it writes nothing and never makes up what it was not told.
func TestPlanTellsWhereItCouldNotAsk(t *testing.T) {
	s := scenarios[1]
	for _, f := range []fault{faults[0], faults[4]} {
		b := s.bench(t, 1)
		before := b.there()
		for k, count := 1, 1; count >= k; k++ {
			count = 0
			ctx, cancel := context.WithCancel(t.Context())
			b.Take()
			p, err := b.through(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
				if count++; count == k {
					return f.befall(r, next, cancel)
				}
				return next.RoundTrip(r)
			}).Plan(ctx, b.set(s.list(b)...))
			cancel()
			when := fmt.Sprintf("request %d is %s", k, f.name)
			if (err != nil) != (count >= k) || len(p.Changes) > 0 && len(p.Changes) != 6 {
				t.Errorf("%s: the error is %v, the plan %v", when, err, actions(p.result()))
			}
			for _, c := range p.Changes {
				if c.Action == "" || c.Action == Failed != (c.Err != nil) {
					t.Errorf("%s: %s is planned as %q, %v", when, c.Ref, c.Action, c.Err)
				}
			}
			if sent := writes(b.Take()); len(sent) > 0 {
				t.Errorf("%s: it wrote: %v", when, sent)
			}
		}
		if now := b.there(); !slices.Equal(now, before) {
			t.Errorf("there is %v, and was %v", now, before)
		}
		wantNoGoroutines(t)
	}
}
