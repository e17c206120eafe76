package bucket_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A store knows what it was sent. No error says it again, wherever in its answers the store puts it.
func TestNoErrorTellsWhatTheStoreWasSent(t *testing.T) {
	const access, token = "PLANTEDACCESS1234567", "planted/token+of==a\"session<&>"
	customerKey := []byte("planted-\xff-planted-planted-plantedd")[:32]
	long := strings.Repeat("planted-long-token-", 40)
	escape := func(text string) string {
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", "\"", "&quot;").Replace(text)
	}
	opts := bucket.Options{AccessKey: access, SecretKey: "s", CustomerKey: customerKey}
	for _, opts.SessionToken = range []string{token, long} {
		for _, word := range []string{access, opts.SessionToken, string(customerKey), base64.StdEncoding.EncodeToString(customerKey),
			hex.EncodeToString(customerKey)} {
			for place, answer := range map[string]http.HandlerFunc{
				"code":         refuse(403, "<Code>"+escape(word)+"</Code>"),
				"message":      refuse(400, "<Message>"+escape(word)+"</Message>"),
				"region":       refuse(301, "<Code>PermanentRedirect</Code><Region>"+escape(word)+"</Region>"),
				"region too":   refuse(400, "<Code>AuthorizationHeaderMalformed</Code><Region>"+escape(word)+"</Region>"),
				"page":         refuse(500, escape(word)),
				"root":         func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "<%s/>", strings.Map(letters, word)) },
				"key":          listingOf(key("../"+escape(word), 3)),
				"twice":        listingOf(key(escape(word), 3) + key(escape(word), 3)),
				"key, too big": listingOf(key(escape(word), 1<<40)),
				"no ETag":      listingOf(`<Contents><Key>` + escape(word) + `</Key><Size>1</Size></Contents>`),
				"ETag":         listingOf(`<Contents><Key>a</Key><Size>1</Size><ETag>` + escape(word) + "&#10;</ETag></Contents>"),
				"size":         listingOf(`<Contents><Key>a</Key><Size>` + escape(word) + `</Size></Contents>`),
				"time":         listingOf(`<Contents><Key>a</Key><LastModified>` + escape(word) + `</LastModified></Contents>`),
				"encoding":     listingOf(`<EncodingType>url</EncodingType><Contents><Key>%zz` + escape(word) + `</Key></Contents>`),
				"header": func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["X-Minio-Error-Desc"], w.Header()["X-Minio-Error-Code"] = []string{word}, []string{word}
					w.Header()["X-Amz-Bucket-Region"], w.Header()["Location"] = []string{word}, []string{"http://" + word}
					w.WriteHeader(301)
				},
				"checksum": func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/a") {
						w.Header().Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString([]byte(word)))
						if len(word) != sha256.Size {
							w.Header().Set("X-Amz-Checksum-Sha256", word)
						}
						object("abc")(w, r)
						return
					}
					page(w, false, key("a", 3))
				},
			} {
				synctest.Test(t, func(t *testing.T) { checkUntold(t, place, word, answer, opts) })
			}
		}
	}
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return 'x'
}

func refuse(status int, inside string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "99")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error>%s</Error>", inside)
	}
}

func listingOf(contents string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { page(w, false, contents) }
}

func checkUntold(t *testing.T, place, word string, answer http.HandlerFunc, opts bucket.Options) {
	opts.Endpoint, opts.Bucket, opts.MaxWait = "https://store.invalid", "fleet", time.Millisecond
	opts.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		answer(w, r)
		return w.Result(), nil
	})
	_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
	if err == nil {
		if place != "checksum" { // what is none is passed over
			t.Errorf("%s: there is no error", place)
		}
		return
	}
	for _, secret := range []string{"PLANTEDACCESS", "planted/token", "planted-long", `planted-\xff`, "planted-\xff-",
		base64.StdEncoding.EncodeToString(opts.CustomerKey)[:12], hex.EncodeToString(opts.CustomerKey)[:12]} {
		if strings.Contains(err.Error(), secret) || strings.Contains(fmt.Sprintf("%+v %#v", err, err), secret) {
			t.Errorf("%s %.50q: a secret is in %.900v", place, word, err)
		}
	}
}

// Services for credentials know tokens, too.
func TestNoErrorTellsWhatServicesForCredentialsWereSent(t *testing.T) {
	const secret = "planted-token"
	long := strings.Repeat(secret, 40)
	for _, token := range []string{secret, long} {
		for place, answer := range map[string]http.HandlerFunc{
			"code":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"Code": %q}`, token) },
			"page":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, token) },
			"time":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"Expiration": %q}`, token) },
			"refusal": refuse(403, "<Code>"+token+"</Code><Message>"+token+"</Message>"),
			"fault":   refuse(500, token),
			"endless": func(w http.ResponseWriter, _ *http.Request) { endless(w) },
			"redirect": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://nonexistent.invalid/"+token, http.StatusTemporaryRedirect)
			},
			"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err == nil {
					fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", token)
					_ = conn.Close()
				}
			},
		} {
			server := httptest.NewServer(answer)
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.URL)
			t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)
			identity := func(context.Context) (string, error) { return token, nil }
			role := bucket.RoleOptions{Endpoint: server.URL}
			base := bucket.Static(bucket.Credential{AccessKey: "a", SecretKey: "s", SessionToken: token})
			for name, ask := range map[string]bucket.CredentialFunc{
				"container": bucket.FromContainer,
				"identity":  bucket.FromWebIdentity(identity, role), "role": bucket.FromRole(base, role),
			} {
				_, err := ask(t.Context(), bucket.CredentialRequest{Endpoint: server.URL, Region: "us-east-1"})
				if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
					t.Errorf("%s, %s: got %.300v", name, place, err)
				}
			}
			server.Close()
		}
	}
}

// An instance's metadata service gives a token, and is sent it again.
func TestNoErrorTellsTheTokenOfTheMetadataService(t *testing.T) {
	token := strings.Repeat("planted-token", 20)
	for place, answer := range map[string]string{
		"role":        token,
		"code":        fmt.Sprintf(`{"Code": %q}`, token),
		"first lines": token + "\n" + token,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPut:
				fmt.Fprint(w, token)
			case strings.HasSuffix(r.URL.Path, token):
				w.WriteHeader(http.StatusTeapot)
			default:
				fmt.Fprint(w, answer)
			}
		}))
		t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.URL)
		_, err := bucket.FromInstance(t.Context(), bucket.CredentialRequest{})
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "planted") {
			t.Errorf("%s: got %v", place, err)
		}
		server.Close()
	}
}
