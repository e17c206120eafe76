package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A scale is how much there is to do.
type scale struct {
	n    int // objects
	size int // bytes added to each object
	runs int // timed ones
}

// readScales reads the numbers of the command line: each n with each size, and with its runs or the only ones.
func readScales(n, size, runs string) ([]scale, error) {
	counts, err := readNumbers("n", n, 2, 1_000_000)
	if err != nil {
		return nil, err
	}
	sizes, err := readNumbers("size", size, 0, 200_000)
	if err != nil {
		return nil, err
	}
	times, err := readNumbers("runs", runs, 1, 1000)
	if err != nil {
		return nil, err
	}
	if len(times) != 1 && len(times) != len(counts) {
		return nil, fmt.Errorf("runs %s has to be one number, or one for each of n %s", runs, n)
	}
	var scales []scale
	for _, size := range sizes {
		for i, n := range counts {
			scales = append(scales, scale{n: n, size: size, runs: times[min(i, len(times)-1)]})
		}
	}
	return scales, nil
}

func readNumbers(name, text string, least, most int) ([]int, error) {
	var numbers []int
	for part := range strings.SplitSeq(text, ",") {
		v, err := strconv.Atoi(part)
		if err != nil || v < least || v > most {
			return nil, fmt.Errorf("%s is %q, and has to be numbers from %d to %d", name, text, least, most)
		}
		numbers = append(numbers, v)
	}
	return numbers, nil
}
