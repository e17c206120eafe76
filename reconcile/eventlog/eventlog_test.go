package eventlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/eventlog"
	"github.com/gitopskit/gitopskit/source"
)

var (
	revision = source.Revision{Name: "main", Digest: "sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9c1"}
	older    = source.Revision{Name: "main", Digest: "sha1:0123456789abcdef0123456789abcdef01234567"}
	errWrong = errors.New("it is wrong\nit really is")
	web      = apply.Ref{Version: "v1", Kind: "ConfigMap", Namespace: "default", Name: "web"}
	api      = apply.Ref{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "default", Name: "api"}
	result   = &apply.Result{Changes: []apply.Change{{Ref: web, Action: apply.Unchanged}, {Ref: api, Action: apply.Created}}}
	same     = &apply.Result{Changes: []apply.Change{{Ref: web, Action: apply.Unchanged}}}
)

const (
	head = `revision=main@sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9c1`
	old  = `main@sha1:0123456789abcdef0123456789abcdef01234567`
	text = `error="it is wrong\nit really is"`
)

// Each kind of event, and what becomes of it in a line of a TextHandler.
var lines = []struct {
	event reconcile.Event
	line  string
}{
	{reconcile.Fetched{Loop: "web", Revision: revision, Modified: true, Took: time.Second},
		`level=INFO msg=fetched loop=web ` + head + ` modified=true took=1s`},
	{reconcile.Fetched{Loop: "web", Revision: revision},
		`level=DEBUG msg=fetched loop=web ` + head + ` modified=false took=0s`},
	{reconcile.Fetched{Loop: "web", Revision: revision, Modified: true, Shared: true},
		`level=DEBUG msg=fetched loop=web ` + head + ` modified=true shared=true took=0s`},
	{reconcile.Restored{Loop: "web", Revision: revision},
		`level=WARN msg="restored from the store" loop=web ` + head + ` took=0s`},
	{reconcile.Built{Loop: "web", Revision: revision, Digest: "sha256:ab", Objects: 2, Changed: true},
		`level=DEBUG msg=built loop=web ` + head + ` objects=2 changed=true digest=sha256:ab took=0s`},
	{reconcile.Advanced{Loop: "web", Revision: revision}, `level=DEBUG msg=advanced loop=web ` + head},
	{reconcile.Applied{Loop: "web", Revision: revision, Result: result, Cause: reconcile.CauseNew, Took: time.Second},
		`level=INFO msg=applied loop=web ` + head + ` cause="new objects" counts.created=1 counts.unchanged=1` +
			` changes="Deployment.apps default/api: created" took=1s`},
	{reconcile.Applied{Loop: "web", Revision: revision, Result: same, Cause: reconcile.CauseInterval},
		`level=DEBUG msg=applied loop=web ` + head + ` cause=interval counts.unchanged=1 took=0s`},
	{reconcile.Waiting{Loop: "web", Revision: revision}, `level=DEBUG msg="waiting for health" loop=web ` + head},
	{reconcile.Healthy{Loop: "web", Revision: revision, Took: time.Minute},
		`level=INFO msg=healthy loop=web ` + head + ` took=1m0s`},
	{reconcile.Unhealthy{Loop: "web", Revision: revision, Err: errWrong},
		`level=WARN msg=unhealthy loop=web ` + head + ` ` + text + ` took=0s`},
	{reconcile.Superseded{Loop: "web", Revision: older, By: revision},
		`level=INFO msg=superseded loop=web revision=` + old + ` by=main@` + revision.Digest.String()},
	{reconcile.Drifted{Loop: "web", Drifts: []apply.Drift{{Ref: web, What: apply.DriftDeleted}}},
		`level=WARN msg=drifted loop=web objects=1 drifts="ConfigMap default/web: deleted"`},
	{reconcile.Unwatched{Loop: "web", Err: errWrong, RetryIn: time.Second},
		`level=WARN msg="drift is not told" loop=web ` + text + ` retry_in=1s`},
	{reconcile.DependencyNotReady{Loop: "web", Revision: revision, Dependency: reconcile.Dependency{Name: "database"},
		Why: "it is applying"},
		`level=INFO msg="dependency not ready" loop=web ` + head + ` dependency=database why="it is applying"`},
	{reconcile.Kept{Loop: "web", Revision: revision, Digest: "sha256:cd"},
		`level=DEBUG msg="kept in the store" loop=web ` + head + ` digest=sha256:cd`},
	{reconcile.NotKept{Loop: "web", Revision: revision, Err: errWrong},
		`level=WARN msg="not kept in the store" loop=web ` + head + ` ` + text},
	{reconcile.Failed{Loop: "web", Stage: reconcile.Building, Revision: revision, Err: errWrong, Failures: 3,
		RetryIn: 8 * time.Second},
		`level=ERROR msg=failed loop=web stage=building ` + head + ` ` + text + ` failures=3 retry_in=8s`},
	{reconcile.Failed{Loop: "web", Stage: reconcile.Fetching, Err: errWrong, Failures: 1, Shared: true},
		`level=DEBUG msg=failed loop=web stage=fetching ` + text + ` failures=1 shared=true`},
	{reconcile.Suspended{Loop: "web"}, `level=INFO msg=suspended loop=web`},
	{reconcile.Resumed{Loop: "web"}, `level=INFO msg=resumed loop=web`},
	{reconcile.Triggered{Loop: "web"}, `level=DEBUG msg=triggered loop=web`},
	{reconcile.Pinned{Loop: "web", Revision: revision}, `level=INFO msg=pinned loop=web ` + head},
	{reconcile.Unpinned{Loop: "web"}, `level=INFO msg=unpinned loop=web`},
	{reconcile.Replaced{Loop: "web"}, `level=INFO msg=replaced loop=web`},
	{reconcile.Removed{Loop: "web"}, `level=INFO msg=removed loop=web`},
	{reconcile.Removed{Loop: "web", Result: result},
		`level=INFO msg=removed loop=web counts.created=1 counts.unchanged=1 changes="Deployment.apps default/api: created"`},
}

// textLogger writes lines without a time.
func textLogger(out *bytes.Buffer, level slog.Level) *slog.Logger {
	withoutTime := func(groups []string, a slog.Attr) slog.Attr {
		if groups == nil && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTime}))
}

func TestEachEventIsALine(t *testing.T) {
	var out bytes.Buffer
	hook := eventlog.New(textLogger(&out, slog.LevelDebug), eventlog.Options{})
	for _, l := range lines {
		out.Reset()
		if hook(l.event); out.String() != l.line+"\n" {
			t.Errorf("%T is\n%swant\n%s", l.event, out.String(), l.line)
		}
	}
}

// What package reconcile gains later has to have a message of its own here.
func TestNoKindOfEventIsForgotten(t *testing.T) {
	code, err := os.ReadFile("../event.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`(?m)^func \((\w+)\) event\(\)`).FindAllStringSubmatch(string(code), -1)
	if len(kinds) < 22 {
		t.Fatalf("found %d kinds of events", len(kinds))
	}
	all, messages := make(map[string]bool), make(map[string]string)
	for _, l := range lines {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", l.event), "reconcile.")
		all[kind] = true
		message := eventlog.Message(l.event)
		if other, ok := messages[message]; ok && other != kind {
			t.Errorf("%s and %s have the message %q", kind, other, message)
		}
		messages[message] = kind
	}
	for _, kind := range kinds {
		if !all[kind[1]] {
			t.Errorf("%s is not in the table of this test", kind[1])
		}
	}
	if kind, ok := messages["event"]; ok {
		t.Errorf("%s has no message", kind)
	}
}

func TestARecordNamesTenObjectsAtMost(t *testing.T) {
	var out bytes.Buffer
	drifts := make([]apply.Drift, 12)
	for i := range drifts {
		drifts[i] = apply.Drift{Ref: web, What: apply.DriftChanged}
	}
	eventlog.New(textLogger(&out, slog.LevelInfo), eventlog.Options{})(reconcile.Drifted{Loop: "web", Drifts: drifts})
	if n := strings.Count(out.String(), "ConfigMap"); n != 10 || !strings.Contains(out.String(), "; 2 more") {
		t.Errorf("%d objects in %s", n, &out)
	}
}

func TestLevelsAreTheConsumersOwn(t *testing.T) {
	var out bytes.Buffer
	hook := eventlog.New(textLogger(&out, slog.LevelInfo), eventlog.Options{Level: func(e reconcile.Event) slog.Level {
		if _, ok := e.(reconcile.Suspended); ok {
			return slog.LevelDebug
		}
		return eventlog.Level(e)
	}})
	hook(reconcile.Suspended{Loop: "web"})
	hook(reconcile.Resumed{Loop: "web"})
	hook(reconcile.Triggered{Loop: "web"})
	if want := "level=INFO msg=resumed loop=web\n"; out.String() != want {
		t.Errorf("logged\n%swant\n%s", &out, want)
	}
}
