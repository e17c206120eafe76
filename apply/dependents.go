package apply

import (
	"context"
	"fmt"
	"sync"
)

// dependents are the members that depend on others, by the annotation config.kubernetes.io/depends-on or since they are
// in a namespace, or of a kind, that does. Each waits for its own wave and for the health of what it needs.
type dependents struct {
	*run
	reached []chan struct{} // one for each wave: closed when it is begun, or will not be
	blocked []bool          // waves that are not begun; read after reached is closed
	beside  map[int]bool    // members that are sent by a goroutine of their own; not written after start
	dealt   map[int]chan struct{}
	health  map[int]func() error // of a member that others need: waits once for all of them
	going   sync.WaitGroup
}

func newDependents(r *run) *dependents {
	d := &dependents{run: r, blocked: make([]bool, waves), beside: make(map[int]bool),
		dealt: make(map[int]chan struct{}), health: make(map[int]func() error)}
	for range waves {
		d.reached = append(d.reached, make(chan struct{}))
	}
	return d
}

// start has each dependent wait in a goroutine of its own. What is unchanged already waits for nothing.
func (d *dependents) start(ctx context.Context) {
	for i, m := range d.members {
		if d.changes[i].Action != "" || len(m.needs) == 0 {
			continue
		}
		d.beside[i] = true
		for _, need := range m.needs {
			if d.dealt[need] == nil {
				d.dealt[need] = make(chan struct{})
				d.health[need] = sync.OnceValue(func() error { return d.awaitNeeded(ctx, need) })
				if d.changes[need].Action != "" {
					close(d.dealt[need])
				}
			}
		}
	}
	for i := range d.beside {
		d.going.Go(func() {
			defer d.done(i)
			d.sendWhenReady(ctx, i)
		})
	}
}

func (d *dependents) sendWhenReady(ctx context.Context, i int) {
	for _, need := range d.members[i].needs {
		<-d.dealt[need]
		if err := d.health[need](); err != nil {
			d.end(i, Skipped, err)
			return
		}
	}
	wave := waveOf(d.members[i].ref)
	<-d.reached[wave]
	if d.blocked[wave] {
		d.end(i, Skipped, ErrNotReached)
		return
	}
	d.send(ctx, i)
}

// awaitNeeded waits until a member is healthy that others need.
func (d *dependents) awaitNeeded(ctx context.Context, need int) error {
	m := d.members[need]
	if d.changes[need].unfinished() {
		return fmt.Errorf("%w: it needs %s, which was not applied", ErrNotReached, m.ref)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.opts.DependencyTimeout,
		fmt.Errorf("%w: DependencyTimeout is %s", context.DeadlineExceeded, d.opts.DependencyTimeout))
	defer cancel()
	if err := d.awaitHealthy(ctx, m.ref.String(), []target{{ref: m.ref, resource: m.resource}}, WaitOptions{JobsComplete: true}); err != nil {
		return fmt.Errorf("%w: %w", ErrNotReached, err)
	}
	return nil
}

// reach lets the dependents of a wave go on, or tells them that the wave is not begun.
func (d *dependents) reach(wave int, blocked bool) {
	d.blocked[wave] = blocked
	close(d.reached[wave])
}

// done lets those go on that need the member.
func (d *dependents) done(i int) {
	if dealt := d.dealt[i]; dealt != nil {
		close(dealt)
	}
}

func (d *dependents) wait() { d.going.Wait() }
