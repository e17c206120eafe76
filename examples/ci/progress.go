package main

import (
	"fmt"
	"io"
	"os"

	"github.com/gitopskit/gitopskit/apply"
)

// A progress tells what happens while it does: on a terminal in a line that is written over, in a log in a line for each
// object that is not as it was.
type progress struct {
	w    io.Writer
	live bool
	done int
	of   int // how many objects there are; 0: not known
}

func newProgress(w io.Writer, of int) *progress { return &progress{w: w, live: isTerminal(w), of: of} }

// clear returns to the line's beginning and empties it.
const clear = "\r\x1b[K"

// change is called for each object, one at a time.
func (p *progress) change(c apply.Change) {
	p.done++
	if c.Action != apply.Unchanged {
		p.line("%-10s %s", c.Action, c.Ref)
		if c.Err != nil {
			p.line("           %v", c.Err)
		}
	}
	if p.live && p.of > 0 {
		fmt.Fprintf(p.w, "%s%d of %d", clear, p.done, p.of)
	}
}

// health is called as each object's health is known, and changes.
func (p *progress) health(ref apply.Ref, h apply.Health) { p.line("%-10s %s", h, ref) }

func (p *progress) line(format string, args ...any) {
	if p.live {
		fmt.Fprint(p.w, clear)
	}
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *progress) end() {
	if p.live {
		fmt.Fprint(p.w, clear)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
