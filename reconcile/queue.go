package reconcile

import "k8s.io/client-go/util/workqueue"

// newQueue returns a queue of what is due. Where both origins and loops wait in it, they take turns: a thousand loops that
// are about to build do not keep a push from being seen, and a thousand origins do not keep loops from being applied.
func newQueue() workqueue.TypedDelayingInterface[task] {
	return workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[task]{
		Queue: workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[task]{Queue: new(turns)}),
	})
}

// turns are two lines, first in first out.
type turns struct {
	origins, loops []task
	loop           bool // it is a loop's turn
}

// Touch does nothing: what is asked for twice keeps its place.
func (q *turns) Touch(task) {}

// Push is as in [workqueue.Queue].
func (q *turns) Push(t task) {
	if _, ok := t.(*origin); ok {
		q.origins = append(q.origins, t)
	} else {
		q.loops = append(q.loops, t)
	}
}

// Len is as in [workqueue.Queue].
func (q *turns) Len() int { return len(q.origins) + len(q.loops) }

// Pop is as in [workqueue.Queue]: it is not called where Len is 0.
func (q *turns) Pop() task {
	line := &q.origins
	if len(q.origins) == 0 || q.loop && len(q.loops) > 0 {
		line = &q.loops
	}
	t := (*line)[0]
	(*line)[0], *line = nil, (*line)[1:] // or it would be held
	q.loop = !q.loop
	return t
}
