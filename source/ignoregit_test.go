package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

// An ignoreCase is a small tree, and the ignore files in it.
type ignoreCase struct {
	folders, files []string // files may be missing on disk: Git takes what is not there for a file
	unmade         []string // folders that are missing on disk
	ignoreFiles    map[string]string
}

// ignored says by walking down what is ignored.
func (c *ignoreCase) ignored(t *testing.T, rules source.IgnoreRules) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	children := make(map[string][]string)
	folders := slices.Concat(c.folders, c.unmade)
	for _, name := range slices.Concat(folders, c.files) {
		children[path.Dir(name)] = append(children[path.Dir(name)], name)
	}
	var walk func(folder string, rules source.IgnoreRules)
	walk = func(folder string, rules source.IgnoreRules) {
		if body, ok := c.ignoreFiles[folder]; ok {
			var err error
			rules, err = rules.With([]byte(body))
			must(t, err)
		}
		for _, name := range children[folder] {
			isFolder := slices.Contains(folders, name)
			all[name] = rules.Ignores(path.Base(name), isFolder)
			if isFolder {
				walk(name, rules.Folder(path.Base(name)))
			}
		}
	}
	walk(".", rules)
	return all
}

// ignoreSeed is a fixed one; another shows what the fixed one does not.
func ignoreSeed(t *testing.T) uint64 {
	seed, err := strconv.ParseUint(os.Getenv("GITOPSKIT_IGNORE_SEED"), 10, 64)
	if err != nil {
		return 1
	}
	t.Logf("seed %d", seed)
	return seed
}

// Each case is a folder of one repository, with its own ignore files; one process judges all paths of all cases.
func TestIgnoreIsWhatGitSays(t *testing.T) {
	const cases = 3000
	random := rand.New(rand.NewPCG(ignoreSeed(t), 0))
	repository := newIgnoreRepository(t)
	var all []*ignoreCase
	var asked bytes.Buffer
	for i := range cases {
		c := newIgnoreCase(random)
		all = append(all, c)
		root := fmt.Sprintf("c%d", i)
		names := c.files
		if i%4 > 0 { // Git needs no folder on the disk to judge what is in it, and disks are slow
			c.folders, c.unmade = nil, c.folders
		} else {
			names = slices.Concat(c.folders, c.files)
		}
		c.write(t, filepath.Join(repository, root), ".gitignore", false)
		for _, name := range names {
			fmt.Fprintf(&asked, "%s/%s\x00", root, name)
		}
	}
	told := gitIgnores(t, repository, &asked)
	paths, ignored, wrong := 0, 0, 0
	for i, c := range all {
		for name, got := range c.ignored(t, source.IgnoreRules{}) {
			want, ok := told[fmt.Sprintf("c%d/%s", i, name)]
			if !ok && slices.Contains(c.unmade, name) {
				continue
			} else if !ok {
				t.Fatalf("git does not tell of c%d/%s", i, name)
			}
			paths++
			if want {
				ignored++
			}
			if got != want && wrong < 10 {
				wrong++
				t.Errorf("%q: got %v, want %v\nfolders %q\nignore files %q", name, got, want, c.folders, c.ignoreFiles)
			}
		}
	}
	t.Logf("%d cases, %d paths, of which %d are ignored", cases, paths, ignored)
	if ignored < paths/8 || ignored > paths*4/5 {
		t.Errorf("the cases are too much alike: %d of %d paths are ignored", ignored, paths)
	}
}

// The tables of TestIgnoreLines are right.
func TestIgnoreLinesAreWhatGitSays(t *testing.T) {
	repository := newIgnoreRepository(t)
	var asked bytes.Buffer
	want := make(map[string]bool)
	for i, tt := range ignoreLineTests() {
		for name, ignored := range tt.names() {
			// Names of one test may be those of a file and a folder.
			root := fmt.Sprintf("c%d.%d", i, len(want))
			folder := path.Dir(name)
			if strings.HasSuffix(name, "/") {
				name = strings.TrimSuffix(name, "/")
				folder = name
			}
			c := ignoreCase{folders: []string{folder}, ignoreFiles: map[string]string{".": tt.text}}
			c.write(t, filepath.Join(repository, root), ".gitignore", false)
			fmt.Fprintf(&asked, "%s/%s\x00", root, name)
			want[root+"/"+name] = ignored
		}
	}
	for name, ignored := range gitIgnores(t, repository, &asked) {
		if ignored != want[name] {
			i, err := strconv.Atoi(strings.TrimPrefix(name[:strings.IndexByte(name, '.')], "c"))
			must(t, err)
			t.Errorf("%q of %q: git says %v", name, ignoreLineTests()[i].text, ignored)
		}
	}
}

// Options are what git calls patterns of the command line. git ls-files reads the disk as a walk does.
func TestIgnoreOptionsAreWhatGitSays(t *testing.T) {
	random := rand.New(rand.NewPCG(ignoreSeed(t), 1))
	repository := newIgnoreRepository(t)
	left, files := 0, 0
	for i := range 60 {
		c := newIgnoreCase(random)
		options := plainIgnoreLines(randomIgnoreText(random) + randomIgnoreText(random))
		root := filepath.Join(repository, fmt.Sprintf("c%d", i))
		c.write(t, root, source.IgnoreFile, true)
		for name := range c.ignoreFiles {
			c.files = append(c.files, path.Join(name, source.IgnoreFile))
		}
		args := []string{"--git-dir=" + repository + "/.git", "--work-tree=.", "ls-files", "-z", "--others",
			"--exclude-per-directory=" + source.IgnoreFile}
		for _, line := range options {
			args = append(args, "--exclude="+line)
		}
		out := runIgnoreGit(t, root, nil, args...)
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		want = slices.DeleteFunc(want, func(name string) bool { return name == "" })
		rules, err := source.ParseIgnore(strings.Join(options, "\n"), source.Limits{})
		must(t, err)
		read := func(name string) ([]byte, error) { return []byte(c.ignoreFiles[path.Dir(name)]), nil }
		got, err := rules.Filter(t.Context(), c.files, read)
		must(t, err)
		walked := c.ignored(t, rules)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("got %q\nwant %q\noptions %q\nignore files %q", got, want, options, c.ignoreFiles)
		}
		for _, name := range c.files {
			if walked[name] == slices.Contains(want, name) {
				t.Errorf("walking, %q: got %v\noptions %q\nignore files %q", name, walked[name], options, c.ignoreFiles)
			}
		}
		left, files = left+len(want), files+len(c.files)
	}
	t.Logf("%d of %d files are left", left, files)
	if left < files/5 || left > files*4/5 {
		t.Errorf("the cases are too much alike: %d of %d files are left", left, files)
	}
}

// plainIgnoreLines returns the lines of which git makes the same patterns whether they are in a file or arguments.
func plainIgnoreLines(text string) []string {
	text = strings.NewReplacer("\x00", "", "\r", "", "\ufeff", "").Replace(text)
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return line == "" || line[0] == '#' || strings.HasSuffix(line, " ")
	})
}

// Every byte by every kind of class, and where patterns are not in a folder of their own.
func TestIgnoreClassesAreWhatGitSays(t *testing.T) {
	classes := []string{
		"[a-c]", "[!a-c]", "[^a-c]", "[]-a]", "[!]-a]", "[a-]", "[-a]", "[a-c-e]", `[\]-\a]`, `[\a-c]`, `[a\-c]`, "[z-a]",
		"[[:alpha:]-z]", "[a-[:digit:]]", "[[:x]", "[[:]", "[[:]]", "[[::]]", "[[:nope:]]", "[[:alpha:]", "[[:alpha]]",
		"[", "[]", "[!]", "[!]]",
		"[\x80-\xff]", "[!\x80]", "[[.a.]]", "[[=a=]]", "[[:ALPHA:]]", "[[:alpha:][:digit:]]", "[![:space:]]", "[+--]",
		"[--/]", "[a/b]", "[!/]", "[*]", "[?]",
		`[\\]`, `[\]`, "[a\\", "[[-a]", "[[]", "?", `\?`,
	}
	for _, name := range strings.Fields("alnum alpha blank cntrl digit graph lower print punct space upper xdigit") {
		classes = append(classes, "[[:"+name+":]]", "[^[:"+name+":]]")
	}
	var asked bytes.Buffer
	repository := newIgnoreRepository(t)
	all := make(map[string]*ignoreCase)
	for i, class := range classes {
		for j, pattern := range []string{class, "x" + class, "/" + class, "x*" + class + "y"} {
			c := &ignoreCase{ignoreFiles: map[string]string{".": pattern}}
			for b := 1; b < 256; b++ {
				if b != '/' && b != '.' {
					one := string([]byte{byte(b)})
					c.files = append(c.files, one, "x"+one, "xx"+one+"y")
				}
			}
			root := fmt.Sprintf("c%d.%d", i, j)
			all[root] = c
			c.write(t, filepath.Join(repository, root), ".gitignore", false)
			for _, name := range c.files {
				fmt.Fprintf(&asked, "%s/%s\x00", root, name)
			}
		}
	}
	told := gitIgnores(t, repository, &asked)
	for root, c := range all {
		for name, got := range c.ignored(t, source.IgnoreRules{}) {
			if want := told[root+"/"+name]; got != want {
				t.Errorf("%q of %q: got %v, want %v", name, c.ignoreFiles["."], got, want)
			}
		}
	}
}

func newIgnoreRepository(t *testing.T) string {
	t.Helper()
	repository := t.TempDir()
	runIgnoreGit(t, repository, nil, "init", "--quiet", "--template=")
	return repository
}

func runIgnoreGit(t *testing.T, dir string, in *bytes.Buffer, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "XDG_CONFIG_HOME="+dir)
	if in != nil {
		cmd.Stdin = in
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	// Status 1 means that nothing is ignored.
	if failed := new(exec.ExitError); err != nil && (!errors.As(err, &failed) || failed.ExitCode() != 1) {
		t.Fatalf("git %v: %v\n%s", args, err, &stderr)
	}
	return out
}

// gitIgnores says of each path that was asked for, whether it is ignored.
func gitIgnores(t *testing.T, repository string, asked *bytes.Buffer) map[string]bool {
	t.Helper()
	out := runIgnoreGit(t, repository, asked, "check-ignore", "--no-index", "--stdin", "-z", "--verbose", "--non-matching")
	fields := strings.Split(string(out), "\x00")
	told := make(map[string]bool)
	for ; len(fields) >= 4; fields = fields[4:] {
		told[fields[3]] = fields[0] != "" && !strings.HasPrefix(fields[2], "!")
	}
	return told
}

// write makes the folders and ignore files, and the other files where asked.
func (c *ignoreCase) write(t *testing.T, root, name string, all bool) {
	t.Helper()
	must(t, os.MkdirAll(root, 0o755))
	for _, folder := range c.folders {
		must(t, os.MkdirAll(filepath.Join(root, folder), 0o755))
	}
	for folder, body := range c.ignoreFiles {
		must(t, os.MkdirAll(filepath.Join(root, folder), 0o755))
		must(t, os.WriteFile(filepath.Join(root, folder, name), []byte(body), 0o644))
	}
	for _, file := range c.files {
		if all {
			must(t, os.WriteFile(filepath.Join(root, file), nil, 0o644))
		}
	}
}
