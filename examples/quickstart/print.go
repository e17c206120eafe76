package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// A printer tells a person what happens: in colour on a terminal, plain elsewhere.
type printer struct {
	out    io.Writer
	colour bool
}

func newPrinter(out io.Writer) *printer {
	p := &printer{out: out}
	if f, ok := out.(*os.File); ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		info, err := f.Stat()
		p.colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// Terminal colours of SGR.
const (
	bold, dim, red, green, yellow, blue = "1", "2", "31", "32", "33", "34"
)

func (p *printer) paint(colour, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// title opens a part of the demonstration.
func (p *printer) title(text string) { fmt.Fprintf(p.out, "\n%s\n", p.paint(bold, text)) }

// note says where something is.
func (p *printer) note(what, where string) {
	fmt.Fprintf(p.out, "%s %s\n", p.paint(dim, fmt.Sprintf("%-9s", what)), where)
}

// stage says in a line what a stage did, at which revision and in what time, and below it what changed.
func (p *printer) stage(what string, revision source.Revision, result *apply.Result, took time.Duration) {
	fmt.Fprintf(p.out, "%s %-50s %-17s %-35s %s\n", p.paint(green, "✔"), what, shortRevision(revision), result.Counts(), p.paint(dim, short(took)))
	p.changes(result)
}

var colourOf = map[apply.Action]string{
	apply.Created: green, apply.Configured: yellow, apply.Pruned: red, apply.Deleted: red, apply.Failed: red, apply.Skipped: blue,
}

func (p *printer) changes(result *apply.Result) {
	for _, c := range result.Changes {
		if c.Action == apply.Unchanged {
			continue
		}
		fmt.Fprintf(p.out, "    %s %s\n", p.paint(colourOf[c.Action], fmt.Sprintf("%-10s", c.Action)), c.Ref)
		if c.Err != nil {
			fmt.Fprintf(p.out, "               %v\n", c.Err)
		}
	}
}

// event tells of a loop that runs by itself.
func (p *printer) event(e reconcile.Event) {
	colour := dim
	if _, ok := e.(reconcile.Failed); ok {
		colour = red
	}
	fmt.Fprintf(p.out, "%s %s\n", p.paint(dim, time.Now().Format(time.TimeOnly)), p.paint(colour, e.String()))
	if a, ok := e.(reconcile.Applied); ok {
		p.changes(a.Result)
	}
}

// shortRevision has of the digest what a person compares.
func shortRevision(r source.Revision) string {
	if r.Digest == "" {
		return r.Name
	}
	text := r.Digest.Algorithm().String() + ":" + r.Digest.Encoded()[:min(7, len(r.Digest.Encoded()))]
	if r.Name == "" {
		return text
	}
	return r.Name + "@" + text
}

func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
