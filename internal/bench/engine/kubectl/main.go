// The program that starts kubectl.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gitopskit/gitopskit/internal/bench/work"
)

func main() { work.Main(work.Engine{Prepare: prepare, Child: true}) }

// prepare writes the objects to a file, one by one: what this process holds in memory when it starts kubectl
// counts as kubectl's.
func prepare(_ context.Context, j work.Job) (func(context.Context) error, error) {
	kubeconfig, manifests := filepath.Join(j.Folder, "kubeconfig"), filepath.Join(j.Folder, j.Work+".json")
	if err := j.WriteKubeconfig(kubeconfig); err != nil {
		return nil, err
	}
	// With its validation, which reads the schema anew for each object, 300 objects take kubectl 1.32 15 s.
	first, verb := 0, []string{"apply", "--server-side", "--force-conflicts", "--validate=false"}
	if j.Work == work.Prune {
		first, verb = 1, []string{"delete", "--wait=false"}
	}
	if err := writeManifests(manifests, j, first); err != nil {
		return nil, err
	}
	args := append([]string{"--kubeconfig", kubeconfig, "--cache-dir", j.Cache}, verb...)
	return func(ctx context.Context) error {
		var out, said bytes.Buffer
		cmd := exec.CommandContext(ctx, j.Kubectl, append(args, "-f", manifests)...)
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%w: %s", err, said.Bytes())
		}
		if got, want := bytes.Count(out.Bytes(), []byte("\n")), j.N-first; got != want {
			return fmt.Errorf("checking %s: kubectl told of %d objects and not %d", j.Work, got, want)
		}
		return nil
	}, nil
}

func writeManifests(file string, j work.Job, first int) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	encoder := json.NewEncoder(w)
	for i := first; i < j.N; i++ {
		if err := encoder.Encode(j.Object(i).Object); err != nil {
			return err
		}
	}
	return w.Flush()
}
