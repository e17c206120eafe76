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

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func findKubectl(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// prepareKubectl writes the objects to a file, one by one: what this process holds in memory when it starts kubectl
// counts as kubectl's.
func prepareKubectl(_ context.Context, j job) (func(context.Context) error, error) {
	kubeconfig, manifests := filepath.Join(j.Folder, "kubeconfig"), filepath.Join(j.Folder, j.Work+".json")
	if err := writeKubeconfig(kubeconfig, j); err != nil {
		return nil, err
	}
	// With its validation, which reads the schema anew for each object, 300 objects take kubectl 1.32 15 s.
	first, verb := 0, []string{"apply", "--server-side", "--force-conflicts", "--validate=false"}
	if j.Work == workPrune {
		first, verb = 1, []string{"delete", "--wait=false"}
	}
	if err := writeManifests(manifests, j, first); err != nil {
		return nil, err
	}
	// The cache of discovery is kept for all namespaces and is by server, as it would be at home.
	args := append([]string{"--kubeconfig", kubeconfig, "--cache-dir", filepath.Join(filepath.Dir(j.Folder), "cache")}, verb...)
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

func writeManifests(file string, j job, first int) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	encoder := json.NewEncoder(w)
	for i := first; i < j.N; i++ {
		if err := encoder.Encode(j.object(i).Object); err != nil {
			return err
		}
	}
	return w.Flush()
}

func writeKubeconfig(file string, j job) error {
	c := clientcmdapi.NewConfig()
	c.Clusters["bench"] = &clientcmdapi.Cluster{Server: j.Host, CertificateAuthorityData: j.CA}
	c.AuthInfos["bench"] = &clientcmdapi.AuthInfo{Token: j.Token}
	c.Contexts["bench"] = &clientcmdapi.Context{Cluster: "bench", AuthInfo: "bench", Namespace: j.Namespace}
	c.CurrentContext = "bench"
	return clientcmd.WriteToFile(*c, file)
}
