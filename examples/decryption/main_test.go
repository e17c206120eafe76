package main

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"filippo.io/age"
	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
	sopsage "github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/cmd/sops/common"
	"github.com/getsops/sops/v3/cmd/sops/formats"
	"github.com/getsops/sops/v3/config"
)

const planted = "hunter2"

// plain is what is encrypted: a file of objects, and what Secrets are generated from, in all formats that SOPS has.
var plain = map[string]string{
	"secret.yaml":      "apiVersion: v1\nkind: Secret\nmetadata:\n    name: one\nstringData:\n    password: hunter2\n---\napiVersion: v1\nkind: Secret\nmetadata:\n    name: two\nstringData:\n    password: hunter2\n",
	"object.json":      `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "three"}, "stringData": {"password": "hunter2"}}`,
	"settings.env":     "PASSWORD=hunter2\n",
	"settings.ini":     "[database]\npassword = hunter2\n",
	"certificate.pem":  "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n",
	"patch/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n    name: open\ndata:\n    patched: hunter2\n",
}

const kustomization = `
resources: [secret.yaml, object.json, open.yaml]
secretGenerator:
- name: four
  envs: [settings.env]
  files: [settings.ini, certificate.pem]
patches: [{path: patch/patch.yaml}]
`

// encrypted returns a tree with each file of plain encrypted for a new age key, which SOPS finds in the environment.
func encrypted(t *testing.T) fstest.MapFS {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOPS_AGE_KEY", identity.String())
	fsys := fstest.MapFS{
		"kustomization.yaml": {Data: []byte(kustomization)},
		"open.yaml":          {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: open}\n")},
	}
	for name, content := range plain {
		fsys[name] = &fstest.MapFile{Data: encrypt(t, name, content, identity.Recipient().String())}
		if strings.Contains(string(fsys[name].Data), planted) {
			t.Fatalf("%s is not encrypted:\n%s", name, fsys[name].Data)
		}
	}
	return fsys
}

// encrypt does what the program sops does.
func encrypt(t *testing.T, name, content, recipient string) []byte {
	t.Helper()
	store := common.StoreForFormat(formats.FormatForPath(name), config.NewStoresConfig())
	branches, err := store.LoadPlainFile([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	key, err := sopsage.MasterKeyFromRecipient(recipient)
	if err != nil {
		t.Fatal(err)
	}
	tree := sops.Tree{Branches: branches, Metadata: sops.Metadata{
		KeyGroups: []sops.KeyGroup{{key}}, Version: "3.13.3", LastModified: time.Now().UTC(), EncryptedRegex: "^(data|stringData|password|PASSWORD)$",
	}}
	if f := formats.FormatForPath(name); f == formats.Dotenv || f == formats.Binary {
		tree.Metadata.EncryptedRegex = ""
	}
	dataKey, errs := tree.GenerateDataKey()
	if errs != nil {
		t.Fatal(errs)
	}
	if err := common.EncryptTree(common.EncryptTreeOpts{DataKey: dataKey, Tree: &tree, Cipher: aes.NewCipher()}); err != nil {
		t.Fatal(err)
	}
	out, err := store.EmitEncryptedFile(tree)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestBuildOfEncryptedFilesIsThatOfTheirPlaintext builds real files of SOPS, encrypted with age.
func TestBuildOfEncryptedFilesIsThatOfTheirPlaintext(t *testing.T) {
	objects, err := build(context.Background(), encrypted(t))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range objects {
		name, _, _ := strings.Cut(o.GetName(), "-")
		names = append(names, o.GetKind()+" "+name)
		if o.Object["sops"] != nil {
			t.Errorf("%s has SOPS' metadata", o.GetName())
		}
		if got, _ := o.Object["stringData"].(map[string]any); got != nil && got["password"] != planted {
			t.Errorf("%s: %v", o.GetName(), o.Object)
		}
	}
	if got, want := strings.Join(names, ", "), "Secret one, Secret two, Secret three, ConfigMap open, Secret four"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if data, _ := objects[3].Object["data"].(map[string]any); data["patched"] != planted {
		t.Errorf("the encrypted patch is not there: %v", objects[3].Object)
	}
	data, _ := objects[4].Object["data"].(map[string]any)
	for key, want := range map[string]string{
		"PASSWORD": planted, "settings.ini": "[database]\npassword = hunter2\n", "certificate.pem": plain["certificate.pem"],
	} {
		encoded, _ := data[key].(string)
		got, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || strings.Join(strings.Fields(string(got)), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s is %q, %v", key, got, err)
		}
	}
}

// TestWithoutTheKeyNothingIsBuilt has a key that is not the files'.
func TestWithoutTheKeyNothingIsBuilt(t *testing.T) {
	fsys := encrypted(t)
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOPS_AGE_KEY", other.String())
	objects, err := build(context.Background(), fsys)
	if err == nil || objects != nil || !strings.Contains(err.Error(), "secret.yaml: decrypting: ") {
		t.Errorf("%v, %v", objects, err)
	}
}

// TestAFileThatWasTamperedWithIsRefused swaps a value that is not encrypted, which the file's authentication code covers.
func TestAFileThatWasTamperedWithIsRefused(t *testing.T) {
	fsys := encrypted(t)
	f := fsys["secret.yaml"]
	f.Data = []byte(strings.Replace(string(f.Data), "name: one", "name: admin", 1))
	if objects, err := build(context.Background(), fsys); err == nil {
		t.Errorf("built %d objects", len(objects))
	}
}
