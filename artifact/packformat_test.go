package artifact_test

import (
	"archive/tar"
	"bytes"
	stdgzip "compress/gzip"
	"io"
	"io/fs"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

var packLevels = []artifact.Level{artifact.LevelDefault, artifact.LevelFastest, artifact.LevelBest}

// Headers are those that archive/tar writes, also of what has no room in a plain one.
func TestPackWritesTheHeadersOfTheStandardLibrary(t *testing.T) {
	tree := fstest.MapFS{"empty": file(""), "run": script("#!/bin/sh\n")}
	for _, n := range []int{2, 99, 100, 101, 154, 155, 156, 255, 256, 257, 300} {
		name := strings.Repeat("n", n)
		tree["file/"+name] = file(noise(n))
		tree[name] = file(noise(512 + n))
		tree["link/"+name] = link("../file/" + name)
		tree[name[:n/2]+"/"+name[n/2:]+"/x"] = script("")
		tree["\u00fc/"+name] = link(name)
		tree["to/"+name] = link("\u00fc/" + name)
	}
	var want bytes.Buffer
	w := tar.NewWriter(&want)
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		f := tree[name]
		data := f.Data
		h := tar.Header{
			Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: int64(f.Mode.Perm()), ModTime: time.Unix(0, 0),
		}
		if f.Mode.Type() == fs.ModeSymlink {
			h.Typeflag, h.Linkname, h.Size, data = tar.TypeSymlink, string(f.Data), 0, nil
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := pack(t, tree, artifact.PackOptions{Compression: artifact.None}); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("archive of %d bytes differs from archive/tar's of %d", len(got), want.Len())
	}
}

func TestPackOfGzipIsOneMember(t *testing.T) {
	for _, level := range packLevels {
		data, d := pack(t, manyBlocks(), artifact.PackOptions{Level: level})
		r := bytes.NewReader(data)
		z, err := stdgzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false)
		content := digest.Canonical.Digester()
		n, err := io.Copy(content.Hash(), z)
		if err != nil || n != d.ContentSize || content.Digest() != d.ContentDigest {
			t.Errorf("level %v: the first member has %d bytes of %d, error %v", level, n, d.ContentSize, err)
		}
		if r.Len() > 0 {
			t.Errorf("level %v: %d bytes follow the first member", level, r.Len())
		}
	}
}

// A frame says how large its content and its window are, so that a reader knows
// what it will take, and can read several frames at once.
func TestPackOfZstdIsFramesOfAMebibyte(t *testing.T) {
	for _, level := range packLevels {
		data, d := pack(t, manyBlocks(), artifact.PackOptions{Compression: artifact.Zstd, Level: level})
		total, frames := int64(0), 0
		for len(data) > 0 {
			var h zstd.Header
			if err := h.Decode(data); err != nil {
				t.Fatal(err)
			}
			if !h.HasFCS || h.FrameContentSize > 1<<20 || h.WindowSize > 1<<20 || !h.HasCheckSum {
				t.Errorf("level %v: frame %d is %+v", level, frames, h)
			}
			total, frames = total+int64(h.FrameContentSize), frames+1
			data = data[1+max(0, bytes.Index(data[1:], []byte("\x28\xb5\x2f\xfd"))):]
			if !bytes.HasPrefix(data, []byte("\x28\xb5\x2f\xfd")) {
				break
			}
		}
		if want := int((d.ContentSize + 1<<20 - 1) >> 20); total != d.ContentSize || frames != want {
			t.Errorf("level %v: %d frames of %d bytes, not %d of %d", level, frames, total, want, d.ContentSize)
		}
	}
}

func TestPackIsReadByOtherPrograms(t *testing.T) {
	tree := manyBlocks()
	for _, program := range []struct {
		name        string
		compression artifact.Compression
	}{{"gzip", artifact.Gzip}, {"pigz", artifact.Gzip}, {"zstd", artifact.Zstd}} {
		t.Run(program.name, func(t *testing.T) {
			if _, err := exec.LookPath(program.name); err != nil {
				t.Skip(program.name + " is not installed")
			}
			for _, level := range packLevels {
				data, d := pack(t, tree, artifact.PackOptions{Compression: program.compression, Level: level})
				cmd := exec.CommandContext(t.Context(), program.name, "-dc")
				cmd.Stdin = bytes.NewReader(data)
				content, err := cmd.Output()
				if err != nil || digest.FromBytes(content) != d.ContentDigest {
					t.Errorf("level %v: %d bytes came out of %d, error %v", level, len(content), d.ContentSize, err)
				}
			}
		})
	}
}

func TestPackLevelsPackSmallerAndSmaller(t *testing.T) {
	tree := manyBlocks()
	for _, c := range compressions {
		_, quick := pack(t, tree, artifact.PackOptions{Compression: c, Level: artifact.LevelFastest})
		_, usual := pack(t, tree, artifact.PackOptions{Compression: c})
		_, best := pack(t, tree, artifact.PackOptions{Compression: c, Level: artifact.LevelBest})
		if quick.Size < usual.Size || usual.Size < best.Size || c == artifact.Gzip && quick.Size == best.Size {
			t.Errorf("%v: %d bytes, by default %d, at best %d", c, quick.Size, usual.Size, best.Size)
		}
		if quick.ContentDigest != usual.ContentDigest || usual.ContentDigest != best.ContentDigest {
			t.Errorf("%v: the content differs", c)
		}
	}
}

// What the standard library makes of the archive is what others fetch today.
func TestPackOfGzipIsNoLargerThanOthersBy5Percent(t *testing.T) {
	content, _ := pack(t, manifests(200), artifact.PackOptions{Compression: artifact.None})
	var std bytes.Buffer
	z := stdgzip.NewWriter(&std)
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, d := pack(t, manifests(200), artifact.PackOptions{}); d.Size*100 > int64(std.Len())*105 {
		t.Errorf("%d bytes, and the standard library makes %d of it", d.Size, std.Len())
	}
}

func TestPackRefusesAnUnknownLevel(t *testing.T) {
	for _, c := range compressions {
		for _, level := range []artifact.Level{-1, 3} {
			_, err := artifact.Pack(t.Context(), io.Discard, sample(), artifact.PackOptions{Compression: c, Level: level})
			if err == nil || !strings.Contains(err.Error(), level.String()) {
				t.Errorf("%v: error %v, want one that names %v", c, err, level)
			}
		}
	}
}
