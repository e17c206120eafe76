package statuspage_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"flag"
	"image"
	"image/color"
	"image/png"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gitopskit/gitopskit/reconcile/statuspage"
)

var pictures = flag.String("pictures", "", "the folder to which pictures of the page are written, to be looked at")

func browserPictures(t *testing.T, b *browser) {
	evil := hostile()
	clean := serve(t, these(fleet(1000)), statuspage.Options{Title: "fleet"})
	dirty := serve(t, these(append(fleet(1000), evil)), statuspage.Options{Title: "fleet"})
	for name, shot := range map[string]struct {
		address       string
		width, height int
	}{
		"list":         {clean, 1280, 860},
		"narrow":       {clean, 390, 844},
		"loop":         {clean + "?loop=checkout", 1280, 1100},
		"narrowloop":   {clean + "?loop=checkout", 390, 1900},
		"empty":        {clean + "?q=nothing", 1280, 500},
		"missing":      {clean + "?loop=nothing", 1280, 500},
		"hostile":      {dirty, 1280, 900},
		"hostile-loop": {dirty + "?loop=" + url.QueryEscape(evil.Name), 1280, 2400},
	} {
		for _, scheme := range []string{"light", "dark"} {
			tab := b.open(t, shot.width, shot.height)
			tab.scheme(scheme)
			tab.visit(shot.address)
			var picture struct{ Data string }
			tab.do("Page.captureScreenshot", params{"format": "png"}, &picture)
			data, err := base64.StdEncoding.DecodeString(picture.Data)
			if err == nil {
				err = os.WriteFile(filepath.Join(*pictures, name+"-"+scheme+".png"), smaller(t, data), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// smaller is the picture in the 256 colours that it has most of, which is a third of the bytes.
func smaller(t *testing.T, data []byte) []byte {
	full, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[color.RGBA]int)
	area := full.Bounds()
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	for y := range area.Dy() {
		for x := range area.Dx() {
			count[at(x, y)]++
		}
	}
	var palette color.Palette
	most := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return cmp.Compare(count[b], count[a]) })
	for _, c := range most[:min(len(most), 256)] {
		palette = append(palette, c)
	}
	nearest := make(map[color.RGBA]uint8)
	for _, c := range most {
		nearest[c] = uint8(palette.Index(c))
	}
	small := image.NewPaletted(area, palette)
	for y := range area.Dy() {
		for x := range area.Dx() {
			small.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
