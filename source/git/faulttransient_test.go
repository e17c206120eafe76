package git_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// A moody server answers some POSTs with a status.
type moody struct {
	*handmade
	filters []string // of the requests that came, one of which may be "-" for a status
	next    []int    // statuses to answer with; 0 is an answer
	commits int
}

func (m *moody) serve(t *testing.T) *git.Source {
	m.handmade, _ = sample()
	m.bend = func(_ int, q handmadeRequest, answer []byte) []byte {
		m.filters = append(m.filters, q.filter)
		return answer
	}
	handler := m.handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodPost && len(m.next) > 0 {
			status := m.next[0]
			if m.next = m.next[1:]; status > 0 {
				m.filters = append(m.filters, "-")
				w.WriteHeader(status)
				return
			}
		}
		handler.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	return newSource(t, server.URL+"/repo.git", git.Options{Paths: []string{"apps"}})
}

// fetchNext makes a commit and returns what it takes to fetch it.
func (m *moody) fetchNext(t *testing.T, s *git.Source, statuses ...int) ([]string, error) {
	t.Helper()
	m.commits++
	m.commit(m.tree(entryLine("40000", "apps", m.tree(entryLine("100644", "new", m.blob(fmt.Sprint(m.commits)))))))
	m.filters, m.next = nil, statuses
	_, err := s.Fetch(t.Context(), source.Revision{})
	return m.filters, err
}

func TestWhatFailsOnceIsAskedForAgain(t *testing.T) {
	usual := []string{"blob:none", "blob:limit=64k"}
	m := &moody{}
	s := m.serve(t)
	fetch(t, s, source.Revision{})
	for i, tt := range []struct {
		statuses []int
		want     []string
	}{
		{nil, usual},
		{[]int{500}, []string{"-", ""}},
		{nil, usual},
		{[]int{0, 502, 502}, []string{"blob:none", "-", "-", ""}},
		{nil, usual},
		{[]int{500}, []string{"-", ""}},
		{[]int{500}, []string{"-", ""}},
		{nil, []string{""}}, // now it is known
	} {
		got, err := m.fetchNext(t, s, tt.statuses...)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("fetch %d: got %q, %v, want %q", i, got, err, tt.want)
		}
	}
}

// Who is told to come back later does not ask for more.
func TestBusyServersAreLeftAlone(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		m := &moody{}
		s := m.serve(t)
		fetch(t, s, source.Revision{})
		got, err := m.fetchNext(t, s, status)
		checkError(t, err, nil, fmt.Sprintf("the server is busy: the server answers %d", status))
		if !slices.Equal(got, []string{"-"}) {
			t.Errorf("%d: got %q", status, got)
		}
		if got, err := m.fetchNext(t, s); err != nil || got[0] != "blob:none" {
			t.Errorf("%d: then got %q, %v", status, got, err)
		}
	}
}
