package prommetrics_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/prommetrics"
	"github.com/gitopskit/gitopskit/source"
)

var revision = source.Revision{Name: "main", Digest: "sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9c1"}

// standing is a Statuser.
type standing []reconcile.Status

func (s standing) Status() []reconcile.Status { return s }

// scrape returns the answer that Prometheus would get.
func scrape(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).ServeHTTP(answer,
		httptest.NewRequest("GET", "/metrics", nil))
	if answer.Code != 200 {
		t.Fatalf("the scrape is answered by %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// series are the lines with samples, without those of buckets.
func series(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(line, "_bucket{") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func wantSeries(t *testing.T, text string, want ...string) {
	t.Helper()
	got := series(text)
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("there is no %s in\n%s", w, strings.Join(got, "\n"))
		}
	}
}

func TestTheStatusIsReadAtEachScrape(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 250e6, time.UTC)
	loops := standing{
		{Name: "web", State: reconcile.StateReady, Ready: true, Wanted: revision, Applied: revision, Objects: 4,
			Fetched: at, AppliedAt: at},
		{Name: "api", State: reconcile.StateFailing, Wanted: revision, Pinned: revision, Failures: 3, Suspended: true,
			Err: errors.New("a secret")},
	}
	c := prommetrics.New(loops, prommetrics.Options{})
	text := scrape(t, c)
	wantSeries(t, text,
		`gitops_loops{state="ready"} 1`, `gitops_loops{state="failing"} 1`, `gitops_loops{state="blocked"} 0`,
		`gitops_loop_state{loop="web",state="ready"} 1`, `gitops_loop_ready{loop="web"} 1`, `gitops_loop_current{loop="web"} 1`,
		`gitops_loop_suspended{loop="web"} 0`, `gitops_loop_pinned{loop="web"} 0`, `gitops_loop_objects{loop="web"} 4`,
		`gitops_loop_failures_in_a_row{loop="web"} 0`, `gitops_loop_fetched_timestamp_seconds{loop="web"} 1.77260076725e+09`,
		`gitops_loop_applied_timestamp_seconds{loop="web"} 1.77260076725e+09`,
		`gitops_loop_state{loop="api",state="failing"} 1`, `gitops_loop_ready{loop="api"} 0`,
		`gitops_loop_current{loop="api"} 0`,
		`gitops_loop_suspended{loop="api"} 1`, `gitops_loop_pinned{loop="api"} 1`, `gitops_loop_failures_in_a_row{loop="api"} 3`)
	if n := len(series(text)); n != 10+9+7 {
		t.Errorf("%d series:\n%s", n, text)
	}
	for _, never := range []string{"secret", "855f77", `timestamp_seconds{loop="api"}`} {
		if strings.Contains(text, never) {
			t.Errorf("%q is in\n%s", never, text)
		}
	}
	loops[0].State = reconcile.StateWaiting
	wantSeries(t, scrape(t, c), `gitops_loop_state{loop="web",state="waiting"} 1`, `gitops_loops{state="ready"} 0`)
}

func TestEventsAreCounted(t *testing.T) {
	c := prommetrics.New(standing{}, prommetrics.Options{})
	result := &apply.Result{Changes: []apply.Change{{Action: apply.Created}, {Action: apply.Created},
		{Action: apply.Unchanged}, {Action: apply.Pruned}}}
	wrong := errors.New("it is wrong")
	for _, e := range []reconcile.Event{
		reconcile.Fetched{Loop: "web", Modified: true, Took: 2 * time.Second},
		reconcile.Fetched{Loop: "api", Modified: true, Shared: true, Took: 2 * time.Second},
		reconcile.Fetched{Loop: "web", Took: time.Second},
		reconcile.Built{Loop: "web", Took: 500 * time.Millisecond},
		reconcile.Applied{Loop: "web", Result: result, Cause: reconcile.CauseNew, Took: 4 * time.Second},
		reconcile.Unhealthy{Loop: "web", Err: wrong, Took: time.Minute},
		reconcile.Failed{Loop: "web", Stage: reconcile.Checking, Err: wrong},
		reconcile.Healthy{Loop: "web", Took: 30 * time.Second},
		reconcile.Drifted{Loop: "web", Drifts: make([]apply.Drift, 3)},
		reconcile.Applied{Loop: "web", Result: &apply.Result{Changes: []apply.Change{{Action: apply.Configured}}},
			Cause: reconcile.CauseDrift, Took: time.Second},
		reconcile.Failed{Loop: "web", Stage: reconcile.Fetching, Err: wrong},
		reconcile.Failed{Loop: "api", Stage: reconcile.Fetching, Err: wrong, Shared: true},
		reconcile.Restored{Loop: "api", Took: time.Second},
		reconcile.Suspended{Loop: "api"},
	} {
		c.Observe(e)
	}
	wantSeries(t, scrape(t, c),
		`gitops_fetches_total{result="modified"} 1`, `gitops_fetches_total{result="not_modified"} 1`,
		`gitops_fetches_total{result="failed"} 1`,
		`gitops_stage_duration_seconds_sum{stage="fetching"} 3`, `gitops_stage_duration_seconds_count{stage="fetching"} 2`,
		`gitops_stage_duration_seconds_sum{stage="building"} 0.5`, `gitops_stage_duration_seconds_sum{stage="applying"} 5`,
		`gitops_stage_duration_seconds_sum{stage="checking health"} 90`,
		`gitops_stage_duration_seconds_count{stage="restoring"} 1`,
		`gitops_applies_total{cause="new objects"} 1`, `gitops_applies_total{cause="drift"} 1`,
		`gitops_loop_object_changes_total{action="created",loop="web"} 2`,
		`gitops_loop_object_changes_total{action="pruned",loop="web"} 1`,
		`gitops_loop_object_changes_total{action="configured",loop="web"} 1`, `gitops_loop_drifts_total{loop="web"} 3`,
		`gitops_loop_drifts_total{loop="api"} 0`,
		`gitops_loop_failures_total{loop="web",stage="fetching"} 1`,
		`gitops_loop_failures_total{loop="api",stage="fetching"} 1`,
		`gitops_loop_failures_total{loop="web",stage="checking health"} 1`,
		`gitops_loop_failures_total{loop="web",stage="building"} 0`)
	if text := scrape(t, c); strings.Contains(text, `"unchanged"`) {
		t.Errorf("what stayed as it was is counted:\n%s", text)
	}
}

func TestARemovedLoopTakesItsSeriesAlong(t *testing.T) {
	c := prommetrics.New(standing{}, prommetrics.Options{})
	drifted := func(loop string) { c.Observe(reconcile.Drifted{Loop: loop, Drifts: make([]apply.Drift, 1)}) }
	created := &apply.Result{Changes: []apply.Change{{Action: apply.Created}}}
	for i := range 100 {
		name := fmt.Sprintf("preview-%d", i)
		drifted(name)
		c.Observe(reconcile.Applied{Loop: name, Result: created, Cause: reconcile.CauseNew})
		c.Observe(reconcile.Removed{Loop: name, Result: created})
	}
	drifted("web")
	text := scrape(t, c)
	if strings.Contains(text, "preview-") {
		t.Errorf("series of removed loops are left:\n%s", text)
	}
	drifted("preview-1")
	wantSeries(t, scrape(t, c), `gitops_loop_drifts_total{loop="web"} 1`, `gitops_loop_drifts_total{loop="preview-1"} 1`)
}

func TestNamesOfLoopsMayBeAnything(t *testing.T) {
	names := []string{"a\"b\nc\\", "\xff", "\xfe", "", strings.Repeat("long", 1000)}
	var loops standing
	for _, name := range names {
		loops = append(loops, reconcile.Status{Name: name, State: reconcile.StateReady, Ready: true})
	}
	c := prommetrics.New(loops, prommetrics.Options{})
	for _, name := range names {
		c.Observe(reconcile.Drifted{Loop: name})
	}
	text := scrape(t, c)
	wantSeries(t, text, `gitops_loop_ready{loop="a\"b\nc\\"} 1`, `gitops_loop_ready{loop="\"\\xff\""} 1`,
		`gitops_loop_drifts_total{loop="\"\\xfe\""} 0`)
	if n := strings.Count(text, "\ngitops_loop_ready{"); n != len(names) {
		t.Errorf("%d series of %d loops", n, len(names))
	}
}

// What package reconcile gains later has to be known here.
func TestNoStateAndNoStageIsForgotten(t *testing.T) {
	c := prommetrics.New(standing{}, prommetrics.Options{})
	c.Observe(reconcile.Suspended{Loop: "web"})
	text := scrape(t, c)
	for _, of := range []struct {
		file, pattern, series string
		least                 int
	}{
		{"status.go", `(?m)^\tState\w+\s+State = ("[^"]+")`, `gitops_loops{state=%s} 0`, 10},
		{"event.go", `(?m)^\t\w+\s+Stage = ("[^"]+")`, `gitops_loop_failures_total{loop="web",stage=%s} 0`, 6},
	} {
		code, err := os.ReadFile("../" + of.file)
		if err != nil {
			t.Fatal(err)
		}
		all := regexp.MustCompile(of.pattern).FindAllStringSubmatch(string(code), -1)
		if len(all) < of.least {
			t.Fatalf("found %d in %s", len(all), of.file)
		}
		for _, found := range all {
			wantSeries(t, text, fmt.Sprintf(of.series, found[1]))
		}
	}
}

func TestTwoGroupsHaveLabelsOfTheirOwn(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	for _, group := range []string{"eu", "us"} {
		c := prommetrics.New(standing{{Name: "web"}}, prommetrics.Options{Namespace: "fleet",
			ConstLabels: prometheus.Labels{"group": group}})
		if err := registry.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	all, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		if !strings.HasPrefix(family.GetName(), "fleet_") {
			t.Errorf("%s does not start with the Namespace", family.GetName())
		}
		if family.GetName() == "fleet_loop_ready" && len(family.GetMetric()) != 2 {
			t.Errorf("%v", family)
		}
	}
}

func TestPrometheusFindsNoFault(t *testing.T) {
	c := prommetrics.New(standing{{Name: "web", State: reconcile.StateReady, Fetched: time.Now(),
		AppliedAt: time.Now()}}, prommetrics.Options{})
	c.Observe(reconcile.Fetched{Loop: "web"})
	c.Observe(reconcile.Applied{Loop: "web", Result: &apply.Result{Changes: []apply.Change{{Action: apply.Created}}},
		Cause: reconcile.CauseNew})
	problems, err := promlint.New(strings.NewReader(scrape(t, c))).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestScrapesAndEventsMayComeAtOnce(t *testing.T) {
	c := prommetrics.New(standing{{Name: "web"}}, prommetrics.Options{})
	var done sync.WaitGroup
	for i := range 8 {
		done.Go(func() {
			for range 50 {
				c.Observe(reconcile.Drifted{Loop: fmt.Sprint("loop", i), Drifts: make([]apply.Drift, 1)})
				c.Observe(reconcile.Failed{Loop: "web", Stage: reconcile.Building})
			}
		})
	}
	done.Go(func() {
		for range 20 {
			scrape(t, c)
		}
	})
	done.Wait()
	wantSeries(t, scrape(t, c), `gitops_loop_failures_total{loop="web",stage="building"} 400`,
		`gitops_loop_drifts_total{loop="loop7"} 50`)
}
