package artifact_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// The golden digests change only with a decision: contentGolden with the format
// of what this package writes, the others with a compressor too. A change of the
// latter makes every artifact in the world a new one, though of old content.
const contentGolden = "sha256:043f3b7cd87e68823a4b67af771e69647c510f59248f4bb58a06d1e3b8f55a6d"

var golden = levelGoldens[artifact.LevelDefault]

var levelGoldens = map[artifact.Level]map[artifact.Compression]digest.Digest{
	artifact.LevelDefault: {
		artifact.Gzip: "sha256:4900863564220b9565334140bcf4ec9dfddeaff9556e3ca89137096dc7f9994d",
		artifact.Zstd: "sha256:57b333306a2f8f62ce71d044f7c47973e9d5cffd3af32a7fb1133ece221677ed",
		artifact.None: contentGolden,
	},
	artifact.LevelFastest: {
		artifact.Gzip: "sha256:e67016617cbf802c5133085397c3b1c7b0c388a7c27474c4888e28a972191b1a",
		artifact.Zstd: "sha256:57b333306a2f8f62ce71d044f7c47973e9d5cffd3af32a7fb1133ece221677ed",
		artifact.None: contentGolden,
	},
	artifact.LevelBest: {
		artifact.Gzip: "sha256:bc4c985e13d18b6764343ed99762e37a5910fb8f19b9344e4f2ceb34e6cd65b2",
		artifact.Zstd: "sha256:b6f2ccb092f93918a2982274680baaca69d1e91fbb558561cf0c31df00a795a4",
		artifact.None: contentGolden,
	},
}

func TestPackGivesTheGoldenDigests(t *testing.T) {
	for level, digests := range levelGoldens {
		for _, c := range compressions {
			data, d := pack(t, sample(), artifact.PackOptions{Compression: c, Level: level})
			if d.Digest != digests[c] {
				t.Errorf("%v, level %v: digest is %s, was %s", c, level, d.Digest, digests[c])
			}
			if d.ContentDigest != contentGolden {
				t.Errorf("%v, level %v: content digest is %s, was %s", c, level, d.ContentDigest, contentGolden)
			}
			if d.Digest != digest.FromBytes(data) || d.Size != int64(len(data)) || d.Files != len(sample()) {
				t.Errorf("%v, level %v: descriptor %+v is not of what was written", c, level, d)
			}
		}
	}
}

// strange lists what another fs.FS has in random order, says nothing of types,
// and gives content out in small pieces.
type strange struct {
	fs.ReadLinkFS
	rand *rand.Rand
}

func (s strange) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.ReadLinkFS, name)
	s.rand.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	for i, e := range entries {
		entries[i] = typeless{e}
	}
	return entries, err
}

type typeless struct{ fs.DirEntry }

func (typeless) Type() fs.FileMode { return fs.ModeIrregular }
func (typeless) IsDir() bool       { return false }

func (s strange) Open(name string) (fs.File, error) {
	f, err := s.ReadLinkFS.Open(name)
	if err != nil {
		return nil, err
	}
	return slowFile{f, iotest.HalfReader(iotest.DataErrReader(f))}, nil
}

type slowFile struct {
	fs.File
	r io.Reader
}

func (f slowFile) Read(p []byte) (int, error) { return f.r.Read(p[:min(len(p), 777)]) }

func TestPackDoesNotDependOnWhereTheTreeIs(t *testing.T) {
	tight, loose := t.TempDir(), t.TempDir()
	writeTree(t, tight, sample(), 0o600, 0o700)
	writeTree(t, loose, sample(), 0o664, 0o775)
	err := filepath.Walk(loose, func(name string, info fs.FileInfo, err error) error {
		if err == nil && info.Mode().Type() != fs.ModeSymlink {
			err = os.Chtimes(name, time.Now(), time.Unix(1_000_000_007, 5))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(loose, "empty/folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	data, d := pack(t, sample(), artifact.PackOptions{})
	opened, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	trees := map[string]fs.FS{
		"folder, tight modes": os.DirFS(tight),
		"folder, loose modes": os.DirFS(loose),
		"os.Root":             openRoot(t, loose).FS(),
		"opened artifact":     opened,
		"strange":             strange{sample(), rand.New(rand.NewPCG(1, 2))},
		"strange folder":      strange{os.DirFS(tight).(fs.ReadLinkFS), rand.New(rand.NewPCG(3, 4))},
	}
	for name, tree := range trees {
		for _, c := range compressions {
			if _, d := pack(t, tree, artifact.PackOptions{Compression: c}); d.Digest != golden[c] {
				t.Errorf("%s, %v: another digest than in memory", name, c)
			}
		}
	}
}

func TestPackDoesNotDependOnTheNumberOfCPUs(t *testing.T) {
	tree := manifests(100)
	tree["noise"] = file(noise(3 << 20)) // many blocks of either compressor
	want := map[artifact.Compression]artifact.Descriptor{}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, cpus := range []int{1, 2, 16} {
		runtime.GOMAXPROCS(cpus)
		for _, c := range compressions {
			_, d := pack(t, tree, artifact.PackOptions{Compression: c})
			if first, ok := want[c]; ok && d != first {
				t.Errorf("%v: %+v on %d CPUs, was %+v", c, d, cpus, first)
			}
			want[c] = d
		}
	}
}

func TestPackNormalisesEntries(t *testing.T) {
	tree := fstest.MapFS{
		"a0":    {Mode: 0o600, Data: []byte("1"), ModTime: time.Now()},
		"a/b":   {Mode: 0o4710, Data: []byte("22")},
		"a.txt": {Mode: 0o001},
		"a/c/d": link("../b"),
		"e":     {Mode: fs.ModeDir | 0o700},
	}
	data, _ := pack(t, tree, artifact.PackOptions{Compression: artifact.None})
	want := []tar.Header{
		{Typeflag: tar.TypeReg, Name: "a.txt", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "a/b", Mode: 0o755, Size: 2},
		{Typeflag: tar.TypeSymlink, Name: "a/c/d", Linkname: "../b", Mode: 0o777},
		{Typeflag: tar.TypeReg, Name: "a0", Mode: 0o644, Size: 1},
	}
	r := tar.NewReader(bytes.NewReader(data))
	for _, w := range want {
		w.Format, w.ModTime = tar.FormatUSTAR, time.Unix(0, 0)
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(h)
		if want, _ := json.Marshal(w); !bytes.Equal(got, want) {
			t.Errorf("entry is\n%s\nnot\n%s", got, want)
		}
	}
	if h, err := r.Next(); err != io.EOF {
		t.Errorf("there also is %+v, %v", h, err)
	}
}

func TestPackOfGzipHasABareHeader(t *testing.T) {
	data, _ := pack(t, sample(), artifact.PackOptions{})
	if want := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}; !bytes.Equal(data[:10], want) {
		t.Errorf("gzip header is % x, not % x", data[:10], want)
	}
}

func TestPackOfAnEmptyTree(t *testing.T) {
	for _, c := range compressions {
		data, d := pack(t, fstest.MapFS{}, artifact.PackOptions{Compression: c})
		tree, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{})
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		if err := fstest.TestFS(tree); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}
