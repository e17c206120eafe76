package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/bench/archive"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// smallArtifacts are options for a run that takes seconds.
func smallArtifacts(t *testing.T, n int) options {
	t.Helper()
	o := options{scales: []scale{{n: n, runs: 1}}, who: regexp.MustCompile("."), works: ".", log: t.Output(), dir: t.TempDir(),
		print: func([]row) error { return nil }}
	for what, name := range o.tools.all() {
		*name = what
	}
	return o
}

// TestEveryContenderPacksAndUnpacksTheSame relies on the area to compare each archive and each folder with the tree; see
// TestArchiveOfAnotherTreeIsFoundOut.
func TestEveryContenderPacksAndUnpacksTheSame(t *testing.T) {
	const n = 200
	var out bytes.Buffer
	o := smallArtifacts(t, n)
	o.tools.pigz = filepath.Join(t.TempDir(), "pigz") // one that is not installed
	o.print = func(rows []row) error { printArchives(&out, rows); return nil }
	rows, err := runArtifact(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	gone := map[string]bool{tarPigz: true}
	for _, who := range []string{tarGzip, tarZstd} {
		for _, program := range []string{"tar", strings.TrimPrefix(who, "tar+")} {
			if _, err := exec.LookPath(program); err != nil {
				gone[who] = true
			}
		}
	}
	files := map[string]int{"manifests": n / 10, "small files": n, "large files": 1}
	works := 0
	for _, c := range artifactContenders {
		works += len(c.only)
	}
	if len(rows) != len(files)*works {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		_, tree, _ := strings.Cut(r.kind, ", ")
		switch {
		case gone[r.Who] != (r.Missing == notInstalled):
			t.Errorf("%s by %s: missing %q", r.Work, r.Who, r.Missing)
		case gone[r.Who]:
		case r.MS <= 0 || r.MinMS > r.MS || r.Runs != 1 || r.N != n || r.Objects != files[tree] || r.Bytes < int64(r.Objects)*20:
			t.Errorf("a row says %+v, and there are %d files", r, files[tree])
		}
	}
	artifactArea.printBars(&out, rows)
	wantLines(t, out.String(), `pack gzip, 200 small files +gitopskit +200 +\d`,
		`unpack gzip of Flux, 20 manifests +fluxcd/pkg/tar\+sha256 +20 +\d`,
		`open one, 1 large files +tar\+pigz +1 +not installed\n`,
		`pack gzip, large files ms +tar\+gzip +\d`, `\n +200  pack zstd, large files ms +fluxcd/pkg/tar +\d`,
		`unpack zstd, manifests peak MiB +- +\d.* <= 64\.00 `)
	if left, err := os.ReadDir(o.dir); err != nil || len(left) > 0 {
		t.Errorf("%d things are left, %v", len(left), err)
	}
}

func TestArchiveOfAnotherTreeIsFoundOut(t *testing.T) {
	small := artifactTree{"few", 40, 100}
	tree, err := small.writeTo(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if tree.content.Files != 40 || !strings.HasPrefix(tree.content.Digest, "93a661c6") { // it is the same on every machine
		t.Errorf("the tree is %+v", tree.content)
	}
	other, err := small.writeTo(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(other.tree(), filepath.FromSlash(small.fileName(19)))
	for what, change := range map[string]func() error{
		"mode":    func() error { return os.Chmod(script, 0o644) },
		"content": func() error { return os.WriteFile(script, []byte("other"), 0o755) },
		"less":    func() error { return os.Remove(script) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		for _, format := range []string{archive.Gzip, archive.Zstd} {
			path := filepath.Join(other.folder, what+format)
			if err := other.make(t.Context(), path, byPack, format); err != nil {
				t.Fatal(err)
			}
			if _, _, err := tree.check(path, format); err == nil || !strings.Contains(err.Error(), "are not the 40 of the tree") {
				t.Errorf("another %s in %s: %v", what, format, err)
			}
		}
		if err := os.WriteFile(script, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, by := range []string{byPack, byFlux} {
		a, err := tree.archive(t.Context(), by, archive.Gzip)
		if err != nil || a.size < 1000 || len(a.digest) != len("sha256:")+64 {
			t.Errorf("%s: %+v, %v", by, a, err)
		}
	}
}

// A program that does less than its work is found out.
func TestWhatIsNotUnpackedEndsTheRun(t *testing.T) {
	idle := filepath.Join(t.TempDir(), "idle")
	if err := os.WriteFile(idle, []byte("#!/bin/sh\ncat >/dev/null\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for works, want := range map[string]string{
		"unpack gzip, .*manifests": `by tar\+gzip: 0 files unpacked are not the 4 of the tree`,
		"open one, .*manifests":    `by tar\+gzip: what was read of apps/.*yaml is not what is in it`,
	} {
		o := smallArtifacts(t, 40)
		o.log, o.works, o.who, o.tools.tar, o.tools.gzip = io.Discard, works, regexp.MustCompile(`tar\+gzip`), idle, "true"
		_, err := runArtifact(t.Context(), o)
		if err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%s: got %v", works, err)
		}
	}
}

func TestBarsOfArchives(t *testing.T) {
	made := func(work, who string, ms, mib float64, size int64) row {
		r := row{Work: work, kind: familyOf(work, "manifests"), Who: who, N: 50_000, Bytes: size}
		r.summarize([]measure.Sample{{MS: ms, PeakMiB: mib}})
		return r
	}
	var out bytes.Buffer
	artifactArea.printBars(&out, []row{
		made(packGzip, ourselves, 100, 64.1, 106<<10), made(packGzip, peerTar, 250, 9, 100<<10),
		made(packGzip, tarGzip, 300, 9, 1), made(packGzip, tarPigz, 80, 9, 1),
		made(packZstd, ourselves, 42, 20, 1), made(unpackGzip, ourselves, 10, 64, 1),
		made(unpackGzip, peerTar, 14, 9, 1), made(unpackFlux, ourselves, 10, 64, 1), made(unpackFlux, peerTar, 15, 9, 1),
		{Work: packZstd, kind: familyOf(packZstd, "manifests"), Who: tarZstd, N: 50_000, Missing: notInstalled},
	})
	wantLines(t, out.String(),
		`pack gzip, manifests ms +fluxcd/pkg/tar +100\.0 +250\.0 +2\.50 +>= 2\.50  met\n`,
		`pack gzip, manifests KiB +fluxcd/pkg/tar +106\.0 +100\.0 +1\.06 +<= 1\.05  NOT met\n`,
		`pack gzip, manifests ms +tar\+pigz .* 1\.25 +<= 1\.20  NOT met\n`,
		`pack gzip, manifests peak MiB +- +64\.1 .* NOT met\n`,
		`pack zstd, manifests ms +fluxcd/pkg/tar +42\.0 +250\.0 +5\.95 +>= 6\.00  NOT met\n`,
		`pack zstd, manifests ms +tar\+zstd +not measured\n`,
		`unpack gzip, manifests ms +fluxcd/pkg/tar .* 1\.40 +>= 1\.50  NOT met\n`,
		`unpack gzip of Flux, manifests ms +fluxcd/pkg/tar .* 1\.50 +>= 1\.50  met\n`,
		`unpack gzip, manifests peak MiB +- +64\.0 .* met\n`, `open one, manifests ms +tar\+gzip +not measured\n`)
	if strings.Contains(out.String(), "open one, manifests peak") {
		t.Errorf("memory has a bar where the content is in it:\n%s", out.String())
	}
}
