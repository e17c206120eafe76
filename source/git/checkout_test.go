package git

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/gitopskit/gitopskit/source"
)

// tree is a tree object of entries, each a mode and name followed by the body of its blob.
func tree(entries ...string) string {
	var out strings.Builder
	for i := 0; i < len(entries); i += 2 {
		hash := blob(entries[i+1])
		out.WriteString(entries[i] + "\x00" + string(hash[:]))
	}
	return out.String()
}

// store puts objects where a walk finds them.
func (o objects) store(kind plumbing.ObjectType, body string) plumbing.Hash {
	hash := plumbing.ComputeHash(kind, []byte(body))
	o[hash] = object{kind, []byte(body)}
	return hash
}

func (o objects) commit(root plumbing.Hash) plumbing.Hash {
	return o.store(plumbing.CommitObject, fmt.Sprintf("tree %s\nauthor x\n", root))
}

func TestCheckoutRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		tree string
		want error
		text string
	}{
		".git":         {tree("100644 .git", "x"), nil, `".git" is a name`},
		".GIT":         {tree("100644 .GIT", "x"), nil, "is a name"},
		"dots":         {tree("100644 ..", "x"), nil, `".." is a name`},
		"slash":        {tree("100644 ../../a", "x"), nil, "is a name"},
		"no name":      {tree("100644 ", "x"), nil, "is a name"},
		"not UTF-8":    {tree("100644 a\xff", "x"), nil, "is not a valid path"},
		"twice":        {tree("100644 a", "x", "100755 a", "x"), nil, `"a" is there twice`},
		"mode":         {tree("777 a", "x"), nil, "mode"},
		"blob as tree": {tree("40000 a", "x"), nil, "is a blob instead of a tree"},
		"missing":      {tree("100644 a", "not stored"), errIncomplete, `"a"`},
		"cut":          {tree("100644 a", "x")[:20], nil, "malformed tree"},
		"no NUL":       {"100644 abc", nil, "malformed tree"},
		"no space":     {"100644", nil, "malformed tree"},
	} {
		t.Run(name, func(t *testing.T) {
			all := make(objects)
			all.store(plumbing.BlobObject, "x")
			_, err := newCheckout(t.Context(), all.commit(all.store(plumbing.TreeObject, tt.tree)), all, nil, small)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestCheckoutRefusesCommits(t *testing.T) {
	for _, body := range []string{"", "tree", "tree zz\n", "tree " + strings.Repeat("z", 40) + "\n", "parent x\n"} {
		all := make(objects)
		if _, err := newCheckout(t.Context(), all.store(plumbing.CommitObject, body), all, nil, small); err == nil {
			t.Errorf("%q is taken for a commit", body)
		}
	}
	all := make(objects)
	if _, err := newCheckout(t.Context(), all.store(plumbing.TagObject, "x"), all, nil, small); err == nil {
		t.Error("a tag is taken for a commit")
	}
}

// Ten trees of ten entries each are ten billion folders, with or without a file at the end.
func TestCheckoutStopsTreeBombs(t *testing.T) {
	for _, last := range []string{"", tree("100644 a", "x")} {
		all := make(objects)
		all.store(plumbing.BlobObject, "x")
		hash := all.store(plumbing.TreeObject, last)
		for range 10 {
			var body strings.Builder
			for i := range 10 {
				body.WriteString(fmt.Sprintf("40000 %d\x00%s", i, hash[:]))
			}
			hash = all.store(plumbing.TreeObject, body.String())
		}
		_, err := newCheckout(t.Context(), all.commit(hash), all, nil, source.Limits{}.WithDefaults())
		if !errors.Is(err, source.ErrTooLarge) || !strings.Contains(err.Error(), "Limits.MaxFiles") {
			t.Errorf("got %v", err)
		}
	}
}

// Two folders of one name would be one in the snapshot, which is neither the one nor the other that their hashes stand for.
func TestCheckoutRefusesTwoFoldersOfOneName(t *testing.T) {
	for name, tt := range map[string]struct {
		second string
		text   string // of the error, if there is to be one
	}{
		"other files": {tree("100644 b", "x"), `"a" is there twice`},
		"one file":    {tree("100644 a", "x"), `"a/a" is there twice`},
		"no files":    {tree(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			all := make(objects)
			all.store(plumbing.BlobObject, "x")
			first := all.store(plumbing.TreeObject, tree("100644 a", "x"))
			second := all.store(plumbing.TreeObject, tt.second)
			root := all.store(plumbing.TreeObject, "40000 a\x00"+string(first[:])+"40000 a\x00"+string(second[:]))
			made, err := newCheckout(t.Context(), all.commit(root), all, nil, source.Limits{}.WithDefaults())
			if (err != nil) != (tt.text != "") || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("got %v, want %q", err, tt.text)
			}
			if err == nil {
				if got, err := source.Identity(made.files, "a"); got != "folder:git-sha1:"+first.String() || err != nil {
					t.Errorf("got %s, %v", got, err)
				}
			}
		})
	}
}

func FuzzNextEntry(f *testing.F) {
	f.Add([]byte(tree("100644 a", "x", "40000 b", "y")))
	f.Fuzz(func(t *testing.T, body []byte) {
		for len(body) > 0 {
			e, rest, err := nextEntry(body)
			if err != nil {
				return
			}
			if len(e.mode)+len(e.name)+22+len(rest) != len(body) {
				t.Fatalf("%q: got %+v and %d bytes", body, e, len(rest))
			}
			body = rest
		}
	})
}
