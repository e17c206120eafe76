package apply

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"strings"
)

// maxMarkdown is as long as GitHub lets a comment be, in characters, of which there are never more than bytes.
const maxMarkdown = 65_536

// WriteMarkdown writes the plan for a pull request: a line that counts, a table of the objects that would not stay as they
// are, and under each one's fold its differences. Failed objects come first. Whatever manifests and servers say stays
// text: it cannot end its block, nor be Markdown, HTML or a mention. What is too long is cut, and a last line says so.
func (p *Plan) WriteMarkdown(w io.Writer, view View) error {
	m := markdown{room: cmp.Or(max(view.MaxBytes, 0), maxMarkdown) - len(cutNote)}
	var shown []*PlannedChange
	for _, failed := range []bool{true, false} {
		for i := range p.Changes {
			if c := &p.Changes[i]; c.Action != Unchanged && (c.Action == Failed) == failed {
				shown = append(shown, c)
			}
		}
	}
	m.write(fmt.Sprintf("**Plan of %s:** %s\n", codeSpan(p.ID.String()), p.headline(codeSpan)))
	m.table(shown)
	for _, c := range shown {
		if lines := c.lines(view); len(lines) > 0 {
			m.details(c, lines)
		}
	}
	if m.cut && m.room >= 0 {
		m.text.WriteString(cutNote)
	}
	_, err := io.WriteString(w, m.text.String())
	return err
}

const cutNote = "\n_Some of the plan is left out here, for it is too long._\n"

// A markdown is a text with a bound.
type markdown struct {
	text strings.Builder
	room int
	cut  bool
}

// write writes all of it or nothing.
func (m *markdown) write(s string) bool {
	if len(s) > m.room {
		m.cut = true
		return false
	}
	m.room -= len(s)
	m.text.WriteString(s)
	return true
}

// table may take half of the room.
func (m *markdown) table(shown []*PlannedChange) {
	if len(shown) == 0 || !m.write("\n| Action | Object | Fields |\n| --- | --- | --- |\n") {
		return
	}
	floor := m.room / 2
	for i, c := range shown {
		row := fmt.Sprintf("| %s | %s | %s |\n", codeSpan(string(c.Action)), codeSpan(c.Ref.String()), c.fieldCounts())
		if m.room-len(row) < floor {
			m.cut = true
			m.write(fmt.Sprintf("| … | and %d more objects | |\n", len(shown)-i))
			return
		}
		m.write(row)
	}
}

func (c *PlannedChange) fieldCounts() string {
	var parts []string
	server := c.count(FromServer)
	if n := len(c.Differences) + c.Omitted - server; n > 0 {
		parts = append(parts, fieldCount(n))
	}
	if server > 0 {
		parts = append(parts, fieldCount(server)+" of the server")
	}
	return strings.Join(parts, ", ")
}

// details writes as many of the lines as there is room for.
func (m *markdown) details(c *PlannedChange, lines []string) {
	ticks := 3
	for _, line := range lines {
		ticks = max(ticks, longestRun(line, '`')+1)
	}
	fence := strings.Repeat("`", ticks)
	head := fmt.Sprintf("\n<details><summary>%s <code>%s</code></summary>\n\n%sdiff\n",
		html.EscapeString(visible(string(c.Action))), html.EscapeString(visible(c.Ref.String())), fence)
	foot := fence + "\n\n</details>\n"
	room := m.room - len(head) - len(foot)
	var body strings.Builder
	for i, line := range lines {
		rest := fmt.Sprintf("# and %d lines more, which are left out here\n", len(lines)-i)
		if body.Len()+len(line)+1+len(rest) > room {
			m.cut = true
			if i > 0 {
				m.write(head + body.String() + rest + foot)
			}
			return
		}
		body.WriteString(line + "\n")
	}
	m.write(head + body.String() + foot)
}

// codeSpan shows a text in a line or a table's cell. No Kubernetes name has the characters that it escapes.
func codeSpan(s string) string {
	return "`" + strings.NewReplacer("`", `\x60`, "|", `\x7c`).Replace(cmp.Or(visible(s), " ")) + "`"
}

func longestRun(s string, of byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != of {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
