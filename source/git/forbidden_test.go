package git

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// spellings are names that are, or nearly are, what git lets no tree have.
func spellings() []string {
	var all []string
	for _, word := range []string{".git", ".GIT", ".gIt", "git~1", "GIT~1", "git~2", "git~11", ".gitmodules", ".GitModules", "gitmod~1",
		"GITMOD~4", "gitmod~5", "gitmod~0", "gi7eba~1", "GI7EBA~9", "gi7eb~10", "gi7e~123", "~1000000", "gi7eba~0", "gi7eba~12", "gi7eb~1",
		"gi7ebb~1", "..", ".", "...", ".gitx", "git", ".gi", ".git~1", "gitmodules", ".gitignore", "x"} {
		for _, tail := range []string{"", ".", " ", ". .", "::$INDEX_ALLOCATION", ":x", " :x", "\\", "\\x", ". \\x", "x", "\t", ".x", "~1"} {
			all = append(all, word+tail)
		}
		for _, head := range []string{"a\\", "\\", " ", "a\\b\\", "a:", "C:\\", "\\\\?\\"} {
			all = append(all, head+word)
		}
		for _, ignored := range []string{"\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202e", "\u206a", "\u206f", "\ufeff", "\u200b",
			"\u2060", "\u0301", "\u00ad"} {
			for i := range len(word) + 1 {
				all = append(all, word[:i]+ignored+word[i:])
			}
			all = append(all, ignored+word+ignored+".", word+"\\"+ignored)
		}
	}
	// Letters that fold to those of git elsewhere, and text that is not UTF-8.
	return append(all, ".g\u0131t", ".g\u0130t", ".gi\u1e6d", "\uff0egit", ".g\xe2\x80it", ".g\xe2\x80\x8cit", ".git\xe2", ".git\xff")
}

// TestForbiddenNamesAreGits has git itself judge names, as it does where file systems are those of macOS and of Windows.
func TestForbiddenNamesAreGits(t *testing.T) {
	dir := t.TempDir()
	environment := append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir, "GIT_DIR="+filepath.Join(dir, "repo"))
	git := func(in string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Env, cmd.Stdin = environment, strings.NewReader(in)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := git("", "init", "-q", "--bare"); err != nil {
		t.Fatal(out, err)
	}
	for mode, kind := range map[string]string{"100644": "file", "120000": "link"} {
		var in strings.Builder
		for _, name := range spellings() {
			in.WriteString(mode + " e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 0\t" + kind + "/" + name + "\x00")
		}
		// What git refuses is left out of its index.
		strict := []string{"-c", "core.protectNTFS=true", "-c", "core.protectHFS=true"}
		if out, err := git(in.String(), append(strict, "update-index", "-z", "--index-info")...); err != nil {
			t.Fatal(out, err)
		}
		out, err := git("", "ls-files", "-z", kind)
		if err != nil {
			t.Fatal(out, err)
		}
		accepted := make(map[string]bool)
		for name := range strings.SplitSeq(out, "\x00") {
			accepted[strings.TrimPrefix(name, kind+"/")] = true
		}
		if len(accepted) < 100 {
			t.Fatalf("git takes only %d names", len(accepted))
		}
		for _, name := range spellings() {
			ours := forbidden(object.Entry{Mode: mode, Name: name}) == ""
			switch {
			case ours && !accepted[name]:
				t.Errorf("%s %q: git refuses it", kind, name)
			case !ours && accepted[name] && !strings.HasPrefix(name, "\\"): // where git looks only behind the next one
				t.Errorf("%s %q: git takes it", kind, name)
			}
		}
	}
}
