package otelreconcile_test

import (
	"context"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/otelreconcile"
)

// A group whose loops are traced and measured. The providers are of the SDK, or those that otel.GetTracerProvider and
// otel.GetMeterProvider return.
func Example() {
	var tracers trace.TracerProvider
	var meters metric.MeterProvider
	run := func(ctx context.Context, loops ...*reconcile.Loop) error {
		telemetry, err := otelreconcile.New(otelreconcile.Options{TracerProvider: tracers, MeterProvider: meters})
		if err != nil {
			return err
		}
		group := &reconcile.Group{}
		for _, l := range loops {
			l.Source = telemetry.Source(l.Source)
			telemetry.Instrument(l)
			if err := group.Add(l); err != nil {
				return err
			}
		}
		registration, err := telemetry.Observe(group)
		if err != nil {
			return err
		}
		defer registration.Unregister()
		return group.Run(ctx)
	}
	_ = run
}
