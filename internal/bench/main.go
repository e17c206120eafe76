// Bench does the same work with gitopskit and with each of its peers, in turn, in one run, and prints what it cost.
//
//	go run . apply                         1,000 objects, three runs of each
//	go run . apply -n 1000 -size 0,20000   as they are, and with 20 KB in each object
//	go run . apply -n 100,1000,10000 -runs 5,3,1 -who 'gitopskit|@4|bare'
//	go run . apply -who 'gitopskit|bare'   only these
//	go run . apply -json                   a line of JSON for each row
//	go run . apply -profile /tmp/pprof     CPU profiles of the work, one for each measured process
//
// It is a module of its own, so that the peers never enter the library's go.mod.
//
// # How it measures
//
// Each engine is a program of its own, in the folder engine, with no other engine in it. Work is measured in a fresh
// process for each contender, each work and each run, so that nobody is helped by what another left in memory, and the
// peak memory is that contender's. The process first does what is not to be measured: it makes the objects and the client,
// and opens the connection. Then it measures the time of the work alone, and the greatest resident memory meanwhile, which
// has the program and the objects in it. Servers run in other processes. A contender that did not do all of the work, by
// its own account, ends the run with an error.
//
// Each scale, a number and a size of objects, has a fresh server, which all contenders share. The first round is not
// timed: it goes through a proxy that counts requests by verb and the bytes of their bodies as they are on the wire, alike
// for all contenders, and it warms up the server. The timed rounds go to the server directly. The contenders take turns
// within a round, and each round starts with another one.
//
// Machines are noisy, and client and server share theirs: ratios count, and of those the ones that stay from run to run.
//
// # What it prints
//
// The table has the median and the least time of the runs, the bytes sent and received and the requests of the counting
// round, the greatest peak of resident memory and how much of it was there before the work, and the ratio of the median to
// gitopskit's. Where there is more than one n, a table of growth follows. At the end are the bars: what gitopskit has to keep
// beside fluxcd/pkg/ssa and beside the bare loops, and whether it does. They do not change the exit code. With -json each
// row is a line, and there are no growth and no bars:
//
//	{"area","work","who","n","size","ms","min_ms","requests","verbs","sent","received","peak_mib","ready_mib","runs"}
//
// where ms is the median; peak_mib is 0 where the system does not tell. A request with dryRun is of the verb "dry-run".
//
// # The area apply
//
// n objects of five kinds (ConfigMap, Secret, Role, Ingress, Deployment) in a fresh namespace, on one API server
// that stores them and runs no controllers. The works follow upon each other: create; no-op, the same again; one-changed,
// a value of one ConfigMap is another; prune, all but one object are to go. Nobody waits for health.
//
//   - gitopskit: a new Applier for each work; it finds out itself what to prune, by its inventory.
//   - fluxcd/pkg/ssa@4 and @32: ApplyAll as Flux's kustomize-controller calls it, with a concurrency of 4, Flux's default,
//     and of 32; without its limit of requests a second. It has no inventory: prune is DeleteAll of what it is told.
//   - cli-utils: its Applier with its inventory in a ConfigMap, server-side, without a limit of requests a second. Its watch
//     of the objects is off, for it only feeds the waits for health. It has no concurrency to set. Its discovery cache is
//     warm after its first create.
//   - kubectl: apply --server-side --force-conflicts --validate=false, and for prune delete --wait=false of a file that
//     names what is to go; where it is installed. Without --validate=false it takes about 45 ms more for each object, as
//     it reads the server's schema anew each time. Its time is that of the whole process. Its discovery cache is warm
//     after its first create. Its peak memory cannot be told below that of the process that starts it, about 15 MiB.
//   - bare: 32 workers that PATCH bodies marshalled beforehand, all of them also where one changed, or DELETE what was
//     looked up beforehand, with the bodies, parameters and headers that gitopskit sends: what the server can take.
//   - bare-list: one metadata-only LIST by label for each kind, as gitopskit sends it, its answer read and not decoded, and
//     one PATCH where one changed, known beforehand: what knowing costs at least.
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

	"github.com/gitopskit/gitopskit/internal/bench/work"
)

// An area is a part of the library that is compared with its peers.
type area struct {
	name, summary string
	run           func(context.Context, options) ([]row, error)
}

var areas = []area{
	{"apply", "create, no-op, one-changed and prune of n objects on a Kubernetes API server", runApply},
}

// Options are those of the command line.
type options struct {
	scales  []scale
	who     *regexp.Regexp    // the contenders that take part
	kubectl string            // name or path
	profile string            // folder for CPU profiles; empty: none
	log     io.Writer         // what a person reads while it runs
	print   func([]row) error // what is measured at one scale
	// after is called when a contender has done a work; tests look at the server then. It may be nil.
	after func(j work.Job) error
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
	o := options{log: stderr}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { usage(flags) }
	n := flags.String("n", "1000", "how many objects, at least 2; or several numbers, with commas")
	size := flags.String("size", "0", "bytes added to each object, up to 200000; or several numbers")
	runs := flags.String("runs", "3", "timed runs of each contender; or one number for each of n")
	who := flags.String("who", ".", "regular expression of the contenders that take part")
	flags.StringVar(&o.kubectl, "kubectl", "kubectl", "name or path of kubectl; it is left out where it is not found")
	flags.StringVar(&o.profile, "profile", "", "existing folder for CPU profiles of the timed work")
	asJSON := flags.Bool("json", false, "print a line of JSON for each row instead of the table")
	a, rest := areaOf(args)
	if err := flags.Parse(rest); err != nil {
		return err
	}
	if a == nil || flags.NArg() > 0 {
		flags.Usage()
		return fmt.Errorf("reading the arguments %q: name one area, then flags", args)
	}
	var err error
	if o.scales, err = readScales(*n, *size, *runs); err != nil {
		return fmt.Errorf("reading the arguments: %w", err)
	}
	if o.who, err = regexp.Compile(*who); err != nil {
		return fmt.Errorf("reading the expression of the contenders: %w", err)
	}
	o.print = func(rows []row) error {
		if *asJSON {
			return printJSON(stdout, rows)
		}
		printTable(stdout, rows)
		return nil
	}
	rows, err := a.run(ctx, o)
	if err != nil {
		return fmt.Errorf("measuring %s: %w", a.name, err)
	}
	if !*asJSON {
		printNotes(stdout)
		printGrowth(stdout, rows)
		printBars(stdout, rows)
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
	fmt.Fprint(out, "\nflags:\n")
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
