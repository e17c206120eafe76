package prommetrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/prommetrics"
)

func Example() {
	group := &reconcile.Group{}
	metrics := prommetrics.New(group, prommetrics.Options{})
	group.OnEvent = metrics.Observe

	registry := prometheus.NewRegistry() // or the program's own
	registry.MustRegister(metrics)
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	group.OnEvent(reconcile.Failed{Loop: "podinfo", Stage: reconcile.Building}) // what a group tells as it runs

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(answer.Body.String()) {
		if strings.Contains(line, `"building"`) {
			fmt.Print(line)
		}
	}
	// Output:
	// gitops_loop_failures_total{loop="podinfo",stage="building"} 1
	// gitops_loops{state="building"} 0
}
