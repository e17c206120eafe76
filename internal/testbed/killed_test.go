//go:build unix

package testbed

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const parentVariable = "GITOPSKIT_TEST_PARENT"

// TestParent starts the servers, says where they are and waits to be killed, where it runs as the process that is killed.
func TestParent(t *testing.T) {
	if os.Getenv(parentVariable) == "" {
		return
	}
	k, err := StartKubernetes(t.Context(), KubernetesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := StartS3(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, err := StartMinIO(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString(strings.TrimPrefix(k.Config.Host, "https://") + " " + s.Endpoint + " " + m.SecureEndpoint + "\n")
	select {}
}

func TestServersEndWithAKilledParentAndLeaveNoFiles(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestParent$")
	cmd.Env = append(os.Environ(), parentVariable+"=1", "TMPDIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	addresses := strings.Fields(line)
	if err != nil || len(addresses) != 3 {
		t.Fatalf("it said %q, %v", line, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		left, _ := filepath.Glob(filepath.Join(dir, "*"))
		answering := slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return !answers(a) })
		if len(left) == 0 && len(answering) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("30 s after the kill there are %v, and servers answer at %v", left, answering)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func answers(address string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
