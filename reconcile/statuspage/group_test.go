package statuspage_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/statuspage"
	"github.com/gitopskit/gitopskit/source"
)

// running is a loop whose objects can be refused.
func running(name string, refused error) *reconcile.Loop {
	at := revision("main", 7)
	return &reconcile.Loop{Name: name,
		Source: source.Func(func(_ context.Context, known source.Revision) (*source.Snapshot, error) {
			if known == at {
				return nil, source.ErrNotModified
			}
			return source.NewSnapshot(fstest.MapFS{}, at), nil
		}),
		Build: func(context.Context, fs.FS) ([]*unstructured.Unstructured, error) {
			return []*unstructured.Unstructured{{Object: map[string]any{"kind": "ConfigMap"}}}, nil
		},
		Apply: func(context.Context, source.Revision, []*unstructured.Unstructured) (*apply.Result, error) {
			change := apply.Change{Ref: apply.Ref{Version: "v1", Kind: "ConfigMap", Name: name}, Action: apply.Created}
			if refused != nil {
				change.Action, change.Err = apply.Failed, refused
			}
			return &apply.Result{Changes: []apply.Change{change}}, refused
		}}
}

// The page of a group that runs tells what its loops have come to, to many readers at once.
func TestPageOfARunningGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var group reconcile.Group
		for _, l := range []*reconcile.Loop{running("web", nil), running("api", errors.New("quota exceeded"))} {
			if err := group.Add(l); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = group.Run(ctx) })
		time.Sleep(10 * time.Second)
		synctest.Wait()

		told := report(t, group.Status(), "")
		if names(told) != "api web" || told.Loops[0].Error != "quota exceeded" || told.Loops[0].State != "failing" {
			t.Errorf("%+v", told.Loops)
		}
		if web := told.Loops[1]; !web.Ready || web.Applied != revision("main", 7) || web.Objects != 1 ||
			web.History[0].Changes[0] != (statuspage.Change{Object: "ConfigMap web", Action: "created"}) {
			t.Errorf("%+v", web)
		}
		page := statuspage.New(&group, statuspage.Options{})
		for range 8 {
			all.Go(func() {
				body := get(page, "?loop=api").Body.String()
				if !strings.Contains(body, "quota exceeded") || !strings.Contains(body, "1 failed") {
					t.Error(body)
				}
			})
		}
		time.Sleep(time.Minute)
		cancel()
		all.Wait()
	})
}

func get(page http.Handler, query string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	page.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/"+query, nil))
	return answer
}
