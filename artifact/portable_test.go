package artifact_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
)

// TestNoPathClimbsOnAnySystem is about names that are sound where a slash alone
// separates.
func TestNoPathClimbsOnAnySystem(t *testing.T) {
	for name, refused := range map[string]bool{
		`..\x`: true, `a\..\..\x`: true, `a/..\x`: true, `\x`: true, `\\host\share\x`: true, `a\..`: true,
		`C:\x`: true, `c:/x`: true, `\\?\C:\x`: true,
		`a\b`: false, `a..\b`: false, `C:x`: false, `a:b`: false, `CC:/x`: false, `..x`: false,
	} {
		data := tarOf(t, regular("ok"), regular(name))
		d := describe(artifact.MediaTypeTar, data)
		target := tarOf(t, regular("ok"), symlink("l", name))
		_, packErr := artifact.Pack(t.Context(), io.Discard, fstest.MapFS{name: file("x")}, artifact.PackOptions{})
		if refused {
			reject(t, data, d, artifact.UnpackOptions{}, artifact.ErrUnsafe, name)
			reject(t, target, describe(artifact.MediaTypeTar, target), artifact.UnpackOptions{}, artifact.ErrUnsafe, "l")
			if !errors.Is(packErr, artifact.ErrUnsafe) {
				t.Errorf("Pack's error for %q is %v", name, packErr)
			}
			continue
		}
		if _, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{}); err != nil || packErr != nil {
			t.Errorf("%q: %v, %v", name, err, packErr)
		}
	}
}

func TestPortableRefusesNames(t *testing.T) {
	for _, name := range []string{
		"NUL", "nul", "a/con", "aux.txt", "COM1", "lpt9.log", "com¹", "CON .x", "conin$", "prn/x",
		"a.", "a ", "d./x", "a:b", "a*b", "a?b", "a|b", `a"b`, "a<b", "a>b", `a\b`, "a\x01b", "a\nb", "a\x7fb",
		"a\u200db", "\ufeffa", "a\u202eb", "e\u0301", "か\u3099", "\u1112\u1161\u11ab", "a\ufe0f",
		"GIT~1", "progra~1", strings.Repeat("x", 256),
	} {
		data := tarOf(t, regular("ok"), regular(name))
		d := describe(artifact.MediaTypeTar, data)
		if _, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{}); err != nil {
			t.Errorf("%q is refused without the option: %v", name, err)
		}
		reject(t, data, d, artifact.UnpackOptions{Portable: true}, artifact.ErrUnsafe, name)
		target := tarOf(t, symlink("l", "a/../"+name))
		reject(t, target, describe(artifact.MediaTypeTar, target), artifact.UnpackOptions{Portable: true}, artifact.ErrUnsafe, "l")
	}
}

func TestPortableRefusesCollisions(t *testing.T) {
	for _, pair := range [][2]string{
		{"readme", "README"}, {"a/x", "A/x"}, {"a/x", "A/y"}, {"A", "a/b"}, {"größe", "GRÖßE"}, {"σ", "ς"}, {"ſ", "S"},
		{"k", "\u212a"}, {"дом", "ДОМ"}, {"å", "\u212b"}, {"ǆ", "ǅ"},
	} {
		for _, second := range []tar.Header{regular(pair[1]), symlink(pair[1], "x"), {Typeflag: tar.TypeDir, Name: pair[1]}} {
			data := tarOf(t, regular(pair[0]), second)
			d := describe(artifact.MediaTypeTar, data)
			if _, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{}); err != nil {
				t.Errorf("%q is refused without the option: %v", pair, err)
			}
			reject(t, data, d, artifact.UnpackOptions{Portable: true}, artifact.ErrUnsafe, pair[1])
		}
	}
}

func TestPortableTakesWhatIsPortable(t *testing.T) {
	tree := sample()
	for _, name := range []string{"console", "com10", "COM", "nul1", "a~b", ".hidden", "..a", "é", "日本語", "한국", "a b", "a/b/readme", "A.yaml", "straße"} {
		tree[name] = file("x")
	}
	data, d := pack(t, tree, artifact.PackOptions{})
	opened, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{Portable: true})
	if err != nil {
		t.Fatal(err)
	}
	equalTrees(t, opened, tree)
}
