package main

import (
	"bytes"
	"crypto/sha256"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
	"github.com/gitopskit/gitopskit/internal/bench/objects"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

// TestEveryContenderGetsTheSameObjects relies on the area to compare the files; see TestContentOfSumsIsThatOfFiles. The AWS
// CLI takes a second for each of its many processes, so it is one that is not installed here.
func TestEveryContenderGetsTheSameObjects(t *testing.T) {
	const n = 100
	var out, log bytes.Buffer
	o := options{scales: []scale{{n: n, runs: 1}}, who: regexp.MustCompile("."), works: ".", log: &log,
		rclone: "rclone", aws: filepath.Join(t.TempDir(), "aws"),
		print: func(rows []row) error { printObjects(&out, rows); return nil }}
	rows, err := runBucket(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	_, err = exec.LookPath("rclone")
	gone := map[string]bool{awsCLI: true, rclone: err != nil}
	list := map[string]int64{"LIST": 1}
	want := map[string]map[string]int64{ // requests
		firstFew: {"LIST": 1, "GET": n / 10}, firstLarge: {"LIST": 1, "GET": n / 100}, firstAll: {"LIST": 1, "GET": n},
		objects.Unchanged: list, objects.OneChanged: {"LIST": 1, "GET": 1},
	}
	if len(rows) != len(want)*len(bucketContenders) {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		switch {
		case gone[r.Who] != (r.Missing == notInstalled):
			t.Errorf("%s by %s: missing %q", r.Work, r.Who, r.Missing)
		case gone[r.Who]:
		case !maps.Equal(r.Verbs, want[r.kind]) || r.MS <= 0 || r.MinMS > r.MS || r.Runs != 1:
			t.Errorf("a row says %+v, and the requests are to be %v", r, want[r.kind])
		case r.kind == firstLarge && r.Received < n/100*largeObject, r.kind == firstAll && r.Received < n*smallObject,
			r.kind == objects.OneChanged && (r.Received < smallObject || r.Received > n*smallObject/2):
			t.Errorf("%s by %s received %d bytes", r.Work, r.Who, r.Received)
		}
	}
	bucketArea.printBars(&out, rows)
	wantLines(t, out.String(), `first 10 +gitopskit +10 .* 11: 10 GET, 1 LIST\n`, `first 100 +aws +100 not installed\n`,
		`unchanged +bare +100 .* 1: 1 LIST\n`, `unchanged ms +aws +not measured\n`)
}

func TestBarsOfObjects(t *testing.T) {
	made := func(kind, who string, ms float64) row {
		r := row{Work: kind, kind: kind, Who: who, N: 10_000}
		r.summarize([]measure.Sample{{MS: ms}})
		return r
	}
	var out bytes.Buffer
	bucketArea.printBars(&out, []row{
		made(firstAll, ourselves, 1160), made(firstAll, bareLoop, 1000), made(firstAll, rclone, 3500),
		made(objects.Unchanged, ourselves, 110), made(objects.Unchanged, bareLoop, 100), made(objects.Unchanged, awsCLI, 329),
		made(objects.OneChanged, ourselves, 58),
		{Work: objects.OneChanged, kind: objects.OneChanged, Who: rclone, N: 10_000, Missing: notInstalled},
	})
	wantLines(t, out.String(), `first n ms +bare +1160\.0 +1000\.0 +1\.16 +<= 1\.15  NOT met\n`,
		`first n ms +rclone .* 3\.02 +>= 3\.00  met\n`, `unchanged ms +bare .* 1\.10 +<= 1\.10  met\n`,
		`unchanged ms +aws .* 2\.99 +>= 3\.00  NOT met\n`,
		`one changed, first n ms +gitopskit +58\.0 +1160\.0 +20\.00 +>= 20\.00  met\n`,
		`one changed ms +rclone +not measured\n`, `first large ms +bare +not measured\n`)
}

func TestContentOfSumsIsThatOfFiles(t *testing.T) {
	files, sums := fstest.MapFS{}, map[string][sha256.Size]byte{}
	for name, body := range map[string]string{"a/b": "1", "a/c d": "", "e": "2"} {
		files[name] = &fstest.MapFile{Data: []byte(body), Mode: 0o644}
		sums[name] = sha256.Sum256([]byte(body))
	}
	got, err := fetch.Read(files, "")
	if err != nil || got != fetch.Of(sums) || got.Files != 3 {
		t.Errorf("got %+v, %v, want %+v", got, err, fetch.Of(sums))
	}
	sums["e"] = sha256.Sum256([]byte("3"))
	if got == fetch.Of(sums) {
		t.Error("another file has the same content")
	}
}

func TestChangedObjectHasAnotherSizeEachTime(t *testing.T) {
	b := testbed.S3(t)
	f, err := fill(t.Context(), b.S3Server, stock{name: testbed.UniqueName("stock"), count: 3, size: 10})
	if err != nil {
		t.Fatal(err)
	}
	was := fetch.Of(f.sums)
	for i := range 2 {
		if err := f.change(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := fetch.Of(f.sums)
		if body := f.body(1, i+1); len(body) != 11+i || sha256.Sum256(body) != f.sums[f.key(1)] {
			t.Errorf("after %d changes there are %d bytes", i+1, len(body))
		}
		if now == was || now.Files != 3 {
			t.Errorf("%+v after %+v", now, was)
		}
		was = now
	}
}

func TestStoreProxyTellsListingsFromObjects(t *testing.T) {
	var hosts []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.Host)
	}))
	t.Cleanup(server.Close)
	p, err := newStoreProxy(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	for _, request := range []string{"GET /b?list-type=2&prefix=", "GET /b/?delimiter=%2F", "GET /b?location",
		"GET /b/a/b?x-id=GetObject", "HEAD /b/a", "HEAD /b"} {
		method, uri, _ := bytes.Cut([]byte(request), []byte(" "))
		r, err := http.NewRequestWithContext(t.Context(), string(method), p.URL+string(uri), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	got, want := p.take(), map[string]int64{"LIST": 2, "GET ?location": 1, "GET": 1, "HEAD": 2}
	if got.requests != 6 || !maps.Equal(got.verbs, want) {
		t.Errorf("got %d requests, %v, want %v", got.requests, got.verbs, want)
	}
	if len(hosts) != 6 || hosts[0] != p.Listener.Addr().String() {
		t.Errorf("the server saw the hosts %q, of which the clients signed %s", hosts, p.Listener.Addr())
	}
	if again := p.take(); again.requests != 0 {
		t.Errorf("%d requests are counted twice", again.requests)
	}
}

// A program that does less than its work is found out.
func TestWhatIsNotFetchedEndsTheRun(t *testing.T) {
	idle := filepath.Join(t.TempDir(), "idle")
	if err := os.WriteFile(idle, []byte("#!/bin/sh\nmkdir -p \"$3\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	o := options{scales: []scale{{n: 20, runs: 1}}, who: regexp.MustCompile("rclone"), works: "first 2$", log: io.Discard,
		rclone: idle, aws: idle, print: func([]row) error { return nil }}
	_, err := runBucket(t.Context(), o)
	if err == nil || !regexp.MustCompile(`by rclone: 0 files are not the 2 objects`).MatchString(err.Error()) {
		t.Errorf("got %v", err)
	}
}
