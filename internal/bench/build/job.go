// Package build is what the programs of the engines of the area kustomize have in common: the job that each gets, how a build
// is measured, and how its result is compared with the others'.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// A Tree is a folder with manifests, and what in it is to be built.
type Tree struct {
	Root      string            // path of the folder
	Dir       string            // the folder in it that is built, with slashes
	Variables map[string]string // what is substituted in the objects; empty: nothing is
}

// A Job is one work for one contender.
type Job struct {
	Who, Work string
	Tree      Tree
	Warm      Tree   // a small one that is built first, so that no time has what a process does once
	Folder    string // empty, for the contender's files
	Twice     bool   // two builds side by side are measured, and one alone
	Again     bool   // what is measured is a build of what the same Build has built already
	Profile   string // file; empty: none
}

// Objects is what a build gives, as maps of JSON's types. It is called when nothing is measured.
type Objects func() []map[string]any

// A Build builds one tree, as often as it is asked.
type Build struct {
	Run func(context.Context) (Objects, error)
	// Restore does away with what Run left on disk. It is not measured. It may be nil.
	Restore func() error
}

// An Engine opens trees. What it does beforehand is not measured: to read a tree into memory, or to make a copy of it in the
// folder, which is empty.
type Engine func(ctx context.Context, j Job, t Tree, folder string) (*Build, error)

// check is an error if builds of one tree gave different things.
func (s *Sample) check(results []Objects) error {
	for _, objects := range results {
		maps := objects()
		digest, err := digestOf(maps)
		if err != nil {
			return err
		}
		if s.Digest != "" && s.Digest != digest {
			return fmt.Errorf("two builds of one tree gave %d and %d objects that differ", s.Objects, len(maps))
		}
		s.Objects, s.Digest = len(maps), digest
	}
	return nil
}

// digestOf tells whether two builds gave the same objects, in whatever order: kustomize's, or that of the files.
func digestOf(objects []map[string]any) (string, error) {
	var lines []string
	for _, o := range objects {
		line, err := json.Marshal(o)
		if err != nil {
			return "", fmt.Errorf("printing an object: %w", err)
		}
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	sum := sha256.New()
	for _, line := range lines {
		fmt.Fprintln(sum, line)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}

// Files calls do with the content of each file of the tree, by its path with slashes.
func (t Tree) Files(do func(name string, content []byte) error) error {
	return fs.WalkDir(os.DirFS(t.Root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(t.Root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		return do(name, content)
	})
}
