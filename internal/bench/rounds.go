package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// A choice is what of an area takes part.
type choice struct {
	whos    []contender
	named   *regexp.Regexp // of the works' names
	engines string         // folder of the contenders' programs
}

// choose reads what the command line names of an area, and builds the programs.
func (o *options) choose(ctx context.Context, area string, all []contender) (c choice, err error) {
	if c.whos = matching(all, o.who); len(c.whos) == 0 {
		return c, fmt.Errorf("no contender matches %s", o.who)
	}
	if c.named, err = regexp.Compile(o.works); err != nil {
		return c, fmt.Errorf("reading the expression of the works: %w", err)
	}
	c.engines, err = buildEngines(ctx, o.log, area, c.whos)
	return c, err
}

// find returns the paths of programs by their contenders' names; one that is not installed has none.
func (o *options) find(area string, names map[string]string) map[string]string {
	paths := make(map[string]string)
	for who, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			fmt.Fprintf(o.log, "%s: %s is not installed: %v\n", area, who, err)
			path = ""
		}
		paths[who] = path
	}
	return paths
}

// atEach does the works at each scale, and prints their rows.
func (o *options) atEach(do func(scale) ([]row, error)) (rows []row, err error) {
	for _, s := range o.scales {
		measured, err := do(s)
		if err != nil {
			return nil, err
		}
		if err := o.print(measured); err != nil {
			return nil, err
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

// inTurn has all contenders do a work in each round: they take turns, and each round starts with another one.
func (o *options) inTurn(area, work string, whos []contender, first, last int, do func(contender, int) error) error {
	for round := first; round <= last && len(whos) > 0; round++ {
		fmt.Fprintf(o.log, "%s: %s, round %d of %d\n", area, work, round, last)
		for _, c := range turns(whos, round) {
			if err := do(c, round); err != nil {
				return fmt.Errorf("by %s: %w", c.name, err)
			}
		}
	}
	return nil
}

// A result is what one contender's work gave in all rounds.
type result struct {
	traffic
	samples []measure.Sample
}

// fill gives a row what was measured. Without a result there is none but its names.
func (g *result) fill(r *row) {
	if g == nil {
		r.Missing = notInstalled
		return
	}
	r.Requests, r.Verbs, r.Sent, r.Received = g.requests, g.verbs, g.sent, g.received
	r.summarize(g.samples)
}

// notInstalled is of a contender whose program is not there.
const notInstalled = "not installed"
