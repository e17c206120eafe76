package apply

import "fmt"

// A container is the part that matters here of a Pod's containerStatuses. The message of one that ended is left out: it is
// what the program wrote last, and may be anything.
type container struct {
	Name             string
	RestartCount     int
	State, LastState struct {
		Waiting    *struct{ Reason, Message string }
		Running    *struct{}
		Terminated *termination
	}
}

type termination struct {
	Reason   string
	ExitCode int
}

func (t *termination) String() string {
	if t.Reason == "" || t.Reason == "Error" || t.Reason == "Completed" {
		return fmt.Sprintf("exit code %d", t.ExitCode)
	}
	return fmt.Sprintf("exit code %d (%s)", t.ExitCode, t.Reason)
}

// podReason tells what keeps a Pod from being ready, empty where nothing does; and whether it is only that it does not say
// it is.
func podReason(pod *subject) (reason string, unready bool) {
	if pod.Metadata.DeletionTimestamp != nil {
		return "it is being deleted", false
	}
	if pod.Status.Phase == "Succeeded" {
		return "", false
	}
	for _, c := range pod.Status.InitContainerStatuses {
		if reason := c.reason(); reason != "" {
			return "init container " + c.Name + ": " + reason, false
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if reason := c.reason(); reason != "" {
			return "container " + c.Name + ": " + reason, false
		}
	}
	if told := troubles(pod.Status.Conditions); len(told) > 0 {
		return told[0], false
	}
	if pod.Status.Phase == "Failed" { // evicted, say
		return "Failed: " + reasonAnd(pod.Status.Reason, pod.Status.Message), false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == "Ready" && c.Status != "True" {
			return "not ready: " + reasonAnd(c.Reason, c.Message), true
		}
	}
	if pod.Status.Phase == "Pending" {
		return "Pending: no node has taken it yet", false
	}
	return "", false
}

// reason tells what is wrong with a container, and how it ended before.
func (c *container) reason() string {
	var reason string
	switch {
	case c.State.Waiting != nil && c.State.Waiting.Reason == "PodInitializing": // for an init container, which tells why
		return ""
	case c.State.Waiting != nil:
		reason = reasonAnd(c.State.Waiting.Reason, c.State.Waiting.Message)
	case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
		reason = "ended with " + c.State.Terminated.String()
	default:
		return ""
	}
	if last := c.LastState.Terminated; last != nil {
		reason += fmt.Sprintf("; last ended with %s, %d restarts", last, c.RestartCount)
	}
	return reason
}
