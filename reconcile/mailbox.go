package reconcile

import "sync"

// A mailbox has events told in the order in which they were posted, one at a time, whoever delivers them. An event may be
// posted while another one is being told, also by who is being told it.
type mailbox struct {
	mu     sync.Mutex
	events []Event
	busy   bool // somebody delivers
}

func (m *mailbox) post(events ...Event) {
	if len(events) == 0 {
		return
	}
	m.mu.Lock()
	m.events = append(m.events, events...)
	m.mu.Unlock()
}

// next returns the next event to be told, and marks the mailbox as being delivered as long as there are any.
func (m *mailbox) next(mine bool) (Event, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy && !mine {
		return nil, false
	}
	m.busy = len(m.events) > 0
	if !m.busy {
		m.events = nil
		return nil, false
	}
	e := m.events[0]
	m.events = m.events[1:]
	return e, true
}

// deliver tells what was posted, unless somebody else is at it, who will then tell that too.
func (l *Loop) deliver() {
	mine := false
	for {
		e, ok := l.core.mail.next(mine)
		if !ok {
			return
		}
		mine = true
		if l.OnEvent != nil {
			l.OnEvent(e)
		}
		l.core.mu.Lock()
		group := l.core.group
		l.core.mu.Unlock()
		if group != nil && group.OnEvent != nil {
			group.OnEvent(e)
		}
	}
}

// tell posts events and delivers them.
func (l *Loop) tell(events ...Event) {
	l.core.mail.post(events...)
	l.deliver()
}
