package apply

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// A pacer is a RoundTripper that bounds how many requests are under way at once. An answer that the server has too many
// (429) halves the bound, once for all the requests that were under way then; every round of other answers raises it by
// one again, up to where it began. When to send the refused request again is for its sender, who reads Retry-After.
type pacer struct {
	next http.RoundTripper
	most float64

	mu    sync.Mutex
	bound float64
	cuts  int // how often the bound was halved
	busy  int
	queue []chan struct{} // of those who wait, the first first; closed when it is one's turn
}

func newPacer(most int) *pacer { return &pacer{most: float64(most), bound: float64(most)} }

// RoundTrip implements [http.RoundTripper]. A watch is under way for long and asks little, so it does not count.
func (p *pacer) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.RawQuery, "watch=true") {
		return p.next.RoundTrip(r)
	}
	cuts, err := p.enter(r.Context())
	if err != nil {
		return nil, err
	}
	answer, err := p.next.RoundTrip(r)
	p.leave(cuts, err == nil && answer.StatusCode == http.StatusTooManyRequests)
	return answer, err
}

func (p *pacer) enter(ctx context.Context) (cuts int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 && float64(p.busy)+1 <= p.bound {
		p.busy++
		return p.cuts, nil
	}
	turn := make(chan struct{})
	p.queue = append(p.queue, turn)
	p.mu.Unlock()
	select {
	case <-turn:
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.mu.Lock()
	if err == nil {
		return p.cuts, nil
	}
	if i := slices.Index(p.queue, turn); i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
	} else { // its turn came as well
		p.busy--
		p.admit()
	}
	return 0, err
}

func (p *pacer) leave(cuts int, overloaded bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !overloaded:
		p.bound = min(p.most, p.bound+1/p.bound)
	case cuts == p.cuts:
		p.bound = max(1, p.bound/2)
		p.cuts++
	}
	p.busy--
	p.admit()
}

// admit gives those who wait their turn.
func (p *pacer) admit() {
	for len(p.queue) > 0 && float64(p.busy)+1 <= p.bound {
		p.busy++
		close(p.queue[0])
		p.queue = p.queue[1:]
	}
}
