package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/bench/fleet"
)

// TestFleetDoesEachWorkAtItsCost relies on the area to look at the server after each step.
func TestFleetDoesEachWorkAtItsCost(t *testing.T) {
	const n = 10
	var out, log bytes.Buffer
	o := options{scales: []scale{{n: n, runs: 1}}, who: regexp.MustCompile("."), works: ".", log: &log,
		interval: 2 * time.Second, idle: 5 * time.Second, svg: filepath.Join(t.TempDir(), "curve.svg"),
		print: func(rows []row) error { printFleets(&out, rows); return nil }}
	rows, err := runReconcile(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	of := func(work, who string) row {
		i := slices.IndexFunc(rows, func(r row) bool { return r.Work == work && r.Who == who })
		if i < 0 {
			t.Fatalf("%s by %s was not done:\n%s", work, who, &out)
		}
		return rows[i]
	}
	type cost struct {
		builds, applies     int
		patches, posts, put int64
	}
	for work, want := range map[string]cost{
		fleet.First:      {n, n, 4 * n, n, n},
		fleet.OneTouched: {1, 1, 1, 0, 2},
		fleet.NoTouched:  {},
		fleet.Idle:       {},
		fleet.Drift:      {0, 1, 1, 0, 1},
		fleet.SourceDown: {},
		fleet.DriftDown:  {0, 1, 1, 0, 1},
		fleet.SourceBack: {1, 1, 1, 0, 2},
	} {
		r := of(work, ourselves)
		if got := (cost{r.Builds, r.Applies, r.Verbs["PATCH"], r.Verbs["POST"], r.Verbs["PUT"]}); got != want {
			t.Errorf("%s cost %+v, and should cost %+v", work, got, want)
		}
		if work != fleet.First && r.Requests != want.patches+want.posts+want.put {
			t.Errorf("%s sent other requests, too: %v", work, r.Verbs)
		}
		if r.MS <= 0 || r.PeakMiB < r.ReadyMiB || r.Runs != 1 || r.N != n || r.Objects != 4*n {
			t.Errorf("a row says %+v", r)
		}
	}
	for _, work := range []string{fleet.First, fleet.OneTouched, fleet.NoTouched, fleet.Idle, fleet.SourceBack} {
		if r := of(work, ourselves); r.Fetches < 1 || r.SourceRequests < 1 || r.SourceBytes < 500 {
			t.Errorf("%s says it had %d fetches, %d requests and %d bytes of the source", work, r.Fetches, r.SourceRequests, r.SourceBytes)
		}
	}
	if r := of(fleet.First, limit); r.Verbs["PATCH"] != 4*n || r.Requests != 4*n || r.SourceRequests == 0 {
		t.Errorf("the bare loop sent %v", r.Verbs)
	}
	if _, err := os.Stat(o.svg); err != nil {
		t.Error(err)
	}
	reconcileArea.printBars(&out, rows)
	wantLines(t, out.String(), `one touched builds +- +1\.0 .* met\n`, `idle requests +- +0\.0 .*<= 0\.00  met\n`, `first ms +bare +\d`)
}

func TestFleetStepThatIsNotAsItShouldBeEndsTheRun(t *testing.T) {
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the Deployment is another", http.StatusInternalServerError)
	}))
	t.Cleanup(control.Close)
	steps := fleet.Steps{Job: fleet.Job{Control: control.URL}}
	err := steps.Take(t.Context(), fleet.Course{Work: fleet.Drift})
	if err == nil || !strings.Contains(err.Error(), "drift: ") || !strings.Contains(err.Error(), "the Deployment is another") {
		t.Errorf("the error is %v", err)
	}
}

func TestWireIsCutAndMended(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	t.Cleanup(server.Close)
	w, err := newWire(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	ask := func() error {
		answer, err := server.Client().Get(w.URL)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return errors.Join(err, answer.Body.Close())
	}
	for _, away := range []bool{false, true, false} {
		w.cut(away)
		if err := ask(); (err != nil) != away {
			t.Errorf("cut %t: the error is %v", away, err)
		}
	}
}

func TestBarsOfFleets(t *testing.T) {
	var out bytes.Buffer
	rows := []row{
		{Work: fleet.First, Who: ourselves, N: 1000, MS: 16, PeakMiB: 149}, {Work: fleet.First, Who: limit, N: 1000, MS: 10},
		{Work: fleet.OneTouched, Who: ourselves, N: 1000, MS: 1001, Fetches: 1, Builds: 2, Applies: 1},
		{Work: fleet.NoTouched, Who: ourselves, N: 1000, Requests: 1},
		{Work: fleet.Idle, Who: ourselves, N: 1000, MS: 60_000, IntervalMS: 20_000, SourceRequests: 3},
		{Work: fleet.First, Who: ourselves, N: 5000, MS: 16, PeakMiB: 700},
	}
	reconcileArea.printBars(&out, rows)
	wantLines(t, out.String(), `1000 +first ms +bare .* 1\.60 .* NOT met\n`, `1000 +first peak MiB .* met\n`, `touched fetches .*  met\n`,
		`one touched builds .* NOT met\n`, `one touched ms .* NOT met\n`, `none touched builds .* 0\.0 .*  met\n`,
		`none touched requests .* 1\.0 .* NOT met\n`, `idle requests of source, each interval +- +1\.0 .*  met\n`)
	if strings.Contains(out.String(), "700") {
		t.Errorf("the memory of 5,000 loops has a bar:\n%s", &out)
	}
}

func TestCurveHasEachPointAndItsUnits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "curve.svg")
	var rows []row
	for i, n := range []int{100, 1000, 5000} {
		rows = append(rows, row{Work: fleet.First, Who: ourselves, N: n, MS: float64(n) * 3, PeakMiB: float64(40 + i)},
			row{Work: fleet.First, Who: limit, N: n, MS: float64(n) * 2}, row{Work: fleet.Drift, Who: ourselves, N: n, PeakMiB: float64(60 + i)})
	}
	if err := writeCurve(file, rows); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	circles := 0
	for d := xml.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 3+3+1+3+1 {
		t.Errorf("there are %d points", circles)
	}
	wantLines(t, string(body), `gitopskit, 1000 loops: 3 s<`, `PATCH loop \+ fetch, 5000 loops: 10 s<`, `gitopskit, 5000 loops: 62 MiB<`,
		`>seconds<`, `>MiB<`, `>1,000<`, `prefers-color-scheme: dark`, `Flux, as published \(16 cores\), 1000 loops: 253 s<`)
}

func TestAxisTicksAreRoundAndFew(t *testing.T) {
	if got := (axis{from: 80, to: 6000}).ticks(); !slices.Equal(got, []float64{100, 200, 500, 1000, 2000, 5000}) {
		t.Errorf("got %v", got)
	}
	if got := (axis{from: 0.2, to: 300}).ticks(); !slices.Equal(got, []float64{1, 10, 100}) {
		t.Errorf("got %v", got)
	}
	if a := (axis{from: 1, to: 100, start: 0, end: 50}); a.at(10) != 25 {
		t.Errorf("the middle is at %v", a.at(10))
	}
}
