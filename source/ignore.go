package source

import "fmt"

// IgnoreFile is the name of the files in a tree that say what of it is left out.
const IgnoreFile = ".sourceignore"

// IgnoreRules say what a source leaves out of one folder of its tree. They are values: what a method adds is in the rules
// that it returns, and many goroutines may use the same ones. The zero value ignores nothing.
//
// The rules are lines of Git's gitignore syntax, and mean what they mean to Git with core.ignoreCase off, byte by byte.
// They come from options, for the whole tree, and from ignore files, for the folder that has the file and those below it.
// The last line that matches decides. A line of the options decides before one of a file does, and one of a deeper file
// before one of a file further up. What is in an ignored folder is ignored, whatever other lines say, and the ignore files
// in there are not looked at.
//
// To judge one path takes at most time in proportion to its length times that of all rules, whatever the rules are.
//
// Who walks down a tree keeps each folder's rules by the folder:
//
//	here, err := rules.With(body)              // the root's own ignore file, if it has one
//	if here.Ignores("web", true) { … }         // the folder web: not read at all
//	web, err := here.Folder("web").With(body)  // what is in it, with its own ignore file
//
// Who has a list of paths asks [IgnoreRules.Filter].
type IgnoreRules struct {
	folder  string       // whose entries are judged: "", or "a/b/"
	all     bool         // the folder is ignored itself
	options *ignoreLines // nil: none
	files   *ignoreFile  // the deepest one
	most    int64        // Limits.MaxIgnoreBytes
	bytes   int64        // of all lines so far
}

// An ignoreFile is the lines that one ignore file adds.
type ignoreFile struct {
	lines *ignoreLines
	base  int         // how long the path of the file's folder is, with its slash
	outer *ignoreFile // the next one on the way to the root
}

// ParseIgnore returns the rules of options for a tree's root; each line of text is one. There is no wrong syntax: what Git
// cannot read matches nothing. Lines of more than Limits.MaxIgnoreBytes are a [*LimitError].
func ParseIgnore(text string, limits Limits) (IgnoreRules, error) {
	rules := IgnoreRules{most: limits.WithDefaults().MaxIgnoreBytes, bytes: int64(len(text))}
	if rules.bytes > rules.most {
		return IgnoreRules{}, fmt.Errorf("ignore rules of the options: %w", rules.crossed(""))
	}
	rules.options = parseIgnoreLines(text)
	return rules, nil
}

// With returns the rules and those of the folder's own ignore file. Ignore files that make all lines for this folder
// together, with the options' and those from further up, larger than Limits.MaxIgnoreBytes are a [*LimitError], which names
// the file.
func (r IgnoreRules) With(body []byte) (IgnoreRules, error) {
	if r.all {
		return r, nil
	}
	if err := r.admit(int64(len(body))); err != nil {
		return IgnoreRules{}, err
	}
	r.bytes += int64(len(body))
	if lines := parseIgnoreLines(string(body)); lines != nil {
		r.files = &ignoreFile{lines: lines, base: len(r.folder), outer: r.files}
	}
	return r, nil
}

// admit says whether an ignore file of so many bytes may be added.
func (r IgnoreRules) admit(size int64) error {
	if r.most == 0 {
		r.most = DefaultMaxIgnoreBytes
	}
	if size > r.most-r.bytes {
		return r.crossed(r.folder + IgnoreFile)
	}
	return nil
}

func (r IgnoreRules) crossed(name string) error {
	return &LimitError{Option: "Limits.MaxIgnoreBytes", Max: r.most, Name: name}
}

// Folder returns the rules for what is in the folder's folder of that name, until With adds that one's own. If that folder
// is ignored, they ignore all.
func (r IgnoreRules) Folder(name string) IgnoreRules {
	r.all = r.Ignores(name, true)
	r.folder += name + "/"
	return r
}

// Ignores says whether the folder's entry of that name, one element of a path, is left out. To Git, what is a folder is
// neither a file nor a symbolic link, even one to a folder.
func (r IgnoreRules) Ignores(name string, isFolder bool) bool {
	if r.all || r.options == nil && r.files == nil {
		return r.all
	}
	return r.ignores(r.folder+name, isFolder)
}

// ignores takes a path from the root to an entry of the folder.
func (r IgnoreRules) ignores(path string, isFolder bool) bool {
	if r.all {
		return true
	}
	verdict := r.options.judge(path, len(r.folder), isFolder)
	for file := r.files; verdict == undecided && file != nil; file = file.outer {
		verdict = file.lines.judge(path[file.base:], len(r.folder)-file.base, isFolder)
	}
	return verdict == ignored
}
