package measure

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

func TestPipeGoesFromOneToTheNext(t *testing.T) {
	var out bytes.Buffer
	first, last := exec.Command("printf", "b\\na\\n"), exec.Command("sort")
	last.Stdout = &out
	peak, err := Pipe(first, exec.Command("cat"), last)
	if err != nil || out.String() != "a\nb\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if one := PeakOf(last.ProcessState); one > 0 && peak <= one {
		t.Errorf("the peak of three is %v MiB, and %v of one", peak, one)
	}
}

func TestPipeTellsWhoFailedAndWhatItSaid(t *testing.T) {
	_, err := Pipe(exec.Command("sh", "-c", "echo one; echo no more >&2; exit 3"), exec.Command("cat"))
	if err == nil || !strings.Contains(err.Error(), "exit status 3: no more") || strings.Contains(err.Error(), "cat:") {
		t.Errorf("got %v", err)
	}
	_, err = Pipe(exec.Command("sh", "-c", "echo alone; exit 4"))
	if err == nil || !strings.Contains(err.Error(), "exit status 4: alone") {
		t.Errorf("got %v", err)
	}
	// The first one must not wait for ever for a reader that never starts.
	_, err = Pipe(exec.Command("yes"), exec.Command("/nowhere/at/all"))
	if err == nil || !strings.Contains(err.Error(), "/nowhere/at/all") {
		t.Errorf("got %v", err)
	}
}
