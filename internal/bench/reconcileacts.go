package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gitopskit/gitopskit/internal/bench/fleet"
	"github.com/gitopskit/gitopskit/internal/bench/work"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A fleetRepository has the commits that are pushed, one on top of the other. Those that touch an application touch the
// same one.
type fleetRepository struct {
	*testbed.Repository
	base, touched, readme, last string // commits
	touches                     int    // the number of the application
}

func makeFleet(ctx context.Context, s *testbed.GitServer, n int) (*fleetRepository, error) {
	r, err := s.NewRepository(ctx, "fleet")
	if err != nil {
		return nil, err
	}
	f := &fleetRepository{Repository: r, touches: n / 2}
	for _, c := range []struct {
		to    *string
		files map[string][]byte
	}{
		{&f.base, fleet.Apps(n)}, {&f.touched, fleet.App(f.touches, 1)},
		{&f.readme, map[string][]byte{"README.md": []byte("A fleet, as before.\n")}}, {&f.last, fleet.App(f.touches, 2)},
	} {
		if *c.to, err = r.Commit(ctx, c.files); err != nil {
			return nil, err
		}
	}
	_, err = r.Git(ctx, "repack", "-a", "-d", "-q", "--write-bitmap-index")
	return f, err
}

// push sets the branch to a commit that the server has already.
func (f *fleetRepository) push(ctx context.Context, commit string) error {
	_, err := f.Git(ctx, "update-ref", "refs/heads/"+fleet.Branch, commit)
	return err
}

// fleetActs do what the steps of one job are about.
type fleetActs struct {
	*reconcileRun
	ctx     context.Context // of the job
	job     *fleet.Job
	api     *work.API // straight to the server
	proxy   *proxy    // nil where nothing is counted
	counted map[string]fleetTraffic
}

// prepare makes the namespace, and the source as it is at first.
func (a *fleetActs) prepare(ctx context.Context) error {
	body := fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, a.job.Namespace)
	_, err := a.api.Do(ctx, http.MethodPost, "/api/v1/namespaces", work.Call{ContentType: "application/json", Body: []byte(body)})
	a.wire.cut(false)
	return errors.Join(err, a.fleet.push(ctx, a.fleet.base))
}

func (a *fleetActs) control() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m fleet.Message
		err := json.NewDecoder(r.Body).Decode(&m)
		switch {
		case err != nil:
		case m.After:
			a.counted[m.Work] = a.take()
			err = a.check(a.ctx, m.Work)
		default:
			a.take() // what was before
			err = a.act(a.ctx, m)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
}

// take returns what passed since the last call.
func (a *fleetActs) take() (t fleetTraffic) {
	if a.proxy != nil {
		t.cluster = a.proxy.take()
	}
	t.source = a.wire.take()
	t.source.verbs = make(map[string]int64)
	for _, request := range a.git.TakeRequests() {
		t.source.verbs[methodOf(request)]++
		t.source.requests++
	}
	return t
}

// act does what a step is about.
func (a *fleetActs) act(ctx context.Context, m fleet.Message) error {
	switch m.Work {
	case fleet.OneTouched:
		return errors.Join(a.fleet.push(ctx, a.fleet.touched), a.tell(ctx, m.Hook, a.fleet.touched))
	case fleet.NoTouched:
		return errors.Join(a.fleet.push(ctx, a.fleet.readme), a.tell(ctx, m.Hook, a.fleet.readme))
	case fleet.Drift, fleet.DriftDown:
		_, err := a.api.Do(ctx, http.MethodPatch, a.deployment(m.Work), work.Call{ContentType: "application/merge-patch+json",
			Body: []byte(`{"spec":{"replicas":3}}`)})
		return err
	case fleet.SourceDown: // and somebody asks for it, so that it is found out
		a.wire.cut(true)
		return a.tell(ctx, m.Hook, a.fleet.readme)
	case fleet.SourceBack:
		err := a.fleet.push(ctx, a.fleet.last)
		a.wire.cut(false)
		return err
	}
	return nil
}

// tell sends what GitHub would.
func (a *fleetActs) tell(ctx context.Context, hook, commit string) error {
	body := fmt.Appendf(nil, `{"ref":"refs/heads/%s","after":"%s","repository":{"clone_url":"%s"},"delivery":%q}`, fleet.Branch,
		commit, a.job.URL, testbed.UniqueName("push")) // a message that came already has no effect
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, hook, bytes.NewReader(body))
	if err != nil {
		return err
	}
	mark := hmac.New(sha256.New, []byte(a.job.Secret))
	mark.Write(body)
	request.Header.Set("X-Hub-Signature-256", fmt.Sprintf("sha256=%x", mark.Sum(nil)))
	request.Header.Set("X-GitHub-Event", "push")
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("the webhook answered %s", answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}

// deployment is the path of the one that a step touches. One that drifts a second time soon after is not mended at once, so
// that nobody fights with another at full speed: it is another one then.
func (a *fleetActs) deployment(work string) string {
	path, _ := fleet.Path("Deployment", a.job.Namespace)
	touches := a.fleet.touches
	if work == fleet.DriftDown {
		touches--
	}
	return path + "/" + fleet.Name(touches)
}

// check looks whether the cluster is as the step should have left it.
func (a *fleetActs) check(ctx context.Context, work string) error {
	version := 1
	switch work {
	case fleet.First:
		return a.checkAll(ctx)
	case fleet.SourceBack:
		version = 2
	case fleet.DriftDown:
		version = 0
	}
	var got struct {
		Spec struct {
			Replicas int `json:"replicas"`
			Template struct {
				Spec struct {
					Containers []struct {
						Image string `json:"image"`
					} `json:"containers"`
				} `json:"spec"`
			} `json:"template"`
		} `json:"spec"`
	}
	if err := a.get(ctx, a.deployment(work), "application/json", &got); err != nil {
		return err
	}
	if c := got.Spec.Template.Spec.Containers; len(c) != 1 || c[0].Image != fleet.Image(version) || got.Spec.Replicas != 0 {
		return fmt.Errorf("checking %s: the Deployment is %+v, and should have version %d and no replicas", work, got.Spec, version)
	}
	return nil
}

// checkAll looks for the objects of all applications.
func (a *fleetActs) checkAll(ctx context.Context) error {
	for _, kind := range fleet.Kinds() {
		var list metav1.PartialObjectMetadataList
		path, _ := fleet.Path(kind, a.job.Namespace)
		if err := a.get(ctx, path, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", &list); err != nil {
			return err
		}
		n := 0
		for _, o := range list.Items {
			if strings.HasPrefix(o.Name, "app-") {
				n++
			}
		}
		if n != a.n {
			return fmt.Errorf("checking what was applied: there are %d of %s, and should be %d", n, kind, a.n)
		}
	}
	return nil
}

func (a *fleetActs) get(ctx context.Context, path, accept string, into any) error {
	body, err := a.api.Do(ctx, http.MethodGet, path, work.Call{Accept: accept})
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// cut has the server out of reach, or in reach again.
func (w *wire) cut(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = away
	if away {
		for c := range w.open {
			_ = c.Close() // whoever reads it is told
		}
	}
}
