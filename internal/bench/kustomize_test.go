package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/bench/build"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// smallCorpus has the folders of the corpus, with the few manifests that tell whether they are built as they should be.
func smallCorpus(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := write(folder, map[string]string{
		"podinfo/kustomize/kustomization.yaml":             header + "- app.yaml\n",
		"podinfo/kustomize/app.yaml":                       deploymentOf(1, "", "a", "b"),
		"kube-prometheus/manifests/app.yaml":               deploymentOf(1, "", "a", "b"),
		"kube-prometheus/manifests/setup/several.yaml":     deploymentOf(2, "", "a", "b") + "---\n" + deploymentOf(3, "", "a", "b"),
		"kube-prometheus/manifests/setup/no-manifest.json": "{}",
	}); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestEveryContenderBuildsTheSame relies on the area to compare the objects; see TestDifferentObjectsAreRefused.
func TestEveryContenderBuildsTheSame(t *testing.T) {
	const n = 3
	var out, log bytes.Buffer
	o := options{scales: []scale{{n: n, runs: 1}}, who: regexp.MustCompile("."), works: ".", corpus: smallCorpus(t), log: &log,
		print: func(rows []row) error { printBuilds(&out, rows); return nil }}
	rows, err := runKustomize(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	want := map[string]int{oneObject: 1, podinfo: 1, prometheus: 3, unchangedPodinfo: 1}
	for _, w := range kustomizeWorks {
		for _, c := range kustomizeContenders {
			able := !slices.Contains(c.without, w.family) && (len(c.only) == 0 || slices.Contains(c.only, w.family))
			i := slices.IndexFunc(rows, func(r row) bool { return r.Work == w.name(n) && r.Who == c.name })
			if able != (i >= 0) {
				t.Errorf("%s by %s: able %t, done %t", w.name(n), c.name, able, i >= 0)
			}
			if i < 0 {
				continue
			}
			r := rows[i]
			objects := n
			if w.fixed {
				objects = want[w.family]
			}
			if r.MS <= 0 || r.MinMS > r.MS || r.Runs != 1 || r.N != objects || r.Objects != objects || (r.AloneMS > 0) != w.twice {
				t.Errorf("a row says %+v, and there are %d objects", r, objects)
			}
		}
	}
	kustomizeArea.printBars(&out, rows)
	wantLines(t, out.String(), `3 plain +krusty memory +3 `, `two at once +gitopskit .* one alone .* speed-up`,
		`1  one object ms +- +\d`, `3  kube-prometheus ms +krusty (disk|memory) +\d`, `3  n overlay ms +krusty`)
	wantLines(t, log.String(), `leaving out 3 substitution by krusty disk`)
}

func TestWorksOfTheCorpusAreLeftOutWithoutIt(t *testing.T) {
	var log bytes.Buffer
	o := options{scales: []scale{{n: 2, runs: 1}}, who: regexp.MustCompile("^gitopskit$"), log: &log,
		works: "^podinfo$|^one object$", print: func([]row) error { return nil }}
	rows, err := runKustomize(t.Context(), o)
	if err != nil || len(rows) != 1 || rows[0].Work != oneObject {
		t.Errorf("got %+v, %v", rows, err)
	}
	wantLines(t, log.String(), `leaving out podinfo: there is no corpus`)
}

func TestDifferentObjectsAreRefused(t *testing.T) {
	want := build.Sample{Objects: 2, Digest: "a"}
	if err := sameObjects(ourselves, want, peerBuild, []build.Sample{want, want}); err != nil {
		t.Error(err)
	}
	for _, other := range []build.Sample{{Objects: 1, Digest: "a"}, {Objects: 2, Digest: "b"}} {
		if err := sameObjects(ourselves, want, peerBuild, []build.Sample{want, other}); err == nil {
			t.Errorf("%+v is taken for %+v", other, want)
		}
	}
}

func TestWorksAreNamedByTheirNumber(t *testing.T) {
	var names []string
	for _, w := range kustomizeWorks {
		names = append(names, w.name(1000))
		r := w.row(ourselves, 1000, []build.Sample{{Sample: measure.Sample{MS: 1}, Objects: 1000}})
		if r.family() != w.family {
			t.Errorf("%s is of the family %s and not %s", r.Work, r.family(), w.family)
		}
	}
	want := "one object,podinfo,kube-prometheus,unchanged podinfo,1000 plain,1000 overlay,1000 substitution,two at once," +
		"unchanged 1000"
	if got := strings.Join(names, ","); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBarsOfBuilds(t *testing.T) {
	made := func(family, who string, n int, ms, mib, alone float64) row {
		w := kustomizeWorks[slices.IndexFunc(kustomizeWorks, func(w kustomizeWork) bool { return w.family == family })]
		return w.row(who, n, []build.Sample{{Sample: measure.Sample{MS: ms, PeakMiB: mib}, AloneMS: alone, Objects: max(n, 1)}})
	}
	var out bytes.Buffer
	kustomizeArea.printBars(&out, []row{
		made(oneObject, ourselves, 1, 1.5, 9, 0), made(oneObject, peerBuild, 1, 60, 9, 0),
		made(oneObject, krusties[0], 1, 1.4, 9, 0), made(oneObject, krusties[1], 1, 1.6, 9, 0),
		made(plainN, ourselves, 100, 3, 9, 0), made(plainN, krusties[1], 100, 4, 9, 0),
		made(substitutedN, ourselves, 100, 3, 9, 0), made(substitutedN, peerBuild, 100, 4, 9, 0),
		made(substitutedN, ourselves, 1000, 20, 40, 0), made(substitutedN, peerBuild, 1000, 62, 60, 0),
		made(twoAtOnce, ourselves, 1000, 100, 9, 90),
		made(unchangedN, ourselves, 1000, 5.5, 9, 0), made(unchangedN, ourselves, 5000, 9, 9, 0),
	})
	wantLines(t, out.String(),
		`1  one object ms +- +1\.5000 +- +- +<= 1\.00  NOT met\n`,
		`1  one object ms +fluxcd/pkg/kustomize +1\.5000 +60\.0000 +40\.00 +>= 30\.00  met\n`,
		`1  one object ms +krusty disk +1\.5000 +1\.4000 +1\.07 +<= 1\.00  NOT met\n`,
		`0  podinfo ms +krusty disk +not measured\n`,
		`100  n plain ms +krusty memory .* 0\.75 +<= 1\.00  met\n`,
		`1000  n substitution ms +fluxcd/pkg/kustomize .* 3\.10 +>= 3\.00  met\n`,
		`1000  n substitution peak MiB +fluxcd/pkg/kustomize .* 0\.67 +<= 0\.50  NOT met\n`,
		`1000  two at once speed-up +- +1\.8000 +- +- +>= 1\.70  met\n`,
		`1000  unchanged n ms +- +5\.5000 .* NOT met\n`)
	for _, never := range []string{`5000  unchanged`, ` 100  n substitution`, `1000  one object`} {
		if regexp.MustCompile(never).MatchString(out.String()) {
			t.Errorf("there is %s in\n%s", never, &out)
		}
	}
}

func TestGrowthOfBuildsIsForEachObject(t *testing.T) {
	var rows []row
	for _, n := range []int{10, 100} {
		rows = append(rows, row{Work: fmt.Sprintf("%d plain", n), Who: ourselves, N: n, MS: float64(n) * float64(n) / 100})
	}
	rows = append(rows, row{Work: podinfo, Who: ourselves, N: 3, MS: 1, fixed: true})
	var out bytes.Buffer
	kustomizeArea.printGrowth(&out, rows)
	wantLines(t, out.String(), `growth; x is`, `n plain +gitopskit +0\.1000 +1\.0000 x10\.0 +0\.0 +0\.0\n`)
	if strings.Contains(out.String(), podinfo) {
		t.Errorf("what is the same for each n has a growth:\n%s", &out)
	}
}

func TestListKeepsAKustomization(t *testing.T) {
	folder := t.TempDir()
	if err := write(folder, map[string]string{"b/two.yml": "", "one.yaml": "", "three.json": ""}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it has one
		if err := list(folder); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
		if want := header + "- b/two.yml\n- one.yaml\n"; err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}
