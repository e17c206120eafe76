package git_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// Ignored entries are in no limit on files, and to judge each can take long.
func TestJudgingIgnoredEntriesEndsWithTheContext(t *testing.T) {
	r := newHandmade()
	x := r.blob("x")
	var tree strings.Builder
	for i := range 4_000 {
		tree.WriteString(entryLine("100644", fmt.Sprintf("%0200db", i), x))
	}
	rules := "z/*\n" + strings.Repeat("!z/*a*b\n", 10_000)
	r.commit(r.tree(entryLine("100644", ".sourceignore", r.blob(rules)), entryLine("40000", "z", r.tree(tree.String()))))
	_, url := r.serve(t, "http")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := newSource(t, url, git.Options{}).Fetch(ctx, source.Revision{})
	checkError(t, err, context.DeadlineExceeded, "")
}
