package apply

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
)

// A View says how a plan is shown; the zero value works.
type View struct {
	// Color has WriteDiff colour its lines by ANSI sequences. There are no others in what it writes: what a manifest or a
	// server says cannot bring any.
	Color bool
	// Server shows also the differences that only the server brings, which are counted otherwise.
	Server bool
	// MaxBytes bounds what WriteMarkdown writes; 0: 65,536, as much as GitHub takes for a comment.
	MaxBytes int
}

// WriteDiff writes the plan for people: each object that would not stay as it is, with its differences as lines of YAML
// after "- " as it is and "+ " as it would be, then a line that counts.
func (p *Plan) WriteDiff(w io.Writer, view View) error {
	out := bufio.NewWriter(w)
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Action == Unchanged {
			continue
		}
		fmt.Fprintln(out, view.paint("\x1b[1m", c.title()))
		for _, line := range c.lines(view) {
			fmt.Fprintln(out, view.paint(colours[line[0]], line))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "plan of %s: %s\n", visible(p.ID.String()), p.headline(visible))
	return out.Flush()
}

// colours by the first byte of a line.
var colours = map[byte]string{'-': "\x1b[31m", '+': "\x1b[32m", '!': "\x1b[31;1m", '#': "\x1b[2m"}

func (v View) paint(colour, line string) string {
	if !v.Color || colour == "" {
		return line
	}
	return colour + line + "\x1b[0m"
}

// headline counts the objects, or says why there is no plan, with that text quoted.
func (p *Plan) headline(quote func(string) string) string {
	if p.failure != "" {
		return "it could not be made: " + quote(p.failure)
	}
	return cmp.Or(p.Counts(), "no objects")
}

func (c *PlannedChange) title() string { return visible(string(c.Action) + " " + c.Ref.String()) }

// lines of one object; the first two bytes of each are its kind: "- ", "+ ", "  " for what stays, "! " for an error and
// "# " for a note.
func (c *PlannedChange) lines(view View) []string {
	var lines []string
	if c.Err != nil {
		lines = mark("! ", textLines(c.reason()))
	}
	if c.Note != "" {
		lines = append(lines, mark("# ", textLines(c.Note))...)
	}
	for _, d := range c.Differences {
		if d.Origin != FromServer || view.Server {
			lines = append(lines, d.lines()...)
		}
	}
	if n := c.count(FromServer); n > 0 && !view.Server {
		lines = append(lines, fmt.Sprintf("# and %s that only the server brings", fieldCount(n)))
	}
	if c.Omitted > 0 {
		lines = append(lines, fmt.Sprintf("# and %s more", fieldCount(c.Omitted)))
	}
	return lines
}

func fieldCount(n int) string {
	if n == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", n)
}

func (c *PlannedChange) count(origin Origin) int {
	n := 0
	for _, d := range c.Differences {
		if d.Origin == origin {
			n++
		}
	}
	return n
}

func (d Difference) lines() []string {
	head := visible(d.Path)
	switch {
	case d.Was == nil:
		return mark("+ ", yamlEntry(head, d.Will))
	case d.Will == nil:
		return mark("- ", yamlEntry(head, d.Was))
	}
	return diffLines(yamlEntry(head, d.Was), yamlEntry(head, d.Will))
}

func mark(sign string, lines []string) []string {
	for i := range lines {
		lines[i] = sign + lines[i]
	}
	return lines
}

// textLines are the lines of a text of somebody else.
func textLines(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return lines
}
