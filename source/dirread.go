package source

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/opencontainers/go-digest"
)

// addTo puts the entry into the tree and returns what the revision's digest is of: mode, size, content and path.
func (e entry) addTo(ctx context.Context, tree *Tree, root *os.Root) (string, error) {
	switch e.mode.Type() {
	case fs.ModeSymlink:
		target, err := root.Readlink(e.path)
		if err != nil {
			return "", vanished(e.path, err)
		}
		return fmt.Sprintf("link %q %q", target, e.path), tree.AddSymlink(e.path, target)
	case 0:
		return e.addFile(ctx, tree, root)
	}
	return "", &NameError{Name: e.path, Reason: "is neither a file nor a folder nor a symbolic link"}
}

func (e entry) addFile(ctx context.Context, tree *Tree, root *os.Root) (string, error) {
	var body []byte
	kind := "file"
	if e.mode&0o111 != 0 {
		kind = "executable"
	}
	// First the limits, then the reading.
	open := func() ([]byte, error) { return body, nil }
	if err := tree.AddLazyFile(e.path, kind == "executable", e.size, open); err != nil {
		return "", err
	}
	body, err := e.read(ctx, root)
	if err != nil {
		return "", err
	}
	content := digest.FromBytes(body).String()
	return fmt.Sprintf("%s %d %s %q", kind, e.size, content, e.path), tree.Identify(e.path, content)
}

func (e entry) read(ctx context.Context, root *os.Root) ([]byte, error) {
	file, err := root.Open(e.path)
	if err != nil {
		return nil, vanished(e.path, err)
	}
	defer file.Close() // it was only read
	body := make([]byte, e.size)
	if _, err := io.ReadFull(contextReader{ctx, file}, body); err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, ErrChanging
	} else if err != nil {
		return nil, err
	}
	if n, err := file.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		return nil, ErrChanging // it has grown
	}
	return body, nil
}

// A contextReader reads until ctx ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p[:min(len(p), 1<<20)])
}
