package source

import "strings"

// Filter returns those of the paths of a tree's files that are not ignored, in their order. The rules are the root's. read
// returns the ignore files among paths, in folders that are not ignored themselves, each once; a nil read means that ignore
// files are files like any other. Its error is Filter's. No path is checked; elements that no file can have match as text.
func (r IgnoreRules) Filter(paths []string, read func(path string) ([]byte, error)) ([]string, error) {
	filter := ignoreFilter{read: read, files: make(map[string]bool), folders: make(map[string]IgnoreRules)}
	if read != nil {
		for _, path := range paths {
			if _, name := splitPath(path); name == IgnoreFile {
				filter.files[path] = true
			}
		}
	}
	root, err := filter.with(r)
	if err != nil {
		return nil, err
	}
	filter.folders[""] = root
	var left []string
	for _, path := range paths {
		folder, name := splitPath(path)
		rules, err := filter.folder(folder)
		if err != nil {
			return nil, err
		}
		if !rules.Ignores(name, false) {
			left = append(left, path)
		}
	}
	return left, nil
}

// splitPath returns the folder with its slash, or empty.
func splitPath(path string) (folder, name string) {
	i := strings.LastIndexByte(path, '/') + 1
	return path[:i], path[i:]
}

// An ignoreFilter keeps the rules of each folder that a path is in.
type ignoreFilter struct {
	read    func(path string) ([]byte, error)
	files   map[string]bool // the paths of ignore files
	folders map[string]IgnoreRules
}

// folder takes a path with its slash.
func (f *ignoreFilter) folder(path string) (IgnoreRules, error) {
	if rules, ok := f.folders[path]; ok {
		return rules, nil
	}
	parent, name := splitPath(strings.TrimSuffix(path, "/"))
	rules, err := f.folder(parent)
	if err != nil {
		return IgnoreRules{}, err
	}
	rules, err = f.with(rules.Folder(name))
	f.folders[path] = rules
	return rules, err
}

// with adds the folder's own ignore file.
func (f *ignoreFilter) with(rules IgnoreRules) (IgnoreRules, error) {
	path := rules.folder + IgnoreFile
	if rules.all || !f.files[path] {
		return rules, nil
	}
	body, err := f.read(path)
	if err != nil {
		return IgnoreRules{}, err
	}
	return rules.With(body)
}
