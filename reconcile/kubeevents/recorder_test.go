package kubeevents_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/kubeevents"
)

// eventServer answers as the API server does, without a network.
type eventServer struct {
	mu     sync.Mutex
	sent   []string                       // "POST Applied", "PATCH 2"
	events map[string]map[string]any      // by name
	answer func(*http.Request, int) int   // of the n-th request: a status, or 0 for an error of the network; nil: 200
	after  func(*http.Request, int) error // it is done, but the answer is lost
}

func (s *eventServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	if err := json.Unmarshal(body, &object); err != nil {
		return nil, err
	}
	n := len(s.sent)
	told := r.Method + " " + fmt.Sprint(object["reason"])
	if series, ok := object["series"].(map[string]any); ok && r.Method == http.MethodPatch {
		told = fmt.Sprint("PATCH ", series["count"])
	}
	s.sent = append(s.sent, told)
	code := http.StatusOK
	if s.answer != nil {
		code = s.answer(r, n)
	}
	if code == 0 {
		return nil, errors.New("nobody is there")
	}
	if code == http.StatusOK {
		code = s.store(r, object)
	}
	if s.after != nil {
		if err := s.after(r, n); err != nil {
			return nil, err
		}
	}
	reason := map[int]string{403: "Forbidden", 404: "NotFound", 409: "AlreadyExists"}[code]
	status := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":"no"}`,
		code, reason)
	if code == http.StatusOK {
		status = `{"kind":"Status","apiVersion":"v1","status":"Success"}`
	}
	return &http.Response{StatusCode: code, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(status))}, nil
}

func (s *eventServer) store(r *http.Request, object map[string]any) int {
	if r.Method == http.MethodPatch {
		name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		if s.events[name] == nil {
			return http.StatusNotFound
		}
		s.events[name]["series"] = object["series"]
		return http.StatusOK
	}
	name := object["metadata"].(map[string]any)["name"].(string)
	if s.events[name] != nil {
		return http.StatusConflict
	}
	if s.events == nil {
		s.events = make(map[string]map[string]any)
	}
	s.events[name] = object
	return http.StatusOK
}

func (s *eventServer) requests() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.sent, ", ")
}

func (s *eventServer) want(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	if got := s.requests(); got != want {
		t.Errorf("sent %s; want %s", got, want)
	}
}

// start returns a Recorder that runs until the end of the test.
func start(t *testing.T, server *eventServer, opts kubeevents.Options) *kubeevents.Recorder {
	t.Helper()
	opts.Controller = "gitops.example.com/test"
	if opts.Regarding == nil {
		opts.Regarding = func(e reconcile.Event) (kubeevents.Object, bool) {
			return kubeevents.Object{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: e.LoopName(), UID: "1"}, true
		}
	}
	r, err := kubeevents.New(&rest.Config{Host: "http://cluster.example.com", Transport: server}, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		if cancel(); !errors.Is(<-ended, context.Canceled) {
			t.Error("Run does not say why it ended")
		}
	})
	return r
}

func failing(loop, why string) reconcile.Event {
	return reconcile.Failed{Loop: loop, Stage: reconcile.Building, Err: errors.New(why)}
}

func TestRepeatsAreCountedByOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &eventServer{}
		r := start(t, server, kubeevents.Options{})
		r.Observe(failing("web", "it is wrong"))
		server.want(t, "POST BuildFailed")
		r.Observe(failing("web", "it is wrong"))
		server.want(t, "POST BuildFailed, PATCH 2")
		for range 5 {
			r.Observe(failing("web", "it is wrong"))
			time.Sleep(time.Second)
		}
		server.want(t, "POST BuildFailed, PATCH 2")
		time.Sleep(time.Minute)
		server.want(t, "POST BuildFailed, PATCH 2, PATCH 7")
		r.Observe(failing("api", "it is wrong"))
		r.Observe(failing("web", "it is something else"))
		server.want(t, "POST BuildFailed, PATCH 2, PATCH 7, POST BuildFailed, POST BuildFailed")
		time.Sleep(11 * time.Minute)
		r.Observe(failing("web", "it is wrong"))
		server.want(t, "POST BuildFailed, PATCH 2, PATCH 7, POST BuildFailed, POST BuildFailed, POST BuildFailed")
	})
}

func TestALostAnswerMakesNoSecondEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &eventServer{after: func(_ *http.Request, n int) error {
			if n == 0 {
				return errors.New("the connection is gone")
			}
			return nil
		}}
		r := start(t, server, kubeevents.Options{})
		r.Observe(failing("web", "it is wrong"))
		time.Sleep(time.Minute)
		server.want(t, "POST BuildFailed, POST BuildFailed")
		if len(server.events) != 1 || r.Dropped() != 0 {
			t.Errorf("%d events, %d dropped", len(server.events), r.Dropped())
		}
	})
}

func TestWhatWaitsForTheServerIsPostedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		server := &eventServer{answer: func(*http.Request, int) int {
			if down {
				return 0
			}
			return 200
		}}
		r := start(t, server, kubeevents.Options{})
		for i := range 5 {
			r.Observe(failing(fmt.Sprint("web", i), "it is wrong"))
			r.Observe(failing(fmt.Sprint("web", i), "it is wrong"))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		server.mu.Lock()
		if n := len(server.sent); n < 5 || n > 8 {
			t.Errorf("%d requests in a minute to a server that is down", n)
		}
		down = false
		server.mu.Unlock()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(server.events) != 5 || r.Dropped() != 0 {
			t.Errorf("%d events, %d dropped", len(server.events), r.Dropped())
		}
		for name, e := range server.events {
			if count := e["series"].(map[string]any)["count"]; count != 2.0 {
				t.Errorf("%s counts %v", name, count)
			}
		}
	})
}

func TestARefusalIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &eventServer{answer: func(*http.Request, int) int { return 403 }}
		var r *kubeevents.Recorder
		var told []error
		r = start(t, server, kubeevents.Options{OnError: func(err error) {
			told = append(told, err)
			r.Dropped() // it may be called
		}})
		for range 3 {
			r.Observe(failing("web", "it is wrong"))
			synctest.Wait()
		}
		server.want(t, "POST BuildFailed")
		if len(told) != 1 || !strings.Contains(told[0].Error(), "posting the event BuildFailed of ConfigMap default/web: ") ||
			r.Dropped() != 3 {
			t.Errorf("told %v, dropped %d", told, r.Dropped())
		}
		time.Sleep(11 * time.Minute) // somebody gives the right
		r.Observe(failing("web", "it is wrong"))
		server.want(t, "POST BuildFailed, POST BuildFailed")
	})
}

func TestAnEventThatIsGoneIsPostedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &eventServer{}
		r := start(t, server, kubeevents.Options{})
		r.Observe(failing("web", "it is wrong"))
		synctest.Wait()
		clear(server.events)
		r.Observe(failing("web", "it is wrong"))
		server.want(t, "POST BuildFailed, PATCH 2, POST BuildFailed")
	})
}

func TestAnObjectHasABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &eventServer{}
		r := start(t, server, kubeevents.Options{QPS: 1000})
		for i := range 100 {
			r.Observe(failing("web", fmt.Sprint("it is wrong again: ", i)))
			r.Observe(failing("api", "it is wrong"))
		}
		synctest.Wait()
		if len(server.events) != 26 || r.Dropped() != 75 {
			t.Errorf("%d events, %d dropped", len(server.events), r.Dropped())
		}
		time.Sleep(2 * time.Minute)
		for i := range 10 {
			r.Observe(failing("web", fmt.Sprint("it is wrong once more: ", i)))
		}
		synctest.Wait()
		if len(server.events) != 28 {
			t.Errorf("%d events after two more minutes", len(server.events))
		}
	})
}

func TestObserveNeverBlocksAndTheRateIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		server := &eventServer{answer: func(*http.Request, int) int {
			<-release
			return 200
		}}
		r := start(t, server, kubeevents.Options{Pending: 50, QPS: 2})
		began := time.Now()
		for i := range 200 {
			r.Observe(failing(fmt.Sprint("web", i), "it is wrong"))
		}
		if time.Now() != began {
			t.Error("Observe took time")
		}
		if n := r.Dropped(); n != 150 && n != 149 { // Run may have taken one out meanwhile
			t.Errorf("%d dropped", n)
		}
		close(release)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(server.events); n < 24 || n > 26 { // 5 at once, and 2 a second
			t.Errorf("%d events after ten seconds", n)
		}
	})
}

func TestTheEndOfRunPostsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &eventServer{}
		r, err := kubeevents.New(&rest.Config{Host: "http://cluster.example.com", Transport: server},
			kubeevents.Options{Controller: "test",
				Regarding: func(e reconcile.Event) (kubeevents.Object, bool) {
					return kubeevents.Object{Name: e.LoopName()}, e.LoopName() == "web"
				}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.Observe(reconcile.Removed{Loop: "web"})
		r.Observe(reconcile.Removed{Loop: "an object has none"})
		if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		server.want(t, "POST Removed")
	})
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	regarding := func(reconcile.Event) (kubeevents.Object, bool) { return kubeevents.Object{}, false }
	for _, c := range []struct {
		config *rest.Config
		opts   kubeevents.Options
		want   string
	}{
		{&rest.Config{}, kubeevents.Options{Regarding: regarding}, `the Controller "" is none`},
		{&rest.Config{}, kubeevents.Options{Regarding: regarding, Controller: "a b"}, `the Controller "a b" is none`},
		{&rest.Config{}, kubeevents.Options{Controller: "test"}, "Regarding is not set"},
		{nil, kubeevents.Options{Controller: "test", Regarding: regarding}, "the configuration of the cluster is nil"},
	} {
		if _, err := kubeevents.New(c.config, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
}
