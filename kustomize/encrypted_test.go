package kustomize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// Files as SOPS writes them, in its formats; what is in them does not matter here. That a build goes from real ones to
// their plaintext is tested beside the benchmarks, in whose module SOPS is.
var sopsFiles = map[string]string{
	"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata:\n    name: s\nstringData:\n    a: ENC[AES256_GCM,data:eA==,type:str]\n" +
		"sops:\n    age:\n        - recipient: age1\n          enc: |\n            -----BEGIN AGE ENCRYPTED FILE-----\n            YQ==\n\n" +
		"    lastmodified: \"2026-01-01T00:00:00Z\"\n    mac: ENC[AES256_GCM,data:eA==,type:str]\n    version: 3.10.0\n",
	"two.yaml": "a: ENC[AES256_GCM,data:eA==,type:str]\nsops:\n    mac: ENC[AES256_GCM,data:eA==,type:str]\n---\n" +
		"b: ENC[AES256_GCM,data:eA==,type:str]\nsops:\n    mac: ENC[AES256_GCM,data:eA==,type:str]\n",
	"first.yaml":  "sops:\n    mac: ENC[AES256_GCM]\nkind: Secret\n",
	"secret.json": "{\n\t\"data\": \"ENC[AES256_GCM]\",\n\t\"sops\": {\"age\": [], \"mac\": \"ENC[AES256_GCM]\"}\n}",
	"secret.env":  "A=ENC[AES256_GCM]\nsops_mac=ENC[AES256_GCM]\nsops_version=3.10.0\n",
	"secret.ini":  "[a]\nb = ENC[AES256_GCM]\n\n[sops]\nmac = ENC[AES256_GCM]\n",
}

var notSopsFiles = map[string]string{
	"none":        oneObject,
	"a word":      "# sops: is not used here\n" + oneObject,
	"a value":     "data:\n  sops: |\n    mac: x\n",
	"a field":     "sops: enabled\n",
	"no mac":      "sops:\n  version: 3\n",
	"nothing":     "sops:\n",
	"not a map":   "sops:\n- mac: x\n",
	"json":        `{"sops": {"version": "3"}}`,
	"broken json": `{"sops": {"mac": "x"`,
	"json inside": `{"data": {"sops": {"mac": "x"}}}`,
}

func TestEncryptedFilesAreKnownByTheirMetadata(t *testing.T) {
	for name, content := range sopsFiles {
		if !isEncrypted([]byte(content)) {
			t.Errorf("%s is encrypted", name)
		}
		if windows := strings.ReplaceAll(content, "\n", "\r\n"); !isEncrypted([]byte(windows)) {
			t.Errorf("%s is encrypted, with the line ends of Windows", name)
		}
	}
	for name, content := range notSopsFiles {
		if isEncrypted([]byte(content)) {
			t.Errorf("%s is not encrypted", name)
		}
	}
}

const decryptedTree = `
-- app/kustomization.yaml --
resources: [secret.yaml, plain.yaml]
secretGenerator:
- name: generated
  envs: [secret.env]
  files: [secret.ini]
patches: [{path: patch.yaml}]
-- app/plain.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: plain}
`

// TestDecryptSeesEachEncryptedFileOnce decrypts with a function that knows what is in the files.
func TestDecryptSeesEachEncryptedFileOnce(t *testing.T) {
	fsys := files(decryptedTree)
	for _, name := range []string{"secret.yaml", "secret.env", "secret.ini"} {
		fsys["app/"+name] = file(sopsFiles[name])
	}
	fsys["app/patch.yaml"] = file("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: ENC}\nsops:\n  mac: x\n")
	plain := map[string]string{
		"app/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter2}\n",
		"app/secret.env":  "A=hunter2\n",
		"app/secret.ini":  "b = hunter2\n",
		"app/patch.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: patched}\n",
	}
	seen := map[string]int{}
	decrypt := func(_ context.Context, name string, content []byte) ([]byte, error) {
		seen[name]++
		if !bytes.Equal(content, fsys[name].Data) {
			t.Errorf("%s was handed over as %q", name, content)
		}
		return []byte(plain[name]), nil
	}
	b := &Builder{Dir: "app", Options: Options{Decrypt: decrypt}}
	objects, err := b.Build(context.Background(), fsys)
	if err != nil {
		t.Fatal(err)
	}
	text := printed(t, objects)
	for _, want := range []string{`"stringData":{"a":"hunter2"}`, `"A":"aHVudGVyMg=="`, `"secret.ini":"YiA9IGh1bnRlcjIK"`, `"data":{"a":"patched"}`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if _, err := b.Build(context.Background(), fsys); err != nil {
		t.Error(err)
	}
	if fmt.Sprint(seen) != "map[app/patch.yaml:1 app/secret.env:1 app/secret.ini:1 app/secret.yaml:1]" {
		t.Errorf("seen: %v", seen)
	}
}

func TestDecryptFails(t *testing.T) {
	boom := errors.New("no key")
	for name, c := range map[string]struct {
		decrypt func(context.Context, string, []byte) ([]byte, error)
		want    error
		text    string
	}{
		"an error":   {func(context.Context, string, []byte) ([]byte, error) { return nil, boom }, boom, "a.yaml: decrypting: no key"},
		"nothing":    {func(context.Context, string, []byte) ([]byte, error) { return nil, nil }, nil, "returned nothing"},
		"too large":  {func(context.Context, string, []byte) ([]byte, error) { return make([]byte, 1000), nil }, ErrTooLarge, "MaxFileBytes"},
		"not a file": {func(context.Context, string, []byte) ([]byte, error) { return []byte("hunter2: ["), nil }, nil, "a.yaml:1"},
	} {
		fsys := fstest.MapFS{"a.yaml": file(sopsFiles["secret.yaml"])}
		objects, err := Build(context.Background(), fsys, ".", Options{Decrypt: c.decrypt, MaxFileBytes: 900})
		if err == nil || objects != nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s tells the secret: %v", name, err)
		}
	}
}

// TestEncryptedFilesAreBuiltAsTheyAreOnlyWhereAskedFor keeps what cannot be read from being applied.
func TestEncryptedFilesAreBuiltAsTheyAreOnlyWhereAskedFor(t *testing.T) {
	fsys := fstest.MapFS{"app/a.yaml": file(sopsFiles["secret.yaml"])}
	objects, err := Build(context.Background(), fsys, "app", Options{})
	if !errors.Is(err, ErrEncrypted) || objects != nil || err.Error() != "building app: app/a.yaml: encrypted by SOPS (set Options.Decrypt)" {
		t.Errorf("%v, %v", objects, err)
	}
	same := func(_ context.Context, _ string, content []byte) ([]byte, error) { return content, nil }
	objects, err = Build(context.Background(), fsys, "app", Options{Decrypt: same})
	if err != nil || objects[0].Object["sops"] == nil {
		t.Errorf("%v, %v", objects, err)
	}
}
