// Command ci is what a pipeline runs, in one process and with no tool installed beside it:
//
//	ci plan     -git https://github.com/example/fleet -branch main -path deploy -set fleet -o markdown
//	ci apply    -f deploy -set fleet -n shop -wait -timeout 10m -store .deployed
//	ci wait     -set fleet -n shop
//	ci diff     -git https://github.com/example/fleet -path deploy v1.2 main
//	ci rollback -set fleet -n shop -store .deployed
//
// It ends with 0, with 1 where something went wrong, and with -exit-code with 2 where a plan or a diff has changes.
// Credentials come from GIT_USERNAME and GIT_PASSWORD, the cluster from -kubeconfig, KUBECONFIG, ~/.kube/config, or the Pod
// that it runs in.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A command is what the first argument names.
type command struct {
	about string
	run   func(context.Context, *options) error
}

var commands = map[string]command{
	"plan":     {"tells what apply would change, and changes nothing", plan},
	"apply":    {"makes the cluster as the manifests say, and prunes what they had before", applyOrigin},
	"wait":     {"waits until all that the set has on the cluster is healthy", wait},
	"diff":     {"compares what two revisions, or two folders, build to: ci diff … FROM TO", diff},
	"rollback": {"applies what was good before, as -store has it: the revision -to, or what the last apply took the place of", rollback},
}

// errChanges is no failure, and has an exit code of its own.
var errChanges = errors.New("there are changes")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Stdout, os.Stderr, os.Args[1:])
	switch {
	case errors.Is(err, errChanges):
		os.Exit(2)
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "ci:", err)
		os.Exit(1)
	}
}

// options are the flags of all commands; each takes those that it knows.
type options struct {
	folder, git, branch, tag, semver, commit, path string // where the manifests come from
	variables                                      map[string]string

	kubeconfig, context, namespace, set string // where they go
	pruneLimit                          float64

	output   string
	exitCode bool
	wait     bool
	timeout  time.Duration
	store    string
	to       string

	args     []string // what is not a flag
	out, log io.Writer
}

// run reads the arguments and does what they say. What a person or a program asked for goes to out, progress to log.
func run(ctx context.Context, out, log io.Writer, args []string) error {
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		usage(log)
		return flag.ErrHelp
	}
	c, ok := commands[args[0]]
	if !ok {
		usage(log)
		return fmt.Errorf("%q is no command", args[0])
	}
	o := &options{out: out, log: log, variables: make(map[string]string)}
	flags := o.flags(args[0], c.about)
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if o.args = flags.Args(); len(o.args) > 0 && args[0] != "diff" {
		return fmt.Errorf("what is %q? see ci %s -h", o.args[0], args[0])
	}
	if !slices.Contains([]string{"", "text", "json", "markdown"}, o.output) || args[0] == "diff" && o.output == "markdown" {
		return fmt.Errorf("-o %q is not known: see ci %s -h", o.output, args[0])
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("-timeout of %s is over", o.timeout))
	defer cancel()
	return c.run(ctx, o)
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: ci COMMAND [flags]; ci COMMAND -h has the flags")
	for _, name := range []string{"plan", "apply", "wait", "diff", "rollback"} {
		fmt.Fprintf(w, "  %-9s %s\n", name, commands[name].about)
	}
}

// flags has the names that people know from kubectl and flux.
func (o *options) flags(name, about string) *flag.FlagSet {
	f := flag.NewFlagSet("ci "+name, flag.ContinueOnError)
	f.SetOutput(o.log)
	f.Usage = func() { fmt.Fprintf(o.log, "ci %s %s\n\n", name, about); f.PrintDefaults() }
	each := func(p *string, value, usage string, names ...string) {
		for _, n := range names {
			f.StringVar(p, n, value, usage)
		}
	}
	if name != "diff" {
		each(&o.kubeconfig, "", "`file` of the cluster", "kubeconfig")
		each(&o.context, "", "`context` of the kubeconfig", "context")
		each(&o.namespace, "default", "`namespace` of the inventory, and of objects that name none", "n", "namespace")
		each(&o.set, "", "`name` of the set, and so of its inventory", "set")
	}
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long all of it may take")
	if name == "apply" || name == "rollback" {
		f.BoolVar(&o.wait, "wait", false, "wait until all is healthy")
		f.Float64Var(&o.pruneLimit, "prune-limit", 1, "the greatest `share` of the set, from 0 to 1, that may be pruned at once")
		each(&o.store, "", "`folder` that keeps what was applied, for rollback", "store")
	}
	if name == "rollback" {
		each(&o.to, "", "`revision` to go back to, as the store has it", "to")
	}
	if name == "wait" || name == "rollback" {
		return f
	}
	each(&o.folder, "", "`folder` with a kustomization, or with manifests", "f", "filename")
	each(&o.git, "", "`URL` of a Git repository, instead of -f", "git")
	each(&o.branch, "", "its `branch`", "branch")
	each(&o.tag, "", "its `tag`", "tag")
	each(&o.semver, "", "the `range` of versions that its tag is the highest of", "semver")
	each(&o.commit, "", "its `commit`, in full", "commit")
	each(&o.path, ".", "`folder` in -git, or in -f, that is built", "path")
	f.Func("var", "`name=value` for ${name} in the manifests; may be given many times; without any, ${name} stays as it is", o.addVariable)
	if name == "plan" || name == "diff" {
		each(&o.output, "text", "`form`: text, markdown or json; of a diff text or json", "o", "output")
		f.BoolVar(&o.exitCode, "exit-code", false, "end with 2 where there are changes")
	}
	return f
}

func (o *options) addVariable(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("want name=value")
	}
	o.variables[name] = value
	return nil
}
