package statuspage_test

import (
	"encoding/base64"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/statuspage"
)

var pictures = flag.String("pictures", "", "the folder to which pictures of the page are written")

// serve returns the address of a page of these loops, in a mux beside other things.
func serve(t testing.TB, loops []reconcile.Status, opts statuspage.Options) string {
	mux := http.NewServeMux()
	mux.Handle("/debug/loops", statuspage.New(statuspage.ListerFunc(func() []reconcile.Status { return loops }), opts))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/debug/loops"
}

func TestBrowserTakesPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("-pictures names no folder")
	}
	b := browse(t)
	address := serve(t, fleet(1000), statuspage.Options{Title: "fleet"})
	evil := hostile()
	hostileAddress := serve(t, append(fleet(12), evil), statuspage.Options{})
	for name, shot := range map[string]struct {
		address       string
		width, height int
	}{
		"list":         {address, 1280, 900},
		"narrow":       {address, 390, 844},
		"loop":         {address + "?loop=checkout", 1280, 1100},
		"gateway":      {address + "?loop=orders", 1280, 900},
		"narrowloop":   {address + "?loop=checkout", 390, 1200},
		"empty":        {address + "?q=nothing", 1280, 500},
		"missing":      {address + "?loop=nothing", 1280, 500},
		"hostile":      {hostileAddress, 1280, 900},
		"hostile-loop": {hostileAddress + "?loop=" + url.QueryEscape(evil.Name), 1280, 1100},
	} {
		for _, scheme := range []string{"light", "dark"} {
			tab := b.open(shot.width, shot.height)
			tab.do("Emulation.setEmulatedMedia", params{"features": []params{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
			tab.visit(shot.address)
			var picture struct{ Data string }
			tab.do("Page.captureScreenshot", params{"format": "png"}, &picture)
			data, err := base64.StdEncoding.DecodeString(picture.Data)
			if err == nil {
				err = os.WriteFile(filepath.Join(*pictures, name+"-"+scheme+".png"), data, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
