package kustomize

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Inputs is what a build depended on in its file system. Another file system that has the same there gives the same
// objects. All paths are slash-separated, from the root of the file system, sorted.
type Inputs struct {
	Files   []string // read, or tried; and folders that a link leads to, or that have the name of a kustomization file
	Folders []string // whose entries were listed: those are concerned by manifests and kustomizations that come and go in them
	Absent  []string // that were looked for and not there, such as kustomization.yml beside kustomization.yaml

	Remote []RemoteInputs // what Options.Remote was asked for, in that order
}

// RemoteInputs is what a build depended on in a file system that [Options].Remote returned.
type RemoteInputs struct {
	Reference Reference
	Inputs    Inputs
}

// Concern says whether the build can come out differently where the file at name has changed, come or gone. Symbolic links
// are for the caller to resolve, and what is in Remote has to be asked by itself. Where nothing is known, since nothing was
// built yet or name is none that a file can have in an [fs.FS], it says yes.
func (in Inputs) Concern(name string) bool {
	name = path.Clean(name)
	if !fs.ValidPath(name) || in.Files == nil && in.Folders == nil && in.Absent == nil {
		return true
	}
	for at := name; at != "."; at = path.Dir(at) {
		if contains(in.Absent, at) { // as a folder is until there is a file in it, of whatever name
			return true
		}
	}
	if contains(in.Files, name) || contains(in.Folders, name) {
		return true
	}
	if base := path.Base(name); !isManifest(base) && !isKustomization(base) {
		return false
	}
	for name != "." && !isHidden(path.Base(name)) {
		name = path.Dir(name)
		if contains(in.Folders, name) {
			return true
		}
		if within(in.Files, name) {
			return false // it was there, and nobody listed it
		}
	}
	return false
}

func contains(sorted []string, name string) bool {
	_, ok := slices.BinarySearch(sorted, name)
	return ok
}

// within says whether one of the paths is below dir.
func within(sorted []string, dir string) bool {
	i, _ := slices.BinarySearch(sorted, dir+"/")
	return dir == "." && len(sorted) > 0 || i < len(sorted) && strings.HasPrefix(sorted[i], dir+"/")
}

// with is what two builds depended on, of which one or the other is to come again.
func (in Inputs) with(other Inputs) Inputs {
	return Inputs{
		Files:   united(in.Files, other.Files),
		Folders: united(in.Folders, other.Folders),
		Absent:  united(in.Absent, other.Absent),
		Remote:  slices.Concat(in.Remote, other.Remote),
	}
}

func united(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
