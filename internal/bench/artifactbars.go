package main

import (
	"io"
)

const (
	peerTar       = "fluxcd/pkg/tar"
	peerTarDigest = "fluxcd/pkg/tar+sha256"
	tarGzip       = "tar+gzip"
	tarPigz       = "tar+pigz"
	tarZstd       = "tar+zstd"
)

// ofGzip are the works of who knows nothing else.
var ofGzip = []string{packGzip, unpackGzip, unpackFlux, openOne}

var artifactContenders = []contender{
	{name: ourselves, engine: "archive/gitopskit", only: append([]string{packZstd, unpackZstd}, ofGzip...)},
	{name: peerTar, engine: "archive/flux", only: ofGzip},
	{name: peerTarDigest, engine: "archive/flux", only: []string{packGzip, unpackGzip, unpackFlux}},
	{name: tarGzip, engine: "archive/programs", only: ofGzip},
	{name: tarPigz, engine: "archive/programs", only: ofGzip},
	{name: tarZstd, engine: "archive/programs", only: []string{packZstd, unpackZstd}},
}

var artifactArea = area{
	name: "artifact", summary: "archives of manifests, of small files and of large ones: pack, unpack, open and read one file",
	flags: artifactFlags, run: runArtifact, table: printArchives, decimals: 1, contenders: artifactContenders, n: "50000",
	notes: "What was packed, and what was unpacked, is the tree. Peak memory is the whole process's during the work; of\n" +
		"these were there before it. That of tar and its compressor is the sum of both, each with no less than the process\n" +
		"that started it. Only gitopskit and fluxcd/pkg/tar+sha256 know or verify a digest. x is the ratio of the medians.\n",
	growth: []cost{{what: "ms", figure: milliseconds, decimals: 1}, {what: "MiB", figure: mebibytes, decimals: 1}},
	bars:   artifactBars(),
}

// artifactBars are, for each tree, beside Flux's package, beside the fastest program of the format, and our own peak.
func artifactBars() []bar {
	var bars []bar
	for _, t := range artifactTrees(1) {
		flux := func(work, what, beside string, figure func(row) float64, least, most float64) {
			b := bar{what: familyOf(work, t.name) + " " + what, work: familyOf(work, t.name), than: []string{peerTar},
				figure: figure, least: least, most: most}
			if beside != "" {
				b.beside = familyOf(beside, t.name)
			}
			bars = append(bars, b)
		}
		flux(packGzip, "ms", "", milliseconds, 2.5, 0)
		flux(packGzip, "KiB", "", kibibytesPacked, 0, 1.05)
		flux(packZstd, "ms", packGzip, milliseconds, 6, 0)
		flux(unpackGzip, "ms", "", milliseconds, 1.5, 0)
		flux(unpackFlux, "ms", "", milliseconds, 1.5, 0)
		for _, w := range artifactWorks {
			family := familyOf(w.name, t.name)
			programs := []string{tarGzip, tarPigz}
			if w.name == packZstd || w.name == unpackZstd {
				programs = []string{tarZstd}
			}
			bars = append(bars, bar{what: family + " ms", work: family, than: programs, figure: milliseconds, most: 1.2})
			if w.name != openOne { // it has the content in memory
				bars = append(bars, bar{what: family + " peak MiB", work: family, figure: mebibytes, most: 64})
			}
		}
	}
	return bars
}

func kibibytesPacked(r row) float64 { return float64(r.Bytes) / 1024 }

// printArchives prints the rows of the area artifact at one scale for people.
func printArchives(w io.Writer, rows []row) {
	columns := append([]column{objectsAs("files")}, times()...)
	columns = append(append(columns, decimal("packed KiB", kibibytesPacked)), memory()...)
	printParagraphs(w, rows, artifactContenders, columns...)
}
