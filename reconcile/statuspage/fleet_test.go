package statuspage_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

const origin = "https://git.example.com/ops/fleet"

func revision(name string, n int) source.Revision {
	return source.Revision{Name: name, Digest: digest.Digest("sha1:" + digest.FromString(fmt.Sprint(n)).Encoded()[:40])}
}

// ready is a loop of four objects that has nothing to do.
func ready(name string, now time.Time) reconcile.Status {
	at := revision("main", 1)
	long := now.Add(-3 * time.Hour)
	s := reconcile.Status{Name: name, Source: origin, State: reconcile.StateReady, Since: long, Ready: true,
		Wanted: at, Attempted: at, Applied: at, Healthy: at, Fetched: now.Add(-20 * time.Second), AppliedAt: long,
		Next: now.Add(40 * time.Second), Objects: 4, Digest: digest.FromString(name), Interval: time.Minute,
		History: []reconcile.Outcome{
			{Revision: at, Objects: 4, Cause: reconcile.CauseNew, Time: long, Last: now.Add(-time.Hour), Repeats: 2,
				Counts: map[apply.Action]int{apply.Unchanged: 4}, Health: reconcile.HealthOK,
				Took: reconcile.Durations{Fetch: 90 * time.Millisecond, Apply: 12 * time.Millisecond}},
			{Revision: at, Objects: 4, Cause: reconcile.CauseNew, Time: long, Last: long,
				Counts: map[apply.Action]int{apply.Created: 1, apply.Configured: 1, apply.Unchanged: 2}, Health: reconcile.HealthOK,
				Changes: []apply.Change{{Ref: deployment(name), Action: apply.Configured},
					{Ref: apply.Ref{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: name}, Action: apply.Created}},
				Took: reconcile.Durations{Fetch: 310 * time.Millisecond, Build: 42 * time.Millisecond, Apply: 180 * time.Millisecond,
					Wait: 6200 * time.Millisecond}},
		}}
	for i := range int(s.Digest.Encoded()[0]) % 9 { // what was before, of some more than of others
		before := s.History[(i+int(s.Digest.Encoded()[i+1]))%2]
		before.Revision, before.Time, before.Last = revision("main", -i), long.Add(-time.Duration(i)*time.Hour), time.Time{}
		before.Repeats = 0
		s.History = append(s.History, before)
	}
	return s
}

func deployment(name string) apply.Ref {
	return apply.Ref{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: name}
}

// failing is a loop whose new revision cannot be applied.
func failing(name string, now time.Time) reconcile.Status {
	s := ready(name, now)
	newer := revision("main", 2)
	err := errors.Join(
		fmt.Errorf("patching %s: Deployment.apps %q is invalid: spec.selector: field is immutable", deployment(name), name),
		fmt.Errorf("patching Service shop/%s: admission webhook %q denied the request: port 22 is not allowed", name, "policy"))
	s.State, s.Since, s.Ready, s.Reason = reconcile.StateFailing, now.Add(-4*time.Minute), false, reconcile.ReasonApply
	s.Wanted, s.Attempted, s.Err, s.Stage, s.Failures = newer, newer, err, reconcile.Applying, 5
	change := apply.Change{Ref: deployment(name), Action: apply.Failed, Err: errors.New("spec.selector: field is immutable")}
	s.History = append([]reconcile.Outcome{{Revision: newer, Objects: 4, Cause: reconcile.CauseRetry,
		Time: s.Since, Last: now.Add(-30 * time.Second), Repeats: 4, Stage: reconcile.Applying, Err: err,
		Counts:  map[apply.Action]int{apply.Failed: 2, apply.Unchanged: 2},
		Changes: []apply.Change{change},
		Took:    reconcile.Durations{Fetch: 280 * time.Millisecond, Build: 40 * time.Millisecond, Apply: 900 * time.Millisecond}}},
		s.History...)
	return s
}

// fleet is one loop in each state, and ready ones up to n.
func fleet(n int) []reconcile.Status {
	now := time.Now()
	all := []reconcile.Status{failing("checkout", now)}
	add := func(name string, state reconcile.State, reason reconcile.Reason, age time.Duration) *reconcile.Status {
		s := ready(name, now)
		s.State, s.Reason, s.Since = state, reason, now.Add(-age)
		s.Ready = state == reconcile.StateReady
		all = append(all, s)
		return &all[len(all)-1]
	}
	s := add("search", reconcile.StateOutOfReach, reconcile.ReasonUnreachable, 11*time.Minute)
	s.Source = "s3://manifests/search"
	s.Wanted.Name, s.Attempted.Name, s.Applied.Name = "", "", ""
	s.FetchErr = errors.New("fetching s3://manifests/search: dial tcp 10.0.3.7:9000: connect: connection refused")
	s = add("orders", reconcile.StateBlocked, reconcile.ReasonDependency, 50*time.Second)
	s.Wanted = revision("main", 2)
	s.DependsOn = []reconcile.Dependency{{Name: "postgres", SameRevision: true}, {Name: "checkout"}}
	s.Blocked = []string{"checkout: it is failing"}
	s = add("catalog", reconcile.StateApplying, reconcile.ReasonProgressing, 2*time.Second)
	s.Wanted, s.Attempted = revision("main", 2), revision("main", 2)
	s = add("gateway", reconcile.StateWaiting, "", 25*time.Second)
	drift := apply.Drift{Ref: deployment("gateway"), What: apply.DriftChanged, Managers: []string{"kubectl-edit"}}
	s.Drifts, s.DriftedAt = []apply.Drift{drift}, now
	add("mail", reconcile.StatePending, reconcile.ReasonNotFetched, time.Second).History = nil
	s = add("legacy", reconcile.StateSuspended, reconcile.ReasonSuspended, 9*24*time.Hour)
	s.Suspended, s.Next = true, time.Time{}
	s = add("payments", reconcile.StateReady, reconcile.ReasonPinned, 26*time.Hour)
	s.Wanted, s.Pinned = revision("main", 2), s.Applied
	s.WatchErr = errors.New("watching configmaps: forbidden")
	for i := len(all); i < n; i++ {
		add(fmt.Sprintf("tenant-%04d", i), reconcile.StateReady, "", time.Duration(i)*time.Hour)
	}
	return all[:n]
}

// hostile is a loop whose every text wants to break the page.
func hostile() reconcile.Status {
	script := `</script></style><script>document.title="broken"</script>` +
		`<img src=x onerror="document.title='broken'">"'` + "`{{.}}"
	bidi := "\u202e\u2066reversed\u200b\x00\x1b[31m\xff"
	s := failing(script+bidi+strings.Repeat("w", 5000), time.Now())
	s.Source = "javascript:" + script
	s.Err = errors.New(script + bidi + strings.Repeat("e", 6000) + "\n" + script)
	s.Reason = reconcile.Reason(script)
	s.Wanted.Name = script
	s.DependsOn = []reconcile.Dependency{{Name: script}}
	secret := apply.Ref{Version: "v1", Kind: "Secret", Name: script}
	s.Drifts = []apply.Drift{{Ref: secret, What: apply.DriftChanged, Managers: []string{script + bidi}}}
	s.History[0].Err, s.History[0].Changes[0].Err = s.Err, s.Err
	return s
}
