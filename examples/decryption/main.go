// Command decryption builds a folder in which files are encrypted with SOPS, and prints which objects come out:
//
//	SOPS_AGE_KEY_FILE=keys.txt go -C examples/decryption run . path/to/folder
//
// What was encrypted is decrypted in memory, with whatever key SOPS finds: age, PGP, or a cloud's key service. It is a module
// of its own, since SOPS brings the clients of all those services along.
package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/signal"

	"github.com/getsops/sops/v3/cmd/sops/formats"
	"github.com/getsops/sops/v3/decrypt"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/kustomize"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "decryption:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one folder: decryption path/to/folder")
	}
	root, err := os.OpenRoot(args[0])
	if err != nil {
		return err
	}
	defer root.Close() // it is only read
	objects, err := build(ctx, root.FS())
	for _, o := range objects {
		fmt.Println(o.GetKind(), o.GetNamespace(), o.GetName()) // and not what is in it
	}
	return err
}

func build(ctx context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
	return kustomize.Build(ctx, fsys, ".", kustomize.Options{
		Decrypt: func(_ context.Context, name string, content []byte) ([]byte, error) {
			return decrypt.DataWithFormat(content, formats.FormatForPath(name))
		},
	})
}
