package artifacthttp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/artifact/artifacthttp"
)

func TestHandlerServesByDigestAndByName(t *testing.T) {
	s := shelve(t, 200_000, artifact.Gzip)
	h := artifacthttp.Handler(s, artifacthttp.HandlerOptions{})
	byDigest := "/" + string(s.Digest)
	for path, cache := range map[string]string{
		byDigest:                                 "max-age=31536000, immutable, no-transform",
		byDigest + ".tar.gz":                     "max-age=31536000, immutable, no-transform",
		byDigest + ".tgz":                        "max-age=31536000, immutable, no-transform",
		strings.Replace(byDigest, ":", "%3A", 1): "max-age=31536000, immutable, no-transform",
		"/podinfo":                               "no-cache, no-transform",
		"/apps/podinfo.tar.gz":                   "no-cache, no-transform",
		"/apps%2Fpodinfo":                        "no-cache, no-transform",
		"/podinfo?once=more":                     "no-cache, no-transform",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			answer := ask(t, h, method, path)
			if answer.StatusCode != http.StatusOK || answer.Header.Get("Cache-Control") != cache {
				t.Errorf("%s %s: %s, %q", method, path, answer.Status, answer.Header.Get("Cache-Control"))
			}
			want := s.data
			if method == http.MethodHead {
				want = nil
			}
			if got := bodyOf(t, answer); !bytes.Equal(got, want) {
				t.Errorf("%s %s: %d bytes, want %d", method, path, len(got), len(want))
			}
		}
	}
}

func TestHandlerTellsWhatItServes(t *testing.T) {
	s := shelve(t, 200_000, artifact.Zstd)
	h := artifacthttp.Handler(s, artifacthttp.HandlerOptions{NameAge: 90*time.Second + time.Millisecond})
	sum := sha256.Sum256(s.data)
	field := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	want := map[string]string{
		"ETag":                   `"` + string(s.Digest) + `"`,
		"Content-Type":           artifact.MediaTypeTarZstd,
		"Content-Length":         itoa(len(s.data)),
		"Accept-Ranges":          "bytes",
		"Repr-Digest":            field,
		"Content-Digest":         field,
		"Docker-Content-Digest":  string(s.Digest),
		"X-Content-Type-Options": "nosniff",
		"Cache-Control":          "max-age=90, no-transform",
		"Content-Location":       "../" + string(s.Digest),
		"Content-Range":          "",
		"Content-Encoding":       "",
		"Last-Modified":          "",
	}
	expect := func(method, path string) {
		t.Helper()
		answer := ask(t, h, method, path)
		for name, value := range want {
			if got := answer.Header.Get(name); got != value {
				t.Errorf("%s %s: %s is %q, want %q", method, path, name, got, value)
			}
		}
	}
	expect(http.MethodGet, "/apps/podinfo")
	want["Content-Location"] = "./" + string(s.Digest)
	expect(http.MethodGet, "/podinfo.tar.zst")
	want["Content-Digest"] = "" // there is no content
	expect(http.MethodHead, "/podinfo")
}

func TestHandlerRefuses(t *testing.T) {
	s := shelve(t, 100, artifact.Gzip)
	s.tag(t, "ends.tar.gz")
	asked := map[string]bool{}
	h := artifacthttp.Handler(s, artifacthttp.HandlerOptions{
		Names: resolver(func(ctx context.Context, name string) (digest.Digest, error) {
			asked[name] = true
			tagged, err := s.Resolve(ctx, name)
			return tagged.Digest, err
		}),
		OnError: func(r *http.Request, err error) { t.Errorf("%s: %v", r.URL, err) },
	})
	none := digest.FromString("none")
	for path, status := range map[string]int{
		"/":                                     404,
		"//":                                    404,
		"/.":                                    404,
		"/..":                                   404,
		"/apps":                                 404,
		"/apps/":                                404,
		"/podinfo/":                             404,
		"//podinfo":                             404,
		"/apps//podinfo":                        404,
		"/apps/../podinfo":                      404,
		"/%2e%2e/podinfo":                       404,
		"/..%2fpodinfo":                         404,
		"/..%5cpodinfo":                         404,
		"/podinfo%00":                           404,
		"/podinfo%0a":                           404,
		"/-podinfo":                             404,
		"/apps/.podinfo":                        404,
		"/über":                                 404,
		"/" + strings.Repeat("a", 241):          404,
		"/" + strings.Repeat("A", 121):          404,
		"/podinfo%ff":                           404,
		"/nowhere":                              404,
		"/podinfo.tar":                          404,
		"/podinfo.tar.zst":                      404,
		"/podinfo.zip":                          404,
		"/ends.tar.gz":                          200,
		"/ends.tar.gz.tar.gz":                   200,
		"/ends":                                 404,
		"/sha256":                               404,
		"/sha256/" + s.Digest.Encoded():         404,
		"/sha256:":                              404,
		"/sha256:podinfo":                       404,
		"/sha256:../../podinfo":                 404,
		"/" + string(s.Digest) + "/blob":        404,
		"/" + string(s.Digest) + ".tar.zst":     404,
		"/" + strings.ToUpper(string(s.Digest)): 404,
		"/" + string(none):                      404,
		"/" + string(none) + ".tar.gz":          404,
		"/sha512:" + strings.Repeat("0", 128):   404,
		"/tmp":                                  404,
	} {
		answer := ask(t, h, http.MethodGet, path)
		if answer.StatusCode != status {
			t.Errorf("GET %s: %s, want %d", path, answer.Status, status)
		}
		if body := bodyOf(t, answer); status == 404 && string(body) != "Not Found\n" {
			t.Errorf("GET %s: %q", path, body)
		}
		if status == 404 && (answer.Header.Get("Cache-Control") != "no-store" || answer.Header.Get("ETag") != "") {
			t.Errorf("GET %s: headers %v", path, answer.Header)
		}
	}
	for _, name := range []string{"", ".", "..", "apps/", "../podinfo", `..\podinfo`, "-podinfo", "über", "podinfo\x00", "podinfo\xff",
		strings.Repeat("a", 241), strings.Repeat("A", 121), string(s.Digest)} {
		if asked[name] {
			t.Errorf("Names was asked for %q", name)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "PROPFIND"} {
		answer := ask(t, h, method, "/podinfo")
		if answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s, Allow %q", method, answer.Status, answer.Header.Get("Allow"))
		}
	}
}

func TestHandlerWithoutNames(t *testing.T) {
	s := shelve(t, 100, artifact.Gzip)
	h := http.StripPrefix("/artifacts", artifacthttp.Handler(plain{s}, artifacthttp.HandlerOptions{}))
	for path, status := range map[string]int{"/artifacts/podinfo": 404, "/artifacts/" + string(s.Digest): 200, "/artifacts": 404} {
		if answer := ask(t, h, http.MethodGet, path); answer.StatusCode != status {
			t.Errorf("GET %s: %s, want %d", path, answer.Status, status)
		}
	}
}

// A name may come to stand for another artifact, and the old one be collected, between two steps of an answer.
func TestHandlerResolvesAgainWhatIsGone(t *testing.T) {
	s := shelve(t, 100, artifact.Gzip)
	answers := []digest.Digest{digest.FromString("gone"), digest.FromString("gone too"), s.Digest}
	h := artifacthttp.Handler(s, artifacthttp.HandlerOptions{Names: resolver(func(context.Context, string) (digest.Digest, error) {
		d := answers[0]
		answers = answers[min(1, len(answers)-1):]
		return d, nil
	})})
	if answer := ask(t, h, http.MethodGet, "/podinfo"); answer.StatusCode != 200 {
		t.Error(answer.Status)
	}
	asked := 0
	h = artifacthttp.Handler(s, artifacthttp.HandlerOptions{Names: resolver(func(context.Context, string) (digest.Digest, error) {
		asked++
		return digest.FromString("gone"), nil
	})})
	if answer := ask(t, h, http.MethodGet, "/podinfo"); answer.StatusCode != 404 || asked != 3 {
		t.Errorf("%s, after Names was asked %d times", answer.Status, asked)
	}
}

func TestHandlerTellsErrorsToWhomItMay(t *testing.T) {
	s := shelve(t, 100, artifact.Gzip)
	secret := errors.New("disk /dev/secret is broken")
	var heard []error
	h := artifacthttp.Handler(s, artifacthttp.HandlerOptions{
		Names:   resolver(func(context.Context, string) (digest.Digest, error) { return "", secret }),
		OnError: func(_ *http.Request, err error) { heard = append(heard, err) },
	})
	answer := ask(t, h, http.MethodGet, "/podinfo")
	if body := bodyOf(t, answer); answer.StatusCode != 500 || string(body) != "Internal Server Error\n" {
		t.Errorf("%s, %q", answer.Status, body)
	}
	if len(heard) != 1 || !errors.Is(heard[0], secret) {
		t.Errorf("heard %v", heard)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/podinfo", nil))
	if len(heard) != 1 {
		t.Errorf("heard of a client that left: %v", heard[1:])
	}
}

// Whatever is damaged, no answer is whole, nor are all the parts together.
func TestHandlerNeverServesADamagedArtifactAsWhole(t *testing.T) {
	const firstBytes = 64 << 10
	for _, size := range []int{100, firstBytes - 1000, 3 * firstBytes} {
		s := shelve(t, size, artifact.None)
		length := len(s.data)
		for name, at := range map[string]int{"first": 0, "middle": length / 2, "last": length - 1} {
			s.damage(t, at)
			errs := make(chan error, 1)
			url := serve(t, artifacthttp.Handler(s, artifacthttp.HandlerOptions{OnError: func(_ *http.Request, err error) { errs <- err }}))
			for _, part := range []string{"", "bytes=0-", "bytes=1-", "bytes=-1", "bytes=" + itoa(length-1) + "-" + itoa(length+5)} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/"+string(s.Digest), nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Range", part)
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				n, err := io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				var heard error
				select {
				case heard = <-errs: // before the answer ended
				default:
				}
				whole := answer.StatusCode < 300 && (err == nil || n == answer.ContentLength)
				if whole || !errors.Is(heard, artifact.ErrDigest) {
					t.Errorf("%d bytes, %s damaged, Range %q: %s, %d bytes, %v; heard %v", length, name, part, answer.Status, n, err, heard)
				}
				if length < firstBytes && answer.StatusCode != 500 {
					t.Errorf("%d bytes, %s damaged, Range %q: %s, want 500", length, name, part, answer.Status)
				}
			}
			s.damage(t, at) // and right again
		}
	}
}

func TestHandlerBreaksOffInHTTP2(t *testing.T) {
	s := shelve(t, 300_000, artifact.None)
	server := httptest.NewUnstartedServer(artifacthttp.Handler(s, artifacthttp.HandlerOptions{}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for _, damaged := range []bool{false, true} {
		if damaged {
			s.damage(t, 5)
		}
		answer, err := server.Client().Get(server.URL + "/" + string(s.Digest))
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.ProtoMajor != 2 || damaged != (err != nil) || damaged == (n == int64(len(s.data))) {
			t.Errorf("damaged %v: %s, %d bytes of %d, %v", damaged, answer.Proto, n, len(s.data), err)
		}
	}
}
