package gitopskit_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gitopskit/gitopskit"

// rooms says for each package of the module which other packages of it and which modules from outside it may import by
// itself, and how many packages from outside the standard library it may bring along in all. Today's count stands beside
// the budget. To raise one is a decision: a consumer pays for each.
var rooms = map[string]struct {
	own, outside []string
	budget       int
}{
	"artifact/artifacthttp": {[]string{"artifact"}, []string{"github.com/opencontainers/go-digest"}, 17}, // 15

	"reconcile/eventlog":      {[]string{"reconcile", "apply", "source"}, nil, 130},                                                                                       // 128
	"reconcile/kubeevents":    {[]string{"reconcile", "apply"}, []string{"k8s.io/apimachinery", "k8s.io/client-go/rest", "k8s.io/client-go/util/flowcontrol"}, 130},       // 128
	"reconcile/otelreconcile": {[]string{"reconcile", "apply", "source"}, []string{"go.opentelemetry.io/otel", "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"}, 143}, // 141
	"reconcile/prommetrics":   {[]string{"reconcile", "apply"}, []string{"github.com/prometheus/client_golang/prometheus"}, 170},                                          // 167

	"source": {nil, []string{"github.com/opencontainers/go-digest", "golang.org/x/"}, 3}, // 2
	"source/git": {[]string{"source"}, []string{"github.com/opencontainers/go-digest", "golang.org/x/", "github.com/pjbgf/sha1cd",
		"github.com/Masterminds/semver/v3", "github.com/klauspost/compress", "github.com/ProtonMail/go-crypto"}, 105}, // 105
	"source/bucket":        {[]string{"source"}, []string{"github.com/opencontainers/go-digest", "golang.org/x/", "github.com/minio/minio-go/v7"}, 52},                                                              // 50
	"source/sourcetest":    {[]string{"source"}, []string{"github.com/opencontainers/go-digest", "golang.org/x/"}, 4},                                                                                               // 3
	"artifact":             {[]string{"internal/flock"}, []string{"github.com/opencontainers/go-digest", "github.com/klauspost/compress"}, 15},                                                                      // 14
	"kustomize":            {nil, []string{"sigs.k8s.io/kustomize/api", "sigs.k8s.io/kustomize/kyaml", "k8s.io/apimachinery", "sigs.k8s.io/yaml", "go.yaml.in/yaml", "gopkg.in/evanphx/json-patch.v4"}, 206},        // 202
	"apply":                {nil, []string{"k8s.io/client-go", "k8s.io/apimachinery", "sigs.k8s.io/cli-utils/pkg/kstatus/status"}, 114},                                                                             // 110
	"reconcile/webhook":    {nil, nil, 1},                                                                                                                                                                           // 1: itself
	"reconcile":            {[]string{"source", "artifact", "apply"}, []string{"k8s.io/client-go/util/workqueue", "github.com/opencontainers/go-digest", "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"}, 128}, // 126
	"reconcile/statuspage": {[]string{"source", "apply", "reconcile"}, nil, 130},                                                                                                                                    // 127
}

func TestPackagesImportWhatTheDesignAllows(t *testing.T) {
	for name, room := range rooms {
		for _, imported := range list(t, "-f", `{{join .Imports "\n"}}`, name) {
			if !strings.Contains(imported, ".") || strings.HasPrefix(imported, module+"/"+name+"/internal") {
				continue
			}
			allowed := room.outside
			if own, ok := strings.CutPrefix(imported, module+"/"); ok {
				imported, allowed = own, room.own
			}
			if !slices.ContainsFunc(allowed, func(a string) bool { return within(imported, a) }) {
				t.Errorf("%s imports %s, and may import %v and %v", name, imported, room.own, room.outside)
			}
		}
	}
}

func within(imported, allowed string) bool {
	return imported == allowed || strings.HasPrefix(imported, strings.TrimSuffix(allowed, "/")+"/")
}

func TestPackagesStayWithinTheirBudgets(t *testing.T) {
	for name, room := range rooms {
		n := 0
		for _, dep := range list(t, "-deps", name) {
			if first, _, _ := strings.Cut(dep, "/"); strings.Contains(first, ".") {
				n++
			}
		}
		if n > room.budget {
			t.Errorf("%s brings %d packages along, and its budget is %d", name, n, room.budget)
		}
		t.Logf("%s: %d of %d", name, n, room.budget)
	}
}

func TestEveryPackageHasARoom(t *testing.T) {
	for _, path := range list(t, "...") {
		name := strings.TrimPrefix(path, module+"/")
		if name == module || strings.HasPrefix(name, "internal/") || strings.HasPrefix(name, "examples/") || strings.Contains(name, "/internal") {
			continue
		}
		if _, ok := rooms[name]; !ok {
			t.Errorf("%s is in no row of the table above", name)
		}
	}
}

// list runs go list on a package of the module; the last argument is its path in it.
func list(t *testing.T, args ...string) []string {
	t.Helper()
	args[len(args)-1] = "./" + args[len(args)-1]
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Fields(string(out))
}
