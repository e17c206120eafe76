package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// A tamperer answers requests in the server's stead where it likes to.
type tamperer struct {
	next   http.RoundTripper
	tamper func(request *http.Request, next http.RoundTripper) (*http.Response, error)
}

func (t *tamperer) RoundTrip(r *http.Request) (*http.Response, error) { return t.tamper(r, t.next) }

// tampered is a new process whose requests go through tamper, and then through the recorder.
func (b *bench) tampered(tamper func(*http.Request, http.RoundTripper) (*http.Response, error)) *bench {
	c := *b
	config := rest.CopyConfig(b.config)
	config.Wrap(b.Recorder.Wrap)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &tamperer{next, tamper} })
	c.Applier = newApplier(b.t, config, b.opts)
	return &c
}

func isWatch(r *http.Request) bool { return r.URL.Query().Get("watch") != "" }

func answerWith(r *http.Request, code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body))}
}

const expired = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old"}`

// A follow is one that runs in the background, and what it told.
type backgroundFollow struct {
	t      *testing.T
	lines  chan string
	cancel context.CancelFunc
	ended  chan error
}

var configMaps = resource{GroupVersionKind: metav1.Unversioned.WithKind("ConfigMap"), Plural: "configmaps", Namespaced: true}

func (b *bench) follow(f following) *backgroundFollow {
	ctx, cancel := context.WithCancel(b.t.Context())
	f.namespace = b.namespace
	bg := &backgroundFollow{t: b.t, lines: make(chan string, 1000), cancel: cancel, ended: make(chan error, 1)}
	go func() {
		bg.ended <- b.Applier.follow(ctx, f, func(e event) error {
			switch e.what {
			case eventListed:
				bg.lines <- "listed"
			case eventPresent:
				bg.lines <- "present " + e.object.GetName()
			case eventGone:
				bg.lines <- "gone " + e.object.GetName()
			}
			return nil
		})
	}()
	b.t.Cleanup(cancel)
	return bg
}

// want wants just these lines next; those of one LIST in any order.
func (bg *backgroundFollow) want(want ...string) {
	bg.t.Helper()
	var got []string
	for range want {
		select {
		case line := <-bg.lines:
			got = append(got, line)
		case err := <-bg.ended:
			bg.t.Fatalf("it ended with %v after %v, want %v", err, got, want)
		case <-time.After(30 * time.Second):
			bg.t.Fatalf("it told %v and then nothing, want %v", got, want)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		bg.t.Fatalf("it told %v, want %v", got, want)
	}
}

func (b *bench) create(name string) {
	b.t.Helper()
	if err := b.do("POST", "/api/v1/namespaces/"+b.namespace+"/configmaps", `{"metadata":{"name":"`+name+`","labels":{"of":"test"}}}`); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) must(verb, path, body string) {
	b.t.Helper()
	if err := b.do(verb, path, body); err != nil {
		b.t.Fatal(err)
	}
}

// counted counts LISTs and WATCHes.
func counted(lines []string) (lists, watches int) {
	for _, l := range lines {
		switch {
		case strings.Contains(l, "watch=true"):
			watches++
		case strings.Contains(l, "limit="):
			lists++
		}
	}
	return lists, watches
}

func TestFollowTellsWhatThereIsAndWhatBecomesOfIt(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprint("whole objects: ", whole), func(t *testing.T) {
			b := newBench(t, Options{})
			b.create("a")
			bg := b.follow(following{resource: configMaps, labels: "of=test", whole: whole})
			bg.want("present a", "listed")
			b.create("b")
			bg.want("present b")
			b.must("PATCH", b.path("configmaps", "a"), `{"data":{"a":"1"}}`)
			bg.want("present a")
			b.must("DELETE", b.path("configmaps", "b"), "")
			bg.want("gone b")
			b.must("PATCH", b.path("configmaps", "a"), `{"metadata":{"labels":{"of":null}}}`)
			bg.want("gone a")
			bg.cancel()
			if err := <-bg.ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the error is %v", err)
			}
			if lists, watches := counted(b.Take()); lists != 1 || watches != 1 {
				t.Errorf("%d LISTs and %d WATCHes, want one of each", lists, watches)
			}
			wantNoGoroutines(t)
		})
	}
}

func TestFollowAsksForWholeObjectsOrMetadata(t *testing.T) {
	b := newBench(t, Options{})
	b.must("POST", "/api/v1/namespaces/"+b.namespace+"/configmaps", `{"metadata":{"name":"a"},"data":{"key":"1"}}`)
	for _, whole := range []bool{false, true} {
		n := 0
		err := b.Applier.follow(t.Context(), following{resource: configMaps, namespace: b.namespace, fields: nameField("a"), whole: whole}, func(e event) error {
			if e.what == eventListed { // then one comes by the watch
				return b.do("PATCH", b.path("configmaps", "a"), fmt.Sprintf(`{"data":{"key":"2","other":"%t"}}`, whole))
			}
			switch o := e.object.(type) {
			case *unstructured.Unstructured:
				if _, found, _ := unstructured.NestedMap(o.Object, "data"); !whole || !found || o.GetKind() != "ConfigMap" || o.GetAPIVersion() != "v1" {
					t.Errorf("told of %v", o)
				}
			case *metav1.PartialObjectMetadata:
				if whole || o.Name != "a" || o.UID == "" {
					t.Errorf("told of %v", o)
				}
			}
			if n++; n == 2 {
				return errStop
			}
			return nil
		})
		if !errors.Is(err, errStop) {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestFollowListsAgainWhereTheServerForgot(t *testing.T) {
	for name, forgot := range map[string]func(*http.Request) *http.Response{
		"by its answer": func(r *http.Request) *http.Response { return answerWith(r, 410, expired) },
		"in the stream": func(r *http.Request) *http.Response {
			return answerWith(r, 200, `{"type":"ERROR","object":`+expired+`}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Options{})
			b.create("stays")
			b.create("goes")
			var once atomic.Bool
			bg := b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
				if isWatch(r) && once.CompareAndSwap(false, true) {
					b.must("DELETE", b.path("configmaps", "goes"), "")
					b.create("comes")
					return forgot(r), nil
				}
				return next.RoundTrip(r)
			}).follow(following{resource: configMaps, labels: "of=test"})
			bg.want("present stays", "present goes", "listed")
			bg.want("present comes", "gone goes", "listed")
			b.create("later")
			bg.want("present later")
			if lists, watches := counted(b.Take()); lists != 2 || watches != 1 {
				t.Errorf("the server got %d LISTs and %d WATCHes, want 2 and 1", lists, watches)
			}
		})
	}
}

// A breaking body ends in an error when it is told to.
type breakingBody struct {
	io.ReadCloser
	broken chan struct{}
}

func (b *breakingBody) Read(p []byte) (int, error) {
	type read struct {
		n   int
		err error
	}
	done := make(chan read, 1)
	go func() {
		n, err := b.ReadCloser.Read(p)
		done <- read{n, err}
	}()
	select {
	case <-b.broken:
		_ = b.Close()
		<-done
		return 0, syscall.ECONNRESET
	case r := <-done:
		return r.n, r.err
	}
}

func TestFollowGoesOnWhereItsConnectionWasCut(t *testing.T) {
	b := newBench(t, Options{})
	b.create("a")
	broken := make(chan struct{})
	var watches, refused atomic.Int32
	bg := b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if !isWatch(r) {
			return next.RoundTrip(r)
		}
		if n := watches.Add(1); n > 1 && n < 5 { // the server is not there for a while
			refused.Add(1)
			return nil, syscall.ECONNREFUSED
		}
		resp, err := next.RoundTrip(r)
		if err == nil && watches.Load() == 1 {
			resp.Body = &breakingBody{resp.Body, broken}
		}
		return resp, err
	}).follow(following{resource: configMaps, labels: "of=test"})
	bg.want("present a", "listed")
	b.create("b")
	bg.want("present b")
	close(broken)
	b.must("DELETE", b.path("configmaps", "a"), "")
	b.create("c")
	bg.want("gone a", "present c")
	if lists, watches := counted(b.Take()); lists != 1 || watches != 2 || refused.Load() != 3 {
		t.Errorf("%d LISTs and %d WATCHes, %d refused, want 1 and 2, 3 refused", lists, watches, refused.Load())
	}
}

func TestFollowTellsItsLastTroubleWhenItsContextEnds(t *testing.T) {
	b := newBench(t, Options{})
	var tries atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	c := b.tampered(func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		if tries.Add(1) == 4 {
			cancel()
		}
		return nil, syscall.ECONNREFUSED
	})
	err := c.Applier.follow(ctx, following{resource: configMaps, namespace: b.namespace}, func(event) error { return nil })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "listing configmaps in namespace "+b.namespace) {
		t.Errorf("the error is %v", err)
	}
}

func TestFollowReadsLongListsByPages(t *testing.T) {
	b := newBench(t, Options{})
	var objects []*unstructured.Unstructured
	for i := range followPage + 1 {
		objects = append(objects, configMap(t, fmt.Sprint("c", i), "1"))
	}
	b.apply(objects...)
	b.Take()
	told := 0
	err := b.Applier.follow(t.Context(), following{resource: configMaps, namespace: b.namespace, labels: partOfLabel, whole: true}, func(e event) error {
		if e.what == eventListed {
			return errStop
		}
		told++
		return nil
	})
	if lists, watches := counted(b.Take()); !errors.Is(err, errStop) || told != followPage+1 || lists != 2 || watches != 0 {
		t.Errorf("%v; %d objects were told, by %d LISTs and %d WATCHes", err, told, lists, watches)
	}
}

// crd is how the kind of definition is reached.
func (b *bench) thing(version string) resource {
	name := strings.ReplaceAll(b.namespace, "-", "")
	r := resource{Plural: name + "s", Namespaced: true}
	r.Group, r.Version, r.Kind = "example.com", version, "Kind"+name
	return r
}

func TestFollowOutlivesTheKind(t *testing.T) {
	b := newBench(t, Options{})
	definition, object := b.definition("Namespaced", true)
	b.apply(definition, object)
	bg := b.follow(following{resource: b.thing("v1"), labels: partOfLabel, whole: true})
	bg.want("present one", "listed")
	if _, err := b.Delete(t.Context(), b.set().ID); err != nil {
		t.Fatal(err)
	}
	bg.want("gone one", "listed")
	definition, object = b.definition("Namespaced", false) // now only as v2
	object.SetAPIVersion("example.com/v2")
	b.apply(definition, object)
	for line := range bg.lines {
		if line == "present one" {
			break
		}
	}
}

// allow lets the user do what the verbs say with a resource, all in the bench's namespace.
func (b *bench) allow(user, group, plural, verbs string) {
	b.t.Helper()
	path, name := "/apis/rbac.authorization.k8s.io/v1/namespaces/"+b.namespace, user+"-"+plural
	b.must("POST", path+"/roles", fmt.Sprintf(`{"metadata":{"name":%q},"rules":[{"apiGroups":[%q],"resources":[%q],"verbs":[%s]}]}`, name, group, plural, verbs))
	b.must("POST", path+"/rolebindings", fmt.Sprintf(`{"metadata":{"name":%q},"subjects":[{"kind":"User","name":%q,"apiGroup":"rbac.authorization.k8s.io"}],
		"roleRef":{"kind":"Role","name":%q,"apiGroup":"rbac.authorization.k8s.io"}}`, name, user, name))
	config := rest.CopyConfig(b.config)
	config.Impersonate.UserName = user
	c := newApplier(b.t, config, Options{}).client.rest
	for { // until the authorizer has heard of it
		r := c.Get().AbsPath("/apis", group, "v1", "namespaces", b.namespace, plural)
		if group == "" {
			r = c.Get().AbsPath("/api/v1/namespaces", b.namespace, plural)
		}
		err := r.Do(b.t.Context()).Error()
		if err == nil {
			return
		}
		if !apierrors.IsForbidden(err) || sleep(b.t.Context(), 5*time.Millisecond) != nil {
			b.t.Fatal(err)
		}
	}
}

// as is the bench of somebody else.
func (b *bench) as(user string) *bench {
	c := *b
	c.config = rest.CopyConfig(b.config)
	c.config.Impersonate.UserName = user
	return c.again()
}

func TestFollowEndsWithoutARight(t *testing.T) {
	b := newBench(t, Options{})
	b.allow("lister", "", "configmaps", `"list"`)
	err := b.as("lister").Applier.follow(t.Context(), following{resource: configMaps, namespace: b.namespace}, func(event) error { return nil })
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "watching configmaps in namespace "+b.namespace) ||
		!strings.Contains(err.Error(), `cannot watch resource "configmaps"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestFollowForgivesAServerThatStarts(t *testing.T) {
	b := newBench(t, Options{})
	var watches atomic.Int32
	bg := b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if isWatch(r) {
			switch watches.Add(1) {
			case 1:
				return answerWith(r, 200, ""), nil // an end
			case 2, 3:
				return answerWith(r, 403, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`), nil
			case 4:
				return answerWith(r, 200, `{"type":"ADDED","obj`), nil // half an event
			}
		}
		return next.RoundTrip(r)
	}).follow(following{resource: configMaps, labels: "of=test"})
	bg.want("listed")
	b.create("a")
	for line := range bg.lines {
		if line == "present a" {
			break
		}
	}
}

func TestFollowGoesOnFromABookmark(t *testing.T) {
	for _, whole := range []bool{false, true} {
		b := newBench(t, Options{})
		var from []string
		c := b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			if !isWatch(r) {
				return next.RoundTrip(r)
			}
			from = append(from, r.URL.Query().Get("resourceVersion"))
			if len(from) > 1 {
				return answerWith(r, 410, expired), nil
			}
			return answerWith(r, 200, `{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"123456"}}}`), nil
		})
		lists := 0
		err := c.Applier.follow(t.Context(), following{resource: configMaps, namespace: b.namespace, whole: whole}, func(e event) error {
			if lists++; lists == 2 {
				return errStop
			}
			return nil
		})
		if !errors.Is(err, errStop) || len(from) != 2 || from[1] != "123456" {
			t.Errorf("whole objects: %t: %v; it watched from %v", whole, err, from)
		}
	}
}

func TestFollowAllEndsAllWhenOneCannotGoOn(t *testing.T) {
	b := newBench(t, Options{})
	b.allow("watcher", "", "configmaps", `"list","watch"`)
	secrets := following{resource: secretResource, namespace: b.namespace}
	err := b.as("watcher").followAll(t.Context(), []following{{resource: configMaps, namespace: b.namespace}, secrets},
		func(following, event) error { return nil })
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "listing secrets in namespace") {
		t.Errorf("the error is %v", err)
	}
	wantNoGoroutines(t)
}

// wantNoGoroutines wants none left of this package but the test's own, nor of a stream that is still open.
func wantNoGoroutines(t *testing.T) {
	t.Helper()
	var left []string
	for range 1000 {
		left = nil
		buffer := make([]byte, 1<<20)
		for _, stack := range strings.Split(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
			ours := strings.Contains(stack, "created by github.com/gitopskit/gitopskit/apply.") || strings.Contains(stack, "ClientStream).doRequest") ||
				strings.Contains(stack, "clientStream).doRequest")
			if ours {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
}

func TestFollowingsAreFew(t *testing.T) {
	at := func(kind, namespace, name string) target {
		return target{ref: Ref{Kind: kind, Namespace: namespace, Name: name}, resource: resource{Plural: strings.ToLower(kind) + "s", Namespaced: true}}
	}
	targets := []target{at("A", "n", "1"), at("A", "n", "2"), at("B", "n", "1"), at("B", "m", "1"), at("C", "n", "1")}
	for labels, want := range map[string][]string{
		"":    {"as in namespace n ", "bs in namespace n metadata.name=1", "bs in namespace m metadata.name=1", "cs in namespace n metadata.name=1"},
		"a=b": {"as in namespace n ", "bs in all namespaces ", "cs in namespace n metadata.name=1"},
	} {
		var got []string
		for _, f := range followings(targets, labels, metadataOnly) {
			got = append(got, f.String()+" "+f.fields)
		}
		if !slices.Equal(got, want) {
			t.Errorf("by labels %q: %v, want %v", labels, got, want)
		}
	}
}
