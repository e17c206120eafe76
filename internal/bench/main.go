package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/gitopskit/gitopskit/internal/bench/work"
)

// An area is a part of the library that is compared with its peers.
type area struct {
	name, summary string
	flags         func(*flag.FlagSet, *options) // declares those that no other area has
	run           func(context.Context, options) ([]row, error)
	table         func(io.Writer, []row) // prints rows of one scale
	notes         string                 // what a reader of the tables has to know
	contenders    []contender
	growth        []cost
	bars          []bar
	sized         bool   // bytes can be added to its objects
	decimals      int    // of the bars' figures
	n             string // where the command line says nothing; empty: 1000
}

// defaultN is also that of no area.
func (a *area) defaultN() string {
	if a == nil || a.n == "" {
		return "1000"
	}
	return a.n
}

var areas = []area{applyArea, kustomizeArea, gitArea, bucketArea, artifactArea, reconcileArea}

// Options are those of the command line.
type options struct {
	scales  []scale
	who     *regexp.Regexp    // the contenders that take part
	profile string            // folder for CPU profiles; empty: none
	log     io.Writer         // what a person reads while it runs
	print   func([]row) error // what is measured at one scale

	// Of the area apply.
	sizes   string
	kubectl string // name or path
	// after is called when a contender has done a work; tests look at the server then. It may be nil.
	after func(j work.Job) error

	works string // regular expression; of all areas but apply

	// Of the area kustomize.
	corpus string // folder; empty: there is none

	// Of the area bucket.
	rclone, aws string // names or paths

	// Of the area artifact.
	dir   string
	tools tools

	// Of the area reconcile.
	interval, idle time.Duration
	svg            string // file; empty: none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run is the command line without the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := options{log: stderr, sizes: "0"}
	a, rest := areaOf(args)
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { usage(flags) }
	n := flags.String("n", a.defaultN(),
		"how many objects, in the areas git and artifact files, in reconcile loops, at least 2; or several numbers, with commas")
	runs := flags.String("runs", "3", "timed runs of each contender; or one number for each of n")
	who := flags.String("who", ".", "regular expression of the contenders that take part")
	flags.StringVar(&o.profile, "profile", "", "existing folder for CPU profiles of the timed work")
	asJSON := flags.Bool("json", false, "print a line of JSON for each row instead of the table")
	if a != nil {
		a.flags(flags, &o)
	}
	if err := flags.Parse(rest); err != nil {
		return err
	}
	if a == nil || flags.NArg() > 0 {
		flags.Usage()
		return fmt.Errorf("reading the arguments %q: name one area, then flags", args)
	}
	if err := o.read(*n, *runs, *who); err != nil {
		return err
	}
	if *asJSON {
		o.print = func(rows []row) error { return printJSON(stdout, rows) }
	} else {
		o.print = func(rows []row) error { a.table(stdout, rows); return nil }
	}
	rows, err := a.run(ctx, o)
	if err != nil {
		return fmt.Errorf("measuring %s: %w", a.name, err)
	}
	if !*asJSON {
		fmt.Fprint(stdout, a.notes)
		a.printGrowth(stdout, rows)
		a.printBars(stdout, rows)
	}
	return nil
}

// read takes in what the flags of all areas say.
func (o *options) read(n, runs, who string) (err error) {
	if o.scales, err = readScales(n, o.sizes, runs); err != nil {
		return fmt.Errorf("reading the arguments: %w", err)
	}
	if o.who, err = regexp.Compile(who); err != nil {
		return fmt.Errorf("reading the expression of the contenders: %w", err)
	}
	return nil
}

// areaOf takes the area's name off the arguments.
func areaOf(args []string) (*area, []string) {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil, args
	}
	for i := range areas {
		if areas[i].name == args[0] {
			return &areas[i], args[1:]
		}
	}
	return nil, args
}

func usage(flags *flag.FlagSet) {
	out := flags.Output()
	fmt.Fprint(out, "Bench does the same work with gitopskit and with its peers, in turn, and prints what it cost.\n\n",
		"usage: go run . <area> [flags]\n\nareas:\n")
	for _, a := range areas {
		fmt.Fprintf(out, "  %-10s %s\n", a.name, a.summary)
	}
	fmt.Fprint(out, "\nflags, and those of an area with `go run . <area> -h`:\n")
	flags.PrintDefaults()
	fmt.Fprint(out, "\n`go doc` in this folder says how it measures and what each contender does.\n")
}

func printJSON(w io.Writer, rows []row) error {
	encoder := json.NewEncoder(w)
	for _, r := range rows {
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	return nil
}
