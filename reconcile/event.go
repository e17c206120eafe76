package reconcile

import (
	"fmt"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// An Event is something that happened in a loop: one of [Fetched], [Built], [Applied], [Failed], [Suspended] and [Resumed].
// Its String is a line for a log.
type Event interface {
	fmt.Stringer
	event()
}

// Fetched says that the source answered.
type Fetched struct {
	Loop     string
	Revision source.Revision
	Modified bool // there is content of a revision that was not built before
	Took     time.Duration
}

// Built says that the content of a revision was built.
type Built struct {
	Loop     string
	Revision source.Revision
	Objects  int
	Took     time.Duration
}

// Applied says what Apply did; where it failed, as far as it came, and a [Failed] follows.
type Applied struct {
	Loop     string
	Revision source.Revision
	Result   *apply.Result // never nil
	Took     time.Duration
}

// A Stage is a part of a round.
type Stage string

// The stages of a round, in their order.
const (
	Fetching Stage = "fetching"
	Building Stage = "building"
	Applying Stage = "applying"
)

// Failed says that a round ended early.
type Failed struct {
	Loop     string
	Stage    Stage
	Revision source.Revision // the last one fetched, if any
	Err      error
	Failures int           // rounds that failed one after another, this one included
	RetryIn  time.Duration // 0 after Once, which does not try again
}

// Suspended says that no round starts until the loop is resumed.
type Suspended struct{ Loop string }

// Resumed says that rounds start again.
type Resumed struct{ Loop string }

func (Fetched) event()   {}
func (Built) event()     {}
func (Applied) event()   {}
func (Failed) event()    {}
func (Suspended) event() {}
func (Resumed) event()   {}

func (e Fetched) String() string {
	if !e.Modified {
		return fmt.Sprintf("%s: %s is still current (%s)", e.Loop, e.Revision, round(e.Took))
	}
	return fmt.Sprintf("%s: fetched %s (%s)", e.Loop, e.Revision, round(e.Took))
}

func (e Built) String() string {
	return fmt.Sprintf("%s: built %d object(s) (%s)", e.Loop, e.Objects, round(e.Took))
}

func (e Applied) String() string {
	counts := e.Result.Counts()
	if counts == "" {
		counts = "nothing"
	}
	return fmt.Sprintf("%s: applied %s: %s (%s)", e.Loop, e.Revision, counts, round(e.Took))
}

func (e Failed) String() string {
	// The error says what was being done; several of them come in lines.
	text := fmt.Sprintf("%s: %s", e.Loop, strings.ReplaceAll(e.Err.Error(), "\n", "; "))
	if e.RetryIn > 0 {
		text += fmt.Sprintf("; again in %s", round(e.RetryIn))
	}
	return text
}

func (e Suspended) String() string { return e.Loop + ": suspended" }
func (e Resumed) String() string   { return e.Loop + ": resumed" }

// round leaves out digits that nobody reads.
func round(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}
