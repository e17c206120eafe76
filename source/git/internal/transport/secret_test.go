package transport

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

var planted = Credential{Username: "planted-user", Password: `planted"pass wörd/`, Token: "", PrivateKey: []byte("planted-key"), Passphrase: []byte("planted-phrase")}

// shows fails when text has a planted secret in any spelling.
func shows(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range []string{"planted", "cGxhbnRlZ", "pass w", "pass%20w", "pass+w", fmt.Sprint([]byte("planted-key"))[1:20]} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows %q: %s", what, secret, text)
		}
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	opts := Options{ClientKey: []byte("planted-key"), Proxy: "http://planted-user:planted-pass@example.com", Credentials: give(planted), RoundTripper: http.DefaultTransport}
	values := []any{opts, &opts, []Options{opts}, planted, &planted, map[string]Credential{"x": planted}}
	for _, u := range []string{"https://example.com/a", "ssh://example.com/a", "git://example.com/a"} {
		_, signer := sshKey(t)
		transport := newTransport(t, u, Options{Proxy: opts.Proxy, Credentials: give(planted), KnownHosts: hostLineOf("example.com:22", signer.PublicKey())})
		switch v := transport.(type) {
		case *HTTP:
			_, err := v.site.keeper.credential(t.Context(), nil)
			must(t, err)
			type noMethods HTTP
			values = append(values, v, *v, (*noMethods)(v), v.Session(), &httpConn{Session: v.Session()})
		case *shell:
			_, err := v.site.keeper.credential(t.Context(), nil)
			must(t, err)
			type noMethods shell
			values = append(values, v, *v, (*noMethods)(v), &stream{site: v.site})
		case *daemon:
			values = append(values, v, *v)
		}
	}
	var log bytes.Buffer
	for _, value := range values {
		fmt.Fprintf(&log, "%v %+v %#v %s %q\n", value, value, value, value, value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		if text, err := json.Marshal(value); err == nil {
			log.Write(text)
		}
	}
	shows(t, "printing", log.String())
	for _, want := range []string{"Password:true", "Passphrase:true", "ClientKey:true", "Token:false", "http://example.com"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s is not in %s", want, &log)
		}
	}
}

func TestErrorsHideWhatServersRepeat(t *testing.T) {
	_, signer := sshKey(t)
	echo := planted.Username + " " + planted.Password + " " + url.PathEscape(planted.Password) + " " + url.QueryEscape(planted.Password) + " " +
		base64.StdEncoding.EncodeToString([]byte(planted.Username+":"+planted.Password))
	address := sshServer(t, []ssh.Signer{signer}, func(channel ssh.Channel, _ string) {
		_, _ = io.WriteString(channel.Stderr(), strings.Repeat("x", 470)+echo)
		_, _ = channel.SendRequest("exit-status", false, []byte{0, 0, 0, 1})
	})
	sshCredential := planted
	sshCredential.PrivateKey, sshCredential.Passphrase = nil, nil
	server, _ := standIn(t, nil, func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", echo)
		if r.URL.Path != "/a/info/refs" {
			w.Header().Set("Location", "http://"+planted.Username+".example.com/"+url.PathEscape(planted.Password))
			w.WriteHeader(http.StatusFound)
		}
		return true
	})
	httpCredential := Credential{Username: planted.Username, Password: planted.Password}
	for name, tt := range map[string]struct {
		url        string
		credential Credential
	}{
		"SSH":          {"ssh://" + address + "/a", sshCredential},
		"content type": {server.URL + "/a", httpCredential},
		"redirect":     {server.URL + "/b", httpCredential},
	} {
		opts := Options{AllowPlainHTTP: true, KnownHosts: hostLineOf(address, signer.PublicKey()), Credentials: give(tt.credential)}
		_, err := newTransport(t, tt.url, opts).Open(t.Context(), 2)
		if err == nil || !strings.Contains(err.Error(), "(redacted)") && name != "SSH" {
			t.Errorf("%s: got %v", name, err)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			shows(t, name, fmt.Sprintf("%v %+v %#v", e, e, e))
		}
	}
}

// Tokens come and go, and what is there beside them stays: their user, and what is for the proxy.
func TestManyTokensDoNotReplaceWhatStays(t *testing.T) {
	u, err := url.Parse("https://example.com/a.git")
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	s, err := newSite(u, Options{Proxy: "http://planted-user:planted-proxy@127.0.0.1:1",
		Credentials: func(context.Context, Request) (Credential, error) {
			given++
			return Credential{Username: "planted-ann", Password: fmt.Sprintf("token-%d/", given)}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	var last Credential
	for i := range 200 {
		if last, err = s.keeper.credential(t.Context(), &last); err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"planted-user", "planted-proxy", "planted-ann", last.Password} {
			if got := s.secrets.Redact("it says " + word); got != "it says (redacted)" {
				t.Fatalf("with token %d: got %q", i, got)
			}
		}
	}
}
