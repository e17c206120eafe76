package statuspage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/statuspage"
)

// ask answers a request for a page of these loops.
func ask(t testing.TB, loops []reconcile.Status, method, query string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(method, "/debug/loops"+query, nil)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	statuspage.New(statuspage.ListerFunc(these(loops)), statuspage.Options{}).ServeHTTP(answer, request)
	return answer
}

func TestPageIsReadOnly(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"} {
		answer := ask(t, fleet(8), method, "?loop=checkout")
		if answer.Code != http.StatusMethodNotAllowed || answer.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, answer.Code, answer.Header().Get("Allow"))
		}
		if strings.Contains(answer.Body.String(), "checkout") {
			t.Errorf("%s tells of loops", method)
		}
	}
	if answer := ask(t, fleet(8), http.MethodHead, ""); answer.Code != http.StatusOK {
		t.Errorf("HEAD: %d", answer.Code)
	}
}

func TestPageHasItsHeaders(t *testing.T) {
	for _, query := range []string{"", "?loop=checkout", "?loop=none", "?format=json", "?format=json&loop=none"} {
		header := ask(t, fleet(8), http.MethodGet, query).Header()
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Vary": "Accept"} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, not %q", query, name, got, want)
			}
		}
		policy := header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %s", query, policy)
		}
	}
}

// What loads something, or is only allowed by a weaker policy.
var foreign = regexp.MustCompile(`(?i)<(?:img|iframe|object|embed|link rel="stylesheet")|\sstyle="|\son[a-z]+="|\ssrc=`)

func TestPageIsOneFile(t *testing.T) {
	for _, query := range []string{"", "?loop=checkout", "?loop=none"} {
		if found := foreign.FindString(ask(t, fleet(20), http.MethodGet, query).Body.String()); found != "" {
			t.Errorf("%s has %q", query, found)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct{ query, accept, want string }{
		{"", "", "text/html"},
		{"", "*/*", "text/html"},
		{"", "application/json", "application/json"},
		{"", "Application/JSON; q=0.9, text/plain", "application/json"},
		{"", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"},
		{"", "text/html, application/json", "text/html"},
		{"", "application/json, text/html", "application/json"},
		{"?format=json", "text/html", "application/json"},
		{"?format=html", "application/json", "text/html"},
	} {
		got, _, _ := strings.Cut(ask(t, fleet(3), http.MethodGet, c.query, "Accept", c.accept).Header().Get("Content-Type"), ";")
		if got != c.want {
			t.Errorf("%s with Accept: %s: %s, not %s", c.query, c.accept, got, c.want)
		}
	}
}

// report reads a list as JSON.
func report(t testing.TB, loops []reconcile.Status, query string) statuspage.Report {
	t.Helper()
	var told statuspage.Report
	answer := ask(t, loops, http.MethodGet, query, "Accept", "application/json")
	if err := json.Unmarshal(answer.Body.Bytes(), &told); err != nil || answer.Code != http.StatusOK {
		t.Fatalf("%s: %d, %v: %s", query, answer.Code, err, answer.Body)
	}
	return told
}

func names(told statuspage.Report) string {
	var all []string
	for _, l := range told.Loops {
		all = append(all, l.Name)
	}
	return strings.Join(all, " ")
}

func TestFilterAndOrder(t *testing.T) {
	loops := fleet(9)
	for query, want := range map[string]string{
		"":                           "checkout search orders catalog gateway mail legacy payments tenant-0008",
		"?sort=-state":               "payments tenant-0008 legacy mail gateway catalog orders search checkout",
		"?sort=name":                 "catalog checkout gateway legacy mail orders payments search tenant-0008",
		"?sort=-name":                "tenant-0008 search payments orders mail legacy gateway checkout catalog",
		"?sort=since&q=tenant":       "tenant-0008",
		"?sort=nonsense&state=ready": "payments tenant-0008",
		"?state=failing":             "checkout",
		"?state=nonsense":            "",
		"?q=IMMUTABLE":               "checkout",
		"?q=s3:// refused":           "search",
		"?q=s3:// immutable":         "",
		"?q=checkout":                "checkout orders",
		"?q=pinned&state=ready":      "payments",
		"?q=" + revision("", 2).Digest.Encoded()[:12]: "checkout orders catalog payments",
	} {
		if got := names(report(t, loops, "?"+escape(query))); got != want {
			t.Errorf("%s: %q, not %q", query, got, want)
		}
	}
	if got := names(report(t, loops, "?sort=since")); !strings.HasPrefix(got, "mail catalog gateway orders") {
		t.Errorf("by since: %s", got)
	}
	if got := names(report(t, loops, "?sort=took")); !strings.HasPrefix(got, "checkout catalog") {
		t.Errorf("by took: %s", got)
	}
	told := report(t, loops, "?state=failing&q=checkout")
	states := map[string]int{"failing": 1, "blocked": 1}
	if told.Total != 9 || told.Matched != 1 || !reflect.DeepEqual(told.States, states) {
		t.Errorf("%d of %d, %v", told.Matched, told.Total, told.States)
	}
}

// escape escapes the values of a query, which begins with a question mark.
func escape(query string) string {
	values := make(url.Values)
	for field := range strings.SplitSeq(strings.TrimPrefix(query, "?"), "&") {
		name, value, _ := strings.Cut(field, "=")
		values.Set(name, value)
	}
	return values.Encode()
}

var rowNames = regexp.MustCompile(`<a class="name" href="([^"]*)"><bdi>([^<]*)</bdi>`)

func TestPagesHoldEachLoopOnce(t *testing.T) {
	seen, loops := make(map[string]int), fleet(1000)
	for page := range 11 {
		body := ask(t, loops, http.MethodGet, fmt.Sprintf("?sort=name&page=%d", page+1)).Body.String()
		found := rowNames.FindAllStringSubmatch(body, -1)
		if page < 10 {
			for _, row := range found {
				seen[row[2]]++
			}
		}
		if len(found) != 100 { // the page after the last is the last
			t.Errorf("page %d has %d loops", page+1, len(found))
		}
		if len(body) > 400<<10 {
			t.Errorf("page %d has %d bytes", page+1, len(body))
		}
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s is there %d times", name, n)
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 are there", len(seen))
	}
}

// The fields of Status are the contract of JSON: all of them are there, and text, times and durations are as promised.
func TestJSONOfALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := failing("checkout", time.Now())
		s.StoreErr, s.WatchErr, s.FetchErr = errors.New("store"), errors.New("watch"), errors.New("fetch")
		s.Suspended, s.Pinned = true, revision("main", 3)
		s.DependsOn = []reconcile.Dependency{{Name: "postgres", SameRevision: true}}
		s.Blocked = []string{"postgres: it is applying"}
		s.Drifts, s.DriftedAt, s.Ready = fleet(5)[4].Drifts, time.Now(), true
		body := ask(t, []reconcile.Status{s}, http.MethodGet, "?loop=checkout&format=json").Body.Bytes()
		var fields map[string]any
		var told statuspage.Loop
		if err := errors.Join(json.Unmarshal(body, &fields), json.Unmarshal(body, &told)); err != nil {
			t.Fatal(err)
		}
		for i := range reflect.TypeFor[statuspage.Loop]().NumField() {
			name, _, _ := strings.Cut(reflect.TypeFor[statuspage.Loop]().Field(i).Tag.Get("json"), ",")
			if fields[name] == nil {
				t.Errorf("%s is not there", name)
			}
		}
		if want := s.Err.Error(); told.Error != want || told.Stage != "applying" || told.Failures != 5 {
			t.Errorf("%q at %q, %d failures", told.Error, told.Stage, told.Failures)
		}
		if told.Wanted != s.Wanted || told.Applied != s.Applied || told.Pinned != s.Pinned || !told.Since.Equal(s.Since) ||
			told.Interval != 60 {
			t.Errorf("%+v", told)
		}
		o := told.History[2]
		if o.Took != (statuspage.Durations{Fetch: 0.31, Build: 0.042, Apply: 0.18, Wait: 6.2}) || o.Counts["created"] != 1 {
			t.Errorf("%+v", o)
		}
		if want := (statuspage.Change{Object: "Deployment.apps shop/checkout", Action: "configured"}); o.Changes[0] != want {
			t.Errorf("%+v", o.Changes)
		}
		again, err := json.MarshalIndent(told, "", "  ")
		if err != nil || string(again)+"\n" != string(body) {
			t.Errorf("a Loop that was read is not as it was written: %v", err)
		}
	})
}

func TestUnknownLoopIsNotFound(t *testing.T) {
	if answer := ask(t, fleet(3), http.MethodGet, "?loop=none"); answer.Code != http.StatusNotFound {
		t.Errorf("as a page: %d", answer.Code)
	}
	answer := ask(t, fleet(3), http.MethodGet, "?loop=none&format=json")
	if answer.Code != http.StatusNotFound || !json.Valid(answer.Body.Bytes()) {
		t.Errorf("as JSON: %d %s", answer.Code, answer.Body)
	}
}

func TestListOfNothing(t *testing.T) {
	if body := ask(t, nil, http.MethodGet, "").Body.String(); !strings.Contains(body, "There are no loops.") {
		t.Error(body)
	}
	if told := ask(t, nil, http.MethodGet, "?format=json").Body.String(); !strings.Contains(told, `"loops": []`) {
		t.Error(told)
	}
}

// The way back of a loop's page leads to the list that it was found in.
func TestLinksKeepTheQuery(t *testing.T) {
	body := ask(t, fleet(300), http.MethodGet, "?q=tenant&sort=-name&page=2").Body.String()
	found := rowNames.FindStringSubmatch(body)
	if want := "?loop=tenant-0199&amp;page=2&amp;q=tenant&amp;sort=-name"; found == nil || found[1] != want {
		t.Fatalf("%v, not %s", found, want)
	}
	body = ask(t, fleet(300), http.MethodGet, strings.ReplaceAll(found[1], "&amp;", "&")).Body.String()
	if want := `href="?page=2&amp;q=tenant&amp;sort=-name">All loops`; !strings.Contains(body, want) {
		t.Errorf("no %s in %s", want, body)
	}
}
