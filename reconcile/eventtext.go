package reconcile

import (
	"fmt"
	"strings"
	"time"
)

// LoopName implements [Event].
func (e Fetched) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Restored) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Built) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Advanced) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Applied) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Waiting) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Healthy) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Unhealthy) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Superseded) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Drifted) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Unwatched) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e DependencyNotReady) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Kept) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e NotKept) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Failed) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Suspended) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Resumed) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Triggered) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Pinned) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Unpinned) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Replaced) LoopName() string { return e.Loop }

// LoopName implements [Event].
func (e Removed) LoopName() string { return e.Loop }

// String implements [fmt.Stringer].
func (e Fetched) String() string {
	if !e.Modified {
		return fmt.Sprintf("%s: %s is still current (%s)", e.Loop, e.Revision, round(e.Took))
	}
	return fmt.Sprintf("%s: fetched %s (%s)", e.Loop, e.Revision, round(e.Took))
}

// String implements [fmt.Stringer].
func (e Restored) String() string {
	return fmt.Sprintf("%s: restored %s from the store (%s)", e.Loop, e.Revision, round(e.Took))
}

// String implements [fmt.Stringer].
func (e Built) String() string {
	return fmt.Sprintf("%s: built %d object(s) (%s)", e.Loop, e.Objects, round(e.Took))
}

// String implements [fmt.Stringer].
func (e Advanced) String() string {
	return fmt.Sprintf("%s: %s changes nothing here", e.Loop, e.Revision)
}

// String implements [fmt.Stringer].
func (e Applied) String() string {
	what, counts := "applied", e.Result.Counts()
	switch {
	case e.Err != nil && changed(e.Result):
		what = "applied in part"
	case e.Err != nil:
		what = "not applied"
	case counts == "":
		counts = "nothing"
	}
	if counts != "" {
		counts = ": " + counts
	}
	return fmt.Sprintf("%s: %s %s%s (%s)", e.Loop, what, e.Revision, counts, round(e.Took))
}

// String implements [fmt.Stringer].
func (e Waiting) String() string { return fmt.Sprintf("%s: waiting for %s", e.Loop, e.Revision) }

// String implements [fmt.Stringer].
func (e Healthy) String() string {
	return fmt.Sprintf("%s: %s is healthy (%s)", e.Loop, e.Revision, round(e.Took))
}

// String implements [fmt.Stringer].
func (e Unhealthy) String() string {
	return fmt.Sprintf("%s: %s is not healthy: %s (%s)", e.Loop, e.Revision, oneLine(e.Err), round(e.Took))
}

// String implements [fmt.Stringer].
func (e Superseded) String() string {
	if e.By.IsZero() {
		return fmt.Sprintf("%s: no longer waiting for %s: the loop was stopped", e.Loop, e.Revision)
	}
	return fmt.Sprintf("%s: no longer waiting for %s: there is %s", e.Loop, e.Revision, e.By)
}

// String implements [fmt.Stringer].
func (e Drifted) String() string {
	const most = 5
	var texts []string
	for i, d := range e.Drifts {
		if i == most {
			texts = append(texts, fmt.Sprintf("%d more", len(e.Drifts)-most))
			break
		}
		texts = append(texts, d.String())
	}
	return fmt.Sprintf("%s: drifted: %s", e.Loop, strings.Join(texts, "; "))
}

// String implements [fmt.Stringer].
func (e Unwatched) String() string {
	return fmt.Sprintf("%s: drift is not told: %s; again in %s", e.Loop, oneLine(e.Err), round(e.RetryIn))
}

// String implements [fmt.Stringer].
func (e DependencyNotReady) String() string {
	return fmt.Sprintf("%s: %s waits for %s: %s", e.Loop, e.Revision, e.Dependency.Name, e.Why)
}

// String implements [fmt.Stringer].
func (e Kept) String() string {
	return fmt.Sprintf("%s: the store has %s as %s", e.Loop, e.Revision, e.Digest)
}

// String implements [fmt.Stringer].
func (e NotKept) String() string {
	return fmt.Sprintf("%s: the store does not take %s: %s", e.Loop, e.Revision, oneLine(e.Err))
}

// String implements [fmt.Stringer].
func (e Failed) String() string {
	text := fmt.Sprintf("%s: %s", e.Loop, oneLine(e.Err)) // it says what was being done
	if e.RetryIn > 0 {
		text += fmt.Sprintf("; again in %s", round(e.RetryIn))
	}
	return text
}

// String implements [fmt.Stringer].
func (e Suspended) String() string { return e.Loop + ": suspended" }

// String implements [fmt.Stringer].
func (e Resumed) String() string { return e.Loop + ": resumed" }

// String implements [fmt.Stringer].
func (e Triggered) String() string { return e.Loop + ": triggered" }

// String implements [fmt.Stringer].
func (e Pinned) String() string { return fmt.Sprintf("%s: pinned to %s", e.Loop, e.Revision) }

// String implements [fmt.Stringer].
func (e Unpinned) String() string { return e.Loop + ": follows its source again" }

// String implements [fmt.Stringer].
func (e Replaced) String() string { return e.Loop + ": has new parts" }

// String implements [fmt.Stringer].
func (e Removed) String() string {
	if e.Result == nil {
		return e.Loop + ": removed; what it applied is left"
	}
	return fmt.Sprintf("%s: removed: %s", e.Loop, e.Result.Counts())
}

// oneLine is the error's text for a log: several errors come in lines.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// round leaves out digits that nobody reads.
func round(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}
