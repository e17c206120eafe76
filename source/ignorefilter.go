package source

import (
	"context"
	"strings"
)

// Filter returns those of the paths of a tree's files that are not ignored, in their order. The rules are the root's. read
// returns the ignore files among paths, in folders that are not ignored themselves, each once; a nil read means that ignore
// files are files like any other. Its error is Filter's. No path is checked; elements that no file can have match as text.
//
// It takes the least time where the paths of a folder stand together, as they do where paths are sorted. Many long paths
// with many rules take long, and the error is ctx's where that ends.
func (r IgnoreRules) Filter(ctx context.Context, paths []string, read func(path string) ([]byte, error)) ([]string, error) {
	filter := ignoreFilter{read: read, files: make(map[string][]byte)}
	if read != nil {
		for _, path := range paths {
			if folder, name := splitPath(path); name == IgnoreFile {
				filter.files[folder] = nil
			}
		}
	}
	root, err := filter.with(r)
	if err != nil {
		return nil, err
	}
	filter.way = append(filter.way, root)
	var left []string
	for _, path := range paths {
		folder, _ := splitPath(path)
		rules, err := filter.folder(ctx, folder)
		if err != nil {
			return nil, err
		}
		if !rules.ignores(path, false) {
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

// An ignoreFilter keeps the rules of the folders on the way to the last path, and not of all: paths may have any number of
// elements.
type ignoreFilter struct {
	read  func(path string) ([]byte, error)
	files map[string][]byte // the ignore files by folder; nil: not read
	way   []IgnoreRules     // the root's first
}

// folder takes a path with its slash. Its rules may be those of a folder above that is ignored.
func (f *ignoreFilter) folder(ctx context.Context, path string) (IgnoreRules, error) {
	for !strings.HasPrefix(path, f.way[len(f.way)-1].folder) {
		f.way = f.way[:len(f.way)-1]
	}
	for {
		if err := ctx.Err(); err != nil {
			return IgnoreRules{}, err
		}
		rules := f.way[len(f.way)-1]
		if rules.all || rules.folder == path {
			return rules, nil
		}
		end := len(rules.folder) + strings.IndexByte(path[len(rules.folder):], '/')
		rules.all = rules.ignores(path[:end], true)
		rules.folder = path[:end+1]
		rules, err := f.with(rules)
		if err != nil {
			return IgnoreRules{}, err
		}
		f.way = append(f.way, rules)
	}
}

// with adds the folder's own ignore file.
func (f *ignoreFilter) with(rules IgnoreRules) (IgnoreRules, error) {
	body, ok := f.files[rules.folder]
	if rules.all || !ok {
		return rules, nil
	}
	if body == nil {
		var err error
		if body, err = f.read(rules.folder + IgnoreFile); err != nil {
			return IgnoreRules{}, err
		}
		f.files[rules.folder] = append([]byte{}, body...)
	}
	return rules.With(body)
}
