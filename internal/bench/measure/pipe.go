package measure

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Pipe runs programs at once, each of which reads what the one before it writes, and waits for all. The first one's input
// and the last one's output are as they were set; output that nobody reads is in the error. The peak, in MiB, is the sum
// of [PeakOf] each: more than they had at any one time.
func Pipe(programs ...*exec.Cmd) (peakMiB float64, err error) {
	var errs []error
	said := make([]bytes.Buffer, len(programs))
	started := 0
	for i, p := range programs {
		errs = append(errs, start(p, &said[i], programs[i+1:]))
		if errs[i] != nil {
			break
		}
		started++
	}
	for i, p := range programs[:started] {
		if err := p.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w: %.2000s", strings.Join(p.Args, " "), err, bytes.TrimSpace(said[i].Bytes())))
		}
		peakMiB += PeakOf(p.ProcessState)
	}
	return peakMiB, errors.Join(errs...)
}

// start starts a program, and gives its output to the first of those that follow. This process keeps no end of the pipe, so
// that they see its end.
func start(p *exec.Cmd, said *bytes.Buffer, next []*exec.Cmd) error {
	if p.Stderr == nil {
		p.Stderr = said
	}
	if p.Stdout == nil && len(next) == 0 {
		p.Stdout = said
	}
	if in, ok := p.Stdin.(pipeEnd); ok {
		p.Stdin = in.File
		defer in.Close() // the program has it
	}
	if len(next) > 0 {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		p.Stdout, next[0].Stdin = w, pipeEnd{r}
		defer w.Close()
	}
	err := p.Start()
	if err != nil && len(next) > 0 {
		err = errors.Join(err, next[0].Stdin.(pipeEnd).Close())
	}
	return err
}

// A pipeEnd is not the caller's to close.
type pipeEnd struct{ *os.File }
