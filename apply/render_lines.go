package apply

import "fmt"

const (
	// contextLines are shown around a change.
	contextLines = 3
	// maxTable bounds the work of finding what two texts have in common; beyond, the one stands for the other as a whole.
	maxTable = 1 << 20
)

// diffLines compares two texts line by line: "- " is before what goes, "+ " before what comes and "  " before a few lines
// that stay, with a note of how many are left out.
func diffLines(was, will []string) []string {
	head := 0
	for head < len(was) && head < len(will) && was[head] == will[head] {
		head++
	}
	tail := 0
	for tail < len(was)-head && tail < len(will)-head && was[len(was)-1-tail] == will[len(will)-1-tail] {
		tail++
	}
	lines := mark("  ", append([]string{}, was[:head]...))
	lines = append(lines, diffMiddle(was[head:len(was)-tail], will[head:len(will)-tail])...)
	lines = append(lines, mark("  ", append([]string{}, was[len(was)-tail:]...))...)
	return foldContext(lines)
}

// diffMiddle keeps a longest common subsequence of the lines.
func diffMiddle(was, will []string) []string {
	var lines []string
	i, j := 0, 0
	if len(was)*len(will) <= maxTable {
		common := commonLengths(was, will)
		for i < len(was) && j < len(will) {
			switch {
			case was[i] == will[j]:
				lines = append(lines, "  "+was[i])
				i, j = i+1, j+1
			case common[i+1][j] >= common[i][j+1]:
				lines = append(lines, "- "+was[i])
				i++
			default:
				lines = append(lines, "+ "+will[j])
				j++
			}
		}
	}
	lines = append(lines, mark("- ", append([]string{}, was[i:]...))...)
	return append(lines, mark("+ ", append([]string{}, will[j:]...))...)
}

// commonLengths has at [i][j] how many lines was[i:] and will[j:] have in common.
func commonLengths(was, will []string) [][]int32 {
	table := make([][]int32, len(was)+1)
	for i := range table {
		table[i] = make([]int32, len(will)+1)
	}
	for i := len(was) - 1; i >= 0; i-- {
		for j := len(will) - 1; j >= 0; j-- {
			if was[i] == will[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}

// foldContext leaves out lines that stay and are far from a change, but for the first one, which has the field's name.
func foldContext(lines []string) []string {
	near := make([]bool, len(lines))
	for i, line := range lines {
		if line[0] == ' ' {
			continue
		}
		for j := max(0, i-contextLines); j <= min(len(lines)-1, i+contextLines); j++ {
			near[j] = true
		}
	}
	var folded []string
	for i := 0; i < len(lines); {
		gap := 0
		for i+gap < len(lines) && !near[i+gap] && i > 0 {
			gap++
		}
		if gap > 1 { // a note is no shorter than one line
			folded = append(folded, fmt.Sprintf("# %d lines", gap))
			i += gap
			continue
		}
		folded = append(folded, lines[i])
		i++
	}
	return folded
}
