package eventlog_test

import (
	"log/slog"
	"os"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/eventlog"
	"github.com/gitopskit/gitopskit/source"
)

func Example() {
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	group := &reconcile.Group{OnEvent: eventlog.New(logger, eventlog.Options{})}

	// What a group tells as it runs.
	revision := source.Revision{Name: "main", Digest: "sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9c1"}
	group.OnEvent(reconcile.Pinned{Loop: "podinfo", Revision: revision})
	// Output:
	// {"level":"INFO","msg":"pinned","loop":"podinfo","revision":"main@sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9c1"}
}
