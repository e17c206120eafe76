package artifact_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"testing/fstest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/internal/flock"
)

// killsOf is how many processes TestStoreSurvivesKills kills: ARTIFACT_TEST_KILLS
// asks for more than go test does.
func killsOf(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("ARTIFACT_TEST_KILLS")); err == nil {
		return n
	}
	return 30
}

// TestStoreSurvivesKills kills, at random moments, processes that put, tag,
// delete and collect in one store, and wants that all that is listed is whole,
// that tags name what is there, and that nothing stays under tmp.
func TestStoreSurvivesKills(t *testing.T) {
	if dir := os.Getenv("ARTIFACT_TEST_KILLED"); dir != "" {
		workForever(t, dir)
	}
	if !flock.Works {
		t.Skip("the system has no flock")
	}
	dir, n := t.TempDir(), killsOf(t)
	seen := struct{ listed, tagged, leftovers int }{}
	for killed := 0; killed < n; {
		var workers []*exec.Cmd
		for range 1 + rand.N(2) {
			workers = append(workers, startWorker(t, dir))
		}
		time.Sleep(rand.N(10 * time.Millisecond))
		for _, w := range workers {
			if err := w.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		for _, w := range workers {
			if err := w.Wait(); err == nil || err.Error() != "signal: killed" {
				t.Errorf("a worker ended by itself: %v", err)
			}
			killed++
		}
		left, _ := os.ReadDir(filepath.Join(dir, "tmp"))
		seen.leftovers += len(left)
		listed, tagged := checkStore(t, dir)
		seen.listed, seen.tagged = seen.listed+listed, seen.tagged+tagged
		if t.Failed() {
			t.Fatalf("after %d kills", killed)
		}
	}
	t.Logf("%d kills: %+v", n, seen)
	if seen.listed == 0 || seen.tagged == 0 || seen.leftovers == 0 {
		t.Errorf("saw %+v: something was never done, or never interrupted", seen)
	}
}

// startWorker returns once the process of its own has done something.
func startWorker(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStoreSurvivesKills$")
	cmd.Env = append(os.Environ(), "ARTIFACT_TEST_KILLED="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 1 + rand.N(6) {
		if !lines.Scan() || lines.Text() != "done" {
			t.Fatalf("ended before it was killed: %s, %v", lines.Text(), cmd.Wait())
		}
	}
	return cmd
}

// workForever prints a line for each thing that it did, and fails on all that is
// not for another worker's being quicker.
func workForever(t *testing.T, dir string) {
	store := dirStore(t, dir)
	var known []digest.Digest
	for d := range store.List(t.Context()) {
		known = append(known, d.Digest)
	}
	for {
		var err error
		name := fmt.Sprintf("apps/%d", rand.N(3))
		switch what := rand.N(10); {
		case what < 4 || known == nil:
			tree := fstest.MapFS{"n": file(strconv.Itoa(rand.N(8))), "noise": file(noise(20_000))}
			var d artifact.Descriptor
			d, err = artifact.PackTo(t.Context(), store, tree, artifact.PackOptions{})
			known = append(known, d.Digest)
		case what < 7:
			err = store.Tag(t.Context(), name, known[rand.N(len(known))], strconv.Itoa(rand.N(100)))
		case what < 8:
			err = store.Delete(t.Context(), known[rand.N(len(known))])
		case what < 9:
			_, err = store.GC(t.Context(), artifact.Keep{Younger: -1, Newest: rand.N(3), History: rand.N(3)})
		default:
			err = store.Untag(t.Context(), name)
		}
		if err != nil && !errors.Is(err, artifact.ErrNotFound) && !errors.Is(err, artifact.ErrTagged) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("done")
	}
}

// checkStore opens the store, in which nobody works, and returns how many
// artifacts and tags it has.
func checkStore(t *testing.T, dir string) (listed, tagged int) {
	t.Helper()
	store, err := artifact.Dir(dir, artifact.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for d, err := range store.List(t.Context()) {
		listed++
		if err == nil {
			_, err = fetch(t, store, d)
		}
		if err != nil {
			t.Errorf("listed: %v", err)
		}
	}
	for tag, err := range store.Tags(t.Context()) {
		tagged++
		if err == nil {
			_, err = store.Stat(t.Context(), tag.Digest)
		}
		if err != nil {
			t.Errorf("tagged %q: %v", tag.Name, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 || err != nil {
		t.Errorf("%v is left, %v", left, err)
	}
	return listed, tagged
}
