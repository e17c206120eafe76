package kubeevents

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
)

// A Message is what an Event says.
type Message struct {
	Warning bool   // else it is Normal
	Reason  string // why, in one word: "Applied", "BuildFailed"
	Action  string // what was being done: "Apply"
	Note    string // for people; cut to 1024 bytes
}

// Tell returns what is posted of an event unless Options say otherwise; false where nothing is. The reasons are Applied,
// Healthy, Drifted, DependencyNotReady, RestoredFromStore, Suspended, Resumed, Pinned, Unpinned and Removed; FetchFailed,
// RestoreFailed, BuildFailed, ApplyFailed, HealthCheckFailed and DeleteFailed; NotKept and DriftUnknown.
func Tell(e reconcile.Event) (Message, bool) {
	switch e := e.(type) {
	case reconcile.Applied:
		if e.Err != nil || e.Result.Count(apply.Failed) > 0 || e.Result.Count(apply.Unchanged) == len(e.Result.Changes) {
			return Message{}, false
		}
		note := fmt.Sprintf("applied %s: %s", e.Revision, e.Result.Counts())
		return Message{Reason: "Applied", Action: "Apply", Note: note}, true
	case reconcile.Healthy:
		return Message{Reason: "Healthy", Action: "CheckHealth", Note: fmt.Sprintf("%s is healthy", e.Revision)}, true
	case reconcile.Failed:
		return failed(e), true
	case reconcile.Drifted:
		return Message{Warning: true, Reason: "Drifted", Action: "Apply", Note: drifted(e.Drifts)}, true
	case reconcile.DependencyNotReady:
		note := fmt.Sprintf("%s waits for %s: %s", e.Revision, e.Dependency.Name, e.Why)
		return Message{Reason: "DependencyNotReady", Action: "Wait", Note: note}, true
	case reconcile.Restored:
		note := fmt.Sprintf("the source is out of reach; restored %s from the store", e.Revision)
		return Message{Warning: true, Reason: "RestoredFromStore", Action: "Restore", Note: note}, true
	case reconcile.NotKept:
		note := fmt.Sprintf("the store does not take %s: %s", e.Revision, oneLine(e.Err))
		return Message{Warning: true, Reason: "NotKept", Action: "Keep", Note: note}, true
	case reconcile.Unwatched:
		return Message{Warning: true, Reason: "DriftUnknown", Action: "Watch",
			Note: "drift is not told: " + oneLine(e.Err)}, true
	}
	return ofLife(e)
}

// ofLife is the rest of Tell: what people did to the loop.
func ofLife(e reconcile.Event) (Message, bool) {
	switch e := e.(type) {
	case reconcile.Suspended:
		return Message{Reason: "Suspended", Action: "Suspend", Note: "suspended"}, true
	case reconcile.Resumed:
		return Message{Reason: "Resumed", Action: "Resume", Note: "resumed"}, true
	case reconcile.Pinned:
		return Message{Reason: "Pinned", Action: "Pin", Note: fmt.Sprintf("pinned to %s", e.Revision)}, true
	case reconcile.Unpinned:
		return Message{Reason: "Unpinned", Action: "Unpin", Note: "follows its source again"}, true
	case reconcile.Removed:
		note := "removed; what was applied is left"
		if e.Result != nil {
			note = "removed: " + e.Result.Counts()
		}
		return Message{Reason: "Removed", Action: "Remove", Note: note}, true
	}
	return Message{}, false
}

// failed leaves out how often and until when, for the same failure is to have the same note.
func failed(e reconcile.Failed) Message {
	m := Message{Warning: true, Note: oneLine(e.Err)}
	switch e.Stage {
	case reconcile.Fetching:
		m.Action = "Fetch"
	case reconcile.Restoring:
		m.Action = "Restore"
	case reconcile.Building:
		m.Action = "Build"
	case reconcile.Applying:
		m.Action = "Apply"
	case reconcile.Checking:
		m.Action = "HealthCheck"
	case reconcile.Deleting:
		m.Action = "Delete"
	}
	m.Reason = m.Action + "Failed"
	return m
}

// drifted names as many objects as people read.
func drifted(drifts []apply.Drift) string {
	const most = 5
	var texts []string
	for i, d := range drifts {
		if i == most {
			texts = append(texts, fmt.Sprintf("%d more", len(drifts)-most))
			break
		}
		texts = append(texts, d.String())
	}
	return strings.Join(texts, "; ")
}

func oneLine(err error) string {
	if err == nil {
		return "for an unknown reason"
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// cut returns the text in at most so many bytes, with a mark where there was more.
func cut(text string, most int) string {
	const mark = "…"
	if len(text) <= most {
		return text
	}
	end := most - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
