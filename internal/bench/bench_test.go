package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestMain lets the test binary be the process that measures, as the program itself is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == measureCommand {
		os.Exit(measureMain(os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 100}, 3.5},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v: got %v, want %v", c.values, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestSummarizeTakesMedianLeastAndPeak(t *testing.T) {
	var r row
	r.summarize([]sample{{MS: 3.14159, PeakMiB: 20.06}, {MS: 1, PeakMiB: 30}, {MS: 9, PeakMiB: 10}})
	if want := (row{MS: 3.14, MinMS: 1, PeakMiB: 30, Runs: 3}); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestJSONLineHasAllFieldsInOrder(t *testing.T) {
	var out bytes.Buffer
	r := row{Area: "apply", Work: workNoOp, Who: ourselves, N: 5, MS: 1.5, MinMS: 1, Requests: 6, Bytes: 7, PeakMiB: 8.5, Runs: 3}
	if err := printJSON(&out, []row{r}); err != nil {
		t.Fatal(err)
	}
	want := `{"area":"apply","work":"no-op","who":"gitopskit","n":5,"ms":1.5,"min_ms":1,"requests":6,"bytes":7,"peak_mib":8.5,"runs":3}`
	if got := strings.TrimSpace(out.String()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTableShowsRatioToGitopskit(t *testing.T) {
	var out bytes.Buffer
	printTable(&out, options{n: 5, runs: 3}, []row{
		{Area: "apply", Work: workCreate, Who: ourselves, MS: 10, PeakMiB: 3}, {Area: "apply", Work: workCreate, Who: "bare", MS: 5},
		{Area: "apply", Work: workPrune, Who: "bare", MS: 5},
	})
	for _, want := range []string{`create +gitopskit .* 1\.00\n`, `create +bare .* - +0\.50\n`, `prune +bare .* -\n`} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("the table has no %s:\n%s", want, out.String())
		}
	}
}

func TestCommandLineRefusesWhatItCannotDo(t *testing.T) {
	for _, args := range [][]string{{}, {"nothing"}, {"apply", "-n", "1"}, {"apply", "-runs", "0"}, {"apply", "-size", "-1"},
		{"apply", "-who", "("}, {"apply", "-who", "nobody"}, {"apply", "more"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestObjectsAreTheSameEachTime(t *testing.T) {
	for i := range 2 * len(kinds) {
		a, b := object(i, 100, "ns", false), object(i, 100, "ns", false)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("object %d differs from itself", i)
		}
		if a.GetKind() != kinds[i%len(kinds)].name || a.GetName() != nameOf(i) || a.GetNamespace() != "ns" {
			t.Errorf("object %d is a %s %s/%s", i, a.GetKind(), a.GetNamespace(), a.GetName())
		}
		_ = a.DeepCopy() // panics where a value is not one of JSON's
	}
	if reflect.DeepEqual(object(0, 0, "ns", false), object(0, 0, "ns", true)) {
		t.Error("the object that changes does not")
	}
}

func TestObjectsGrowBySize(t *testing.T) {
	const size = 20_000
	for i := range kinds {
		small, err := object(i, 0, "ns", false).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		big, err := object(i, size, "ns", false).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if grown := len(big) - len(small); grown < size || grown > size*3/2 {
			t.Errorf("%s grew by %d bytes and not by about %d", kinds[i].name, grown, size)
		}
	}
}

// TestEveryContenderDoesTheWork looks at the server after each work of each contender in each round.
func TestEveryContenderDoesTheWork(t *testing.T) {
	const n = 20
	o := options{n: n, runs: 1, who: regexp.MustCompile("."), kubectl: "kubectl", log: t.Output()}
	versions := make(map[string]map[string]string) // of a namespace's objects after the work before
	o.after = func(j job) error {
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
	if want := len(whos)*len(applyWorks) - len(whos[len(whos)-1].silent); len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for _, r := range rows {
		if r.MS <= 0 || r.MinMS > r.MS || r.Requests < 5 || r.Bytes <= 0 || r.Runs != 1 || r.N != n {
			t.Errorf("a row says %+v", r)
		}
		// What the hot path's budget says: one GET and one LIST for each kind.
		if r.Who == ourselves && r.Work == workNoOp && r.Requests != int64(1+len(kinds)) {
			t.Errorf("nothing to do took gitopskit %d requests", r.Requests)
		}
		if r.Who == "bare" && r.Work == workCreate && r.Requests != n {
			t.Errorf("the bare loop took %d requests for %d objects", r.Requests, n)
		}
	}
}

// versionsOf returns the resource versions of the objects in the job's namespace by path.
func versionsOf(t *testing.T, j job) map[string]string {
	t.Helper()
	a, err := newAPI(j.config())
	if err != nil {
		t.Fatal(err)
	}
	versions := make(map[string]string)
	for _, k := range kinds {
		path := k.path + "/namespaces/" + j.Namespace + "/" + k.plural
		body, err := a.do(t.Context(), http.MethodGet, path, call{accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"})
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
			if o.Metadata.Labels[partOf] == partOfValue { // not gitopskit's inventory
				versions[path+"/"+o.Metadata.Name] = o.Metadata.ResourceVersion
			}
		}
	}
	return versions
}

// checkObjects compares what is there now with what was there before the work.
func checkObjects(t *testing.T, j job, before, now map[string]string) {
	t.Helper()
	want := j.desired()
	if len(now) != want {
		t.Errorf("%s by %s left %d objects and not %d", j.Work, j.Who, len(now), want)
	}
	changed := 0
	for path, version := range now {
		if before[path] != version {
			changed++
		}
	}
	want = map[string]int{workCreate: j.N, workOneChanged: 1}[j.Work]
	if changed != want {
		t.Errorf("%s by %s made or changed %d objects and not %d", j.Work, j.Who, changed, want)
	}
	if first := pathOf(0, j.Namespace); j.Work == workOneChanged && now[first] == before[first] {
		t.Errorf("%s by %s did not change %s", j.Work, j.Who, first)
	}
}
