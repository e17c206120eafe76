package artifact_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/gitopskit/gitopskit/artifact"
)

// manifests is a tree like that of a repository of applications: n folders of
// three files that differ in names, images and numbers.
func manifests(n int) fstest.MapFS {
	tree := fstest.MapFS{}
	for i := range n {
		dir := fmt.Sprintf("apps/team-%d/app-%d/", i%17, i)
		name := fmt.Sprintf("app-%d", i)
		labels := fmt.Sprintf("  labels:\n    app.kubernetes.io/name: %s\n    app.kubernetes.io/version: 1.%d.%d\n", name, i%13, i%7)
		tree[dir+"deployment.yaml"] = &fstest.MapFile{Mode: 0o644, Data: []byte("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + name + "\n" + labels +
			fmt.Sprintf("spec:\n  replicas: %d\n  template:\n    spec:\n      containers:\n      - name: main\n        image: registry.example.com/team-%d/%s@sha256:%x\n        ports:\n        - containerPort: %d\n", i%5, i%17, name, i*i*7919+i, 8000+i))}
		tree[dir+"service.yaml"] = &fstest.MapFile{Mode: 0o644, Data: []byte("apiVersion: v1\nkind: Service\nmetadata:\n  name: " + name + "\n" + labels + fmt.Sprintf("spec:\n  ports:\n  - port: %d\n", 8000+i))}
		tree[dir+"kustomization.yaml"] = &fstest.MapFile{Mode: 0o644, Data: []byte("resources:\n- deployment.yaml\n- service.yaml\nnamespace: team-" + fmt.Sprint(i%17) + "\n")}
	}
	return tree
}

// benchTree is the corpus of others' manifests where it is at hand.
func benchTree(b *testing.B) fs.FS {
	if dir := os.Getenv("GITOPSKIT_CORPUS"); dir != "" {
		return os.DirFS(dir)
	}
	b.Log("GITOPSKIT_CORPUS is not set: a synthetic tree instead")
	return manifests(1700)
}

func BenchmarkPack(b *testing.B) {
	tree := inMemory(b, manifests(1700))
	for _, c := range compressions {
		for _, level := range packLevels {
			b.Run(c.String()+"/"+level.String(), func(b *testing.B) {
				var d artifact.Descriptor
				b.ReportAllocs()
				for b.Loop() {
					var err error
					if d, err = artifact.Pack(b.Context(), io.Discard, tree, artifact.PackOptions{Compression: c, Level: level}); err != nil {
						b.Fatal(err)
					}
				}
				b.SetBytes(d.ContentSize)
				b.ReportMetric(float64(d.Size), "packed-bytes")
			})
		}
	}
}

// inMemory returns the tree as Open gives it out, which is quicker to walk than
// an fstest.MapFS.
func inMemory(b *testing.B, tree fs.FS) fs.FS {
	data, d := pack(b, tree, artifact.PackOptions{})
	opened, err := artifact.Open(b.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return opened
}

func BenchmarkOpen(b *testing.B) {
	for _, c := range []artifact.Compression{artifact.Gzip, artifact.Zstd, artifact.None} {
		b.Run(c.String(), func(b *testing.B) {
			data, d := pack(b, manifests(1700), artifact.PackOptions{Compression: c})
			b.ReportAllocs()
			b.SetBytes(d.ContentSize)
			for b.Loop() {
				if _, err := artifact.Open(b.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUnpack(b *testing.B) {
	data, d := pack(b, manifests(300), artifact.PackOptions{})
	for b.Loop() {
		root := openRoot(b, b.TempDir())
		if err := artifact.Unpack(b.Context(), bytes.NewReader(data), d, root, artifact.UnpackOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGzipLevel is what the levels were chosen by. The last, "std", is the
// standard library's default.
func BenchmarkGzipLevel(b *testing.B) {
	content, _ := pack(b, benchTree(b), artifact.PackOptions{Compression: artifact.None})
	for level := 1; level <= 9; level++ {
		b.Run(fmt.Sprint(level), func(b *testing.B) {
			benchmarkCompressor(b, content, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, level) })
		})
	}
	b.Run("std", func(b *testing.B) {
		benchmarkCompressor(b, content, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.DefaultCompression) })
	})
}

// BenchmarkZstdLevel is the same for zstd.
func BenchmarkZstdLevel(b *testing.B) {
	content, _ := pack(b, benchTree(b), artifact.PackOptions{Compression: artifact.None})
	for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
		b.Run(strings.ToLower(level.String()), func(b *testing.B) {
			benchmarkCompressor(b, content, func(w io.Writer) (io.WriteCloser, error) {
				return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level))
			})
		})
	}
}

func benchmarkCompressor(b *testing.B, content []byte, compressor func(io.Writer) (io.WriteCloser, error)) {
	var out bytes.Buffer
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		out.Reset()
		w, err := compressor(&out)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.Len()), "packed-bytes")
}
