package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// A Message is a POST to [Job.Control], and is answered when it has had its effect. Before a step, counting begins anew, and
// then happens what the step is about: a push, a change of an object, the loss of the source. After it the counts are taken,
// and the servers are looked at.
type Message struct {
	Work  string
	After bool
	Hook  string // URL of the webhook
}

// Steps measure one work after the other in one process.
type Steps struct {
	Job  Job
	Hook string // URL of the webhook; empty: there is none
	Done []Step
}

// A Course is one step.
type Course struct {
	Work string
	// Do is measured. What the step is about happens before it, and is in its time, but for First, of which nothing is.
	Do func(context.Context) error
	// Settle waits for what is no part of the time, and yet of the counts. It may be nil.
	Settle func(context.Context) error
	// Count fills in what was done. It may be nil.
	Count func(*Step)
}

// Take does one step. The peak is of the step alone, as far as the process gave memory back since; no collection is forced.
func (s *Steps) Take(ctx context.Context, c Course) error {
	err := s.take(ctx, c)
	if err != nil {
		err = fmt.Errorf("%s: %w", c.Work, err)
	}
	return err
}

func (s *Steps) take(ctx context.Context, c Course) (err error) {
	step := Step{Work: c.Work}
	if step.ReadyMiB, err = measure.RestartPeak(); err != nil {
		return err
	}
	stop, err := measure.Profile(s.Job.Profiles[c.Work])
	if err != nil {
		return err
	}
	start, used := time.Now(), cpuMS()
	err = s.send(ctx, Message{Work: c.Work, Hook: s.Hook})
	if c.Work == First {
		start, used = time.Now(), cpuMS()
	}
	if err == nil {
		err = c.Do(ctx)
	}
	step.MS = time.Since(start).Seconds() * 1000
	if err == nil && c.Settle != nil {
		err = c.Settle(ctx)
	}
	step.CPUMS = cpuMS() - used
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	if step.PeakMiB, err = measure.Peak(false); err != nil {
		return err
	}
	if c.Count != nil {
		c.Count(&step)
	}
	s.Done = append(s.Done, step)
	return s.send(ctx, Message{Work: c.Work, After: true})
}

func (s *Steps) send(ctx context.Context, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Job.Control, bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 2000))
		return fmt.Errorf("having it happen: %s: %s", answer.Status, bytes.TrimSpace(said))
	}
	return nil
}
