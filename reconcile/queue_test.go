package reconcile

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAPushIsSeenWhileManyLoopsAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ships := fleet(200)
		for _, s := range ships {
			s.slow = time.Second // so all take 50 seconds with four workers
		}
		other := newFleetOrigin("other")
		late := newShip("other", other)
		late.Interval = time.Hour
		sail(t, append(ships, late), func(g *Group) {
			later(5 * time.Second)
			before := other.count()
			want(t, "loops that the push triggers", g.TriggerSource(func(l *Loop) bool { return l.Source == other }), 1)
			later(2 * time.Second)
			want(t, "fetches", other.count(), before+1)
			if n := sum(ships, func(s *ship) int { return len(s.applied) }); n > 50 {
				t.Errorf("%d of the loops were applied after 7 seconds: there was nothing to wait behind", n)
			}
			later(2 * time.Minute)
			want(t, "applies", sum(ships, func(s *ship) int { return len(s.applied) }), 200)
		})
	})
}

func TestOriginsAndLoopsTakeTurns(t *testing.T) {
	q := new(turns)
	o1, o2, o3 := new(origin), new(origin), new(origin)
	l1, l2, l3 := new(Loop), new(Loop), new(Loop)
	for _, task := range []task{l1, l2, l3, o1, o2} {
		q.Push(task)
	}
	for i, wanted := range []task{o1, l1, o2, l2} {
		if got := q.Pop(); got != wanted {
			t.Errorf("%d: popped %T, want %T, or another of that kind", i, got, wanted)
		}
	}
	q.Push(o3)
	want(t, "waiting", q.Len(), 2)
	if got := q.Pop(); got != task(o3) {
		t.Errorf("popped %T, want the origin", got)
	}
	if got := q.Pop(); got != task(l3) || q.Len() != 0 {
		t.Errorf("popped %T, want the last loop", got)
	}
}
