package testbed

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A Repository is a bare repository of a [GitServer] whose default branch is main.
type Repository struct {
	*GitServer
	Name string
	Dir  string // where it lies, for git itself
}

// NewRepository makes an empty repository.
func (s *GitServer) NewRepository(ctx context.Context, name string) (*Repository, error) {
	r := &Repository{GitServer: s, Name: name, Dir: filepath.Join(s.dir, name+".git")}
	_, err := runGit(ctx, nil, "init", "--quiet", "--bare", "--initial-branch=main", r.Dir)
	return r, err
}

// URL is the repository's address over plain HTTP; HTTPSURL and SSHURL are the others.
func (r *Repository) URL() string { return r.HTTP + "/" + r.Name + ".git" }

// HTTPSURL is the repository's address over HTTPS.
func (r *Repository) HTTPSURL() string { return r.HTTPS + "/" + r.Name + ".git" }

// SSHURL is the repository's address over SSH, without a user.
func (r *Repository) SSHURL() string { return r.SSH + "/" + r.Name + ".git" }

// DaemonURL is the repository's address over git daemon.
func (r *Repository) DaemonURL() string { return r.Daemon + "/" + r.Name + ".git" }

// Commit puts a commit with these files on top of main and returns its hash. The files' names are slash paths; a nil body
// removes a file. What is not named stays.
func (r *Repository) Commit(ctx context.Context, files map[string][]byte) (string, error) {
	return r.CommitTo(ctx, "main", files)
}

// CommitTo is [Repository.Commit] on another branch, which starts empty.
func (r *Repository) CommitTo(ctx context.Context, branch string, files map[string][]byte) (string, error) {
	entries := make([]entry, 0, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entries = append(entries, entry{mode: "100644", path: name, body: files[name]})
	}
	return r.commit(ctx, branch, entries)
}

// CommitFS puts the regular files, with their executable bits, and the symlinks of fsys on top of main.
func (r *Repository) CommitFS(ctx context.Context, fsys fs.FS) (string, error) {
	var entries []entry
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if d.Type() == fs.ModeSymlink {
			target, err := fs.ReadLink(fsys, path)
			entries = append(entries, entry{"120000", path, []byte(target)})
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := "100644"
		if info.Mode()&0o111 != 0 {
			mode = "100755"
		}
		body, err := fs.ReadFile(fsys, path)
		entries = append(entries, entry{mode, path, append([]byte{}, body...)})
		return err
	})
	if err != nil {
		return "", err
	}
	return r.commit(ctx, "main", entries)
}

type entry struct {
	mode, path string
	body       []byte // nil: the file goes
}

// commit speaks git fast-import's language: no work tree is needed, and one process does.
func (r *Repository) commit(ctx context.Context, branch string, entries []entry) (string, error) {
	ref := "refs/heads/" + branch
	parent, _ := r.Git(ctx, "rev-parse", "--verify", "--quiet", ref)
	var in bytes.Buffer
	fmt.Fprintf(&in, "commit %s\ncommitter Test Bed <testbed@example.com> now\ndata 6\ncommit\n", ref)
	if parent != "" {
		fmt.Fprintf(&in, "from %s\n", parent)
	}
	for _, e := range entries {
		if e.body == nil {
			fmt.Fprintf(&in, "D %s\n", e.path)
			continue
		}
		fmt.Fprintf(&in, "M %s inline %s\ndata %d\n%s\n", e.mode, e.path, len(e.body), e.body)
	}
	if _, err := runGit(ctx, &in, "-C", r.Dir, "fast-import", "--quiet", "--date-format=now"); err != nil {
		return "", err
	}
	return r.Git(ctx, "rev-parse", ref)
}

// Git runs git in the repository and returns what it prints, without the line break at the end.
func (r *Repository) Git(ctx context.Context, args ...string) (string, error) {
	return runGit(ctx, nil, append([]string{"-C", r.Dir}, args...)...)
}

func runGit(ctx context.Context, in *bytes.Buffer, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(gitEnvironment(),
		"GIT_AUTHOR_NAME=Test Bed", "GIT_AUTHOR_EMAIL=testbed@example.com",
		"GIT_COMMITTER_NAME=Test Bed", "GIT_COMMITTER_EMAIL=testbed@example.com")
	if in != nil {
		cmd.Stdin = in
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, said.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
