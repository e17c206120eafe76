package git

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

// gitsConfig is what git reads: each key and value as one text, and whether it is right to the end.
func gitsConfig(t *testing.T, file string) ([]string, bool) {
	t.Helper()
	cmd := exec.Command("git", "config", "-f", file, "--list", "-z")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
	out, err := cmd.Output()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if line != "" {
			key, value, _ := strings.Cut(line, "\n")
			all = append(all, keyAndValue(key, value))
		}
	}
	return all, err == nil
}

// keyAndValue has the blanks within values alike: what git makes of tabs depends on its version.
func keyAndValue(key, value string) string {
	return fmt.Sprintf("%q = %q", key, strings.NewReplacer("\t", " ", "\r", " ").Replace(value))
}

func ourConfig(text string) ([]string, bool) {
	var all []string
	err := parseConfig([]byte(text), func(section, key, value string) {
		if section != "" {
			key = section + "." + key
		}
		all = append(all, keyAndValue(key, value))
	})
	return all, err == nil
}

func checkConfig(t *testing.T, file, text string) bool {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want, right := gitsConfig(t, file)
	got, ok := ourConfig(text)
	if ok != right || ok && !slices.Equal(got, want) {
		t.Errorf("%q: got %q, %t, and git has %q, %t", text, got, ok, want, right)
	}
	return right
}

var configTexts = []string{
	"", "\n", "[a]", "[a]\nb", "[a]\nb=c", "[a] b = c\n", "[A \"B\"]\nC=D", "[a.B]\nc = d", "[a \"b\\\"c\\\\d\\e\"]\nf=g",
	"[a]\nb = c # d\n", "[a]\nb = \"c # d\" ; e\n", "[a]\nb = c\\\n  d\n", "[a]\nb = \"c\\\nd\"\n", "[a]\nb = c\\td\\ne\\\\\\\"f",
	"[a]\nb = c\\q\n", "[a]\nb = \"c\n", "[a]\nb c\n", "[a\nb", "[a \"b]\nc=d", "[a \"b\" ]\nc=d", "[a  \"b\"]\nc=d", "[a b]\nc=d",
	"\ufeff[a]\nb=c", "[a]\r\nb = c\r\n", "[a]\rb = c\r", "[a]\nb = c \\\r\n d\r\n", "b = c\n", "[a]\n1=2", "[a]\nb-1=2", "[a]\nb_1=2",
	"[a]\nb=  c  d   \"  e  \"  \n", "[a]\nb==c", "[a]\nb=c\\", "[]\na=b", "[ \"b\"]\nc=d", "[.]\na=b", "[\"\"]\na=b", "[a \"\"]\nb=c", "[a]b=c[d]\n[e]f", "# c [a]\n;d\n[a] # e\nb",
	"[a \"b\n\"]\nc=d", "[a \"é\\\xff\"]\nb=\xff\n", "[submodule \"x\"]\n\tpath = x\n\tURL = ../x.git\n", "[a]\nb=\"c\"d\"e\"\n", "[a]\nb\\\n=c",
}

func TestConfigIsReadAsGitDoes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	for _, text := range configTexts {
		checkConfig(t, file, text)
	}
	random := rand.New(rand.NewPCG(7, 7))
	pieces := []string{"[", "]", "a", "B", "submodule", " ", "\t", "\n", "\r\n", "\r", "\"", "\\", "=", "#", ";", ".", "-", "1", "é",
		"[a]\n", "[b \"c\"]\n", "path = ", "url=", "\\\n", "\\t", "\"x y\"", "\n\t"}
	right := 0
	for range 600 {
		var text strings.Builder
		if random.IntN(3) > 0 {
			text.WriteString("[submodule \"x\"]\n")
		}
		for range random.IntN(9) {
			text.WriteString(pieces[random.IntN(len(pieces))])
		}
		if checkConfig(t, file, text.String()) {
			right++
		}
	}
	if right < 100 {
		t.Errorf("only %d texts are right", right)
	}
}

func TestModulesByPath(t *testing.T) {
	for text, want := range map[string]string{
		"[submodule \"x\"]\npath=libs/x\nurl=../x":                                                    `"libs/x" "../x" false`,
		"[SubModule \"X.y\"]\nPATH=p\nUrl=u\nupdate=none\n[submodule \"x.y\"]\npath=q\nupdate=rebase": `"p" "u" true, "q" "" false`,
		"[submodule \"a\"]\npath=p\nurl=1\n[submodule \"b\"]\npath=p\nurl=2":                          `"p" "2" false`,
		"[submodule \"a\"]\npath=p\npath=q\nurl=1\nurl=2":                                             `"q" "2" false`,
		"[submodule]\npath=p\n[other \"a\"]\npath=q\n[submodules \"a\"]\npath=r":                      ``,
		"[submodule \"../../a\"]\npath=../p\nurl":                                                     `"../p" "" false`,
	} {
		modules, err := parseModules([]byte(text))
		var got []string
		for path, m := range modules {
			got = append(got, fmt.Sprintf("%q %q %t", path, m.url, m.none))
		}
		slices.Sort(got)
		if strings.Join(got, ", ") != want || err != nil {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}

func TestModulesErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[submodule \"a\"]\npath=p\n[broken\n": "line 3", "a=\x00": "line 1", "[a]\nb=\"c\n[d]": "line 2",
	} {
		if _, err := parseModules([]byte(text)); err == nil || !strings.Contains(err.Error(), ".gitmodules: "+want) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := parseModules(make([]byte, maxModulesBytes+1)); !errors.Is(err, source.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func FuzzConfigIsReadToItsEnd(f *testing.F) {
	for _, text := range configTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, ok := ourConfig(text)
		if len(entries) > len(text) {
			t.Errorf("%d entries of %d bytes", len(entries), len(text))
		}
		// A comment in a line of its own, and lines after the end, change nothing.
		if again, same := ourConfig("# comment [\n" + strings.TrimPrefix(text, "\ufeff")); same != ok || ok && !slices.Equal(again, entries) {
			t.Errorf("%q: got %q, %t, and with a comment before it %q, %t", text, entries, ok, again, same)
		}
		modules, err := parseModules([]byte(text))
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		for path, m := range modules {
			if m.path != path {
				t.Errorf("%q: %q is under %q", text, m.path, path)
			}
		}
	})
}
