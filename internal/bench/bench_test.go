package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/bench/measure"
	"github.com/gitopskit/gitopskit/internal/bench/work"
)

func TestSummarizeTakesMedianLeastAndPeak(t *testing.T) {
	var r row
	r.summarize([]measure.Sample{
		{MS: 3.14159, PeakMiB: 20.06, ReadyMiB: 9}, {MS: 1, PeakMiB: 30, ReadyMiB: 8}, {MS: 9, PeakMiB: 10, ReadyMiB: 7}})
	if want := (row{MS: 3.14, MinMS: 1, PeakMiB: 30, ReadyMiB: 8, Runs: 3}); !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestJSONLineHasAllFieldsInOrder(t *testing.T) {
	var out bytes.Buffer
	r := row{Area: "apply", Work: work.NoOp, Who: ourselves, N: 5, Size: 9, MS: 1.5, MinMS: 1, Requests: 6,
		Verbs: map[string]int64{"LIST": 5, "GET": 1}, Sent: 2, Received: 7, PeakMiB: 8.5, ReadyMiB: 4, Runs: 3}
	if err := printJSON(&out, []row{r}); err != nil {
		t.Fatal(err)
	}
	want := `{"area":"apply","work":"no-op","who":"gitopskit","n":5,"size":9,"ms":1.5,"min_ms":1,"requests":6,` +
		`"verbs":{"GET":1,"LIST":5},"sent":2,"received":7,"peak_mib":8.5,"ready_mib":4,"runs":3}`
	if got := strings.TrimSpace(out.String()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTableShowsRatioToGitopskit(t *testing.T) {
	var out bytes.Buffer
	printTable(&out, []row{
		{Work: work.Create, Who: ourselves, N: 5, MS: 10, PeakMiB: 3, Requests: 7, Verbs: map[string]int64{"PATCH": 5, "GET": 2}},
		{Work: work.Create, Who: "bare", N: 5, MS: 5},
		{Work: work.Prune, Who: "bare", N: 5, MS: 5},
	})
	wantLines(t, out.String(), `n 5,`, `create +gitopskit .* 1\.00 .* 7: 2 GET, 5 PATCH\n`, `create +bare +5\.0 .* 0\.50 .* -`,
		`prune +bare +5\.0 +0\.0 +-`)
}

func TestGrowthIsBesideTheColumnBefore(t *testing.T) {
	var out bytes.Buffer
	rows := []row{
		{Work: work.Create, Who: ourselves, N: 100, MS: 10, PeakMiB: 3}, {Work: work.Create, Who: "bare", N: 100, MS: 10},
		{Work: work.Create, Who: ourselves, N: 1000, MS: 95, PeakMiB: 6},
	}
	applyArea.printGrowth(&out, rows[:2])
	if out.Len() > 0 {
		t.Errorf("one n has a growth:\n%s", out.String())
	}
	applyArea.printGrowth(&out, rows)
	wantLines(t, out.String(), `create +gitopskit +10\.0 +95\.0 x9\.5 +3\.0 +6\.0 x2\.0\n`, `create +bare +10\.0 +- `)
}

func TestBarsAreMetOrNot(t *testing.T) {
	var out bytes.Buffer
	applyArea.printBars(&out, []row{
		{Work: work.NoOp, Who: ourselves, N: 1000, MS: 10, PeakMiB: 10}, {Work: work.NoOp, Who: peer, N: 1000, MS: 499, PeakMiB: 10},
		{Work: work.NoOp, Who: limitList, N: 1000, MS: 5},
		{Work: work.Create, Who: ourselves, N: 10_000, MS: 100, PeakMiB: 11}, {Work: work.Create, Who: peer, N: 10_000, MS: 300, PeakMiB: 20},
	})
	wantLines(t, out.String(), `1000 .* no-op ms +fluxcd/pkg/ssa@4 +10\.0 +499\.0 +49\.90 +>= 50\.00  NOT met\n`,
		`1000 .* no-op ms +bare-list .* 2\.00 +<= 3\.00  met\n`, `1000 .* prune ms +bare +not measured\n`,
		`10000 .* create ms +fluxcd/pkg/ssa@4 .* 3\.00 +>= 3\.00  met\n`, `10000 .* create peak MiB .* 0\.55 +<= 0\.50  NOT met\n`)
	if regexp.MustCompile(`1000 .* peak`).MatchString(strings.ReplaceAll(out.String(), "10000", "")) {
		t.Errorf("memory has a bar at 1,000 objects:\n%s", out.String())
	}
}

// wantLines looks for the expressions in what was printed.
func wantLines(t *testing.T, text string, expressions ...string) {
	t.Helper()
	for _, want := range expressions {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
}

func TestScalesAreEachNumberWithEachSize(t *testing.T) {
	got, err := readScales("100,1000", "0,20000", "5,1")
	if want := []scale{{100, 0, 5}, {1000, 0, 1}, {100, 20000, 5}, {1000, 20000, 1}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestProxyTellsVerbsApart(t *testing.T) {
	for _, c := range []struct{ method, target, want string }{
		{"GET", "/api/v1/namespaces/ns/configmaps/x", "GET"},
		{"GET", "/apis/apps/v1/namespaces/ns/deployments", "LIST"},
		{"GET", "/apis/apps/v1/deployments?labelSelector=a", "LIST"},
		{"GET", "/api/v1/namespaces", "LIST"},
		{"GET", "/api/v1/namespaces/ns", "GET"},
		{"GET", "/api/v1/pods?watch=true", "WATCH"},
		{"GET", "/apis/apps/v1", "GET"},
		{"GET", "/api", "GET"},
		{"PATCH", "/api/v1/namespaces/ns/configmaps/x?dryRun=All", "dry-run"},
		{"DELETE", "/api/v1/namespaces/ns/configmaps/x", "DELETE"},
	} {
		if got := verbOf(httptest.NewRequest(c.method, c.target, nil)); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.method, c.target, got, c.want)
		}
	}
}

func TestCommandLineRefusesWhatItCannotDo(t *testing.T) {
	for _, args := range [][]string{{}, {"nothing"}, {"apply", "-n", "1"}, {"apply", "-n", "100,"}, {"apply", "-runs", "0"},
		{"apply", "-runs", "1,2"}, {"apply", "-size", "-1"},
		{"apply", "-who", "("}, {"apply", "-who", "nobody"}, {"apply", "more"}, {"apply", "-work", "."},
		{"git", "-who", "nobody"}, {"git", "-work", "("}, {"git", "-size", "1"}, {"git", "-n", "1"},
		{"artifact", "-who", "nobody"}, {"artifact", "-work", "("}, {"artifact", "-size", "1"}, {"artifact", "-dir", "/nowhere/at/all"},
		{"kustomize", "-size", "1"}, {"kustomize", "-n", "1"}, {"kustomize", "-who", "nobody"}, {"kustomize", "-work", "("}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

// TestEveryContenderDoesTheWork looks at the server after each work of each contender in each round.
func TestEveryContenderDoesTheWork(t *testing.T) {
	const n = 20
	o := options{scales: []scale{{n: n, runs: 1}}, who: regexp.MustCompile("."), kubectl: "kubectl", log: t.Output(),
		print: func([]row) error { return nil }}
	versions := make(map[string]map[string]string) // of a namespace's objects after the work before
	o.after = func(j work.Job) error {
		now := versionsOf(t, j)
		checkObjects(t, j, versions[j.Namespace], now)
		versions[j.Namespace] = now
		return nil
	}
	rows, err := runApply(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	whos := o.contenders()
	if want := len(whos)*len(work.All) - len(whos[len(whos)-1].silent); len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for _, r := range rows {
		if r.MS <= 0 || r.MinMS > r.MS || r.Requests < 5 || r.Sent+r.Received <= 0 || r.Runs != 1 || r.N != n {
			t.Errorf("a row says %+v", r)
		}
		want := map[[2]string]string{ // what the hot paths' budgets say, and that the limits do what they are to do
			{ourselves, work.NoOp}:     "1 GET, 5 LIST",
			{"bare", work.Create}:      "20 PATCH",
			{"bare", work.Prune}:       "19 DELETE",
			{"bare-list", work.NoOp}:   "5 LIST",
			{"cli-utils", work.Create}: "20 PATCH",
		}[[2]string{r.Who, r.Work}]
		if !strings.Contains(verbs(r.Verbs), want) {
			t.Errorf("%s by %s took %s, want %s", r.Work, r.Who, verbs(r.Verbs), want)
		}
	}
}

// versionsOf returns the resource versions of the objects in the job's namespace by path.
func versionsOf(t *testing.T, j work.Job) map[string]string {
	t.Helper()
	a, err := work.NewAPI(j.Config())
	if err != nil {
		t.Fatal(err)
	}
	versions := make(map[string]string)
	for _, k := range work.Kinds {
		path := k.Path(j.Namespace)
		body, err := a.Do(t.Context(), http.MethodGet, path, work.Call{Accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"})
		if err != nil {
			t.Fatal(err)
		}
		var list struct {
			Items []struct {
				Metadata struct {
					Name, ResourceVersion string
					Labels                map[string]string
				}
			}
		}
		if err := json.Unmarshal(body, &list); err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			if o.Metadata.Labels[work.Label] == work.LabelValue { // not gitopskit's inventory
				versions[path+"/"+o.Metadata.Name] = o.Metadata.ResourceVersion
			}
		}
	}
	return versions
}

// checkObjects compares what is there now with what was there before the work.
func checkObjects(t *testing.T, j work.Job, before, now map[string]string) {
	t.Helper()
	want := j.Desired()
	if len(now) != want {
		t.Errorf("%s by %s left %d objects and not %d", j.Work, j.Who, len(now), want)
	}
	changed := 0
	for path, version := range now {
		if before[path] != version {
			changed++
		}
	}
	want = map[string]int{work.Create: j.N, work.OneChanged: 1}[j.Work]
	if changed != want {
		t.Errorf("%s by %s made or changed %d objects and not %d", j.Work, j.Who, changed, want)
	}
	if first := work.PathOf(0, j.Namespace); j.Work == work.OneChanged && now[first] == before[first] {
		t.Errorf("%s by %s did not change %s", j.Work, j.Who, first)
	}
}
