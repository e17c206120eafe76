package statuspage_test

import (
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/statuspage"
)

// wellFormed complains of a page that has markup of somebody else's, or characters that are not what they look like.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	if n := strings.Count(page, "<script>"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	if n := strings.Count(page, "</style>"); n != 1 {
		t.Errorf("%d ends of style", n)
	}
	for _, markup := range []string{"<img", `href="javascript:`} {
		if strings.Contains(page, markup) {
			t.Errorf("%s is there", markup)
		}
	}
	if !utf8.ValidString(page) {
		t.Error("the page is not UTF-8")
	}
	for i, r := range page {
		if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf) {
			t.Errorf("%U is at %d: %q", r, i, page[max(0, i-40):i])
			return
		}
	}
}

func TestHostileTextsAreShownAsTheyAre(t *testing.T) {
	evil := hostile()
	loops := append(fleet(8), evil)
	escaped := url.QueryEscape(evil.Name)
	for _, query := range []string{"", "?loop=" + escaped, "?loop=2" + escaped, "?q=" + escaped, "?state=" + escaped,
		"?sort=" + escaped, "?page=-7"} {
		wellFormed(t, ask(t, loops, http.MethodGet, query).Body.String())
	}
	if told := report(t, loops, "?q="+url.QueryEscape(`\u202e\u2066reversed`)); told.Matched != 1 {
		t.Errorf("what is copied from the page finds %d", told.Matched)
	}
	// What is escaped is still all there, and the link leads to this very loop.
	page := ask(t, loops, http.MethodGet, "?q=reversed").Body.String()
	found := rowNames.FindStringSubmatch(page)
	if found == nil {
		t.Fatal("the loop is not listed")
	}
	if !strings.Contains(found[2], `\u202e\u2066`) {
		t.Errorf("the name is %s", found[2])
	}
	answer := ask(t, loops, http.MethodGet, html.UnescapeString(found[1]))
	if answer.Code != http.StatusOK {
		t.Errorf("the link leads to %d", answer.Code)
	}
	body := answer.Body.String()
	if !strings.Contains(body, strings.Repeat("w", 5000)) || !strings.Contains(body, strings.Repeat("e", 6000)) {
		t.Error("the loop's own page does not have all of its name and error")
	}
}

func TestCredentialsAreMasked(t *testing.T) {
	for text, want := range map[string]string{
		"https://bob:planted@git.example.com/fleet":               "https://…@git.example.com/fleet",
		"https://planted@git.example.com":                         "https://…@git.example.com",
		`get "https://u:pl@nted@host/": refused`:                  `get "https://…@host/": refused`,
		"ssh://git@git.example.com/fleet":                         "ssh://git@git.example.com/fleet",
		"git@git.example.com:fleet.git":                           "git@git.example.com:fleet.git",
		"https://s3/b/k?X-Amz-Signature=planted&X-Amz-Expires=60": "https://s3/b/k?X-Amz-Signature=…&X-Amz-Expires=60",
		"https://h/?a=1&access_token=planted":                     "https://h/?a=1&access_token=…",
		"Secret web: token=planted-in-prose stays":                "Secret web: token=planted-in-prose stays",
		"https://git.example.com/a@b and mail to ops@example.com": "https://git.example.com/a@b and mail to ops@example.com",
	} {
		s := ready("it", time.Now())
		err := errors.New(text)
		s.Source, s.Err, s.FetchErr, s.StoreErr, s.WatchErr, s.Blocked = text, err, err, err, err, []string{text}
		s.History[0].Err = err
		s.History[1].Changes = []apply.Change{{Err: err}}
		var told statuspage.Loop
		answer := ask(t, []reconcile.Status{s}, http.MethodGet, "?loop=it&format=json")
		if err := json.Unmarshal(answer.Body.Bytes(), &told); err != nil {
			t.Fatal(err)
		}
		for _, got := range []string{told.Source, told.Error, told.FetchError, told.StoreError, told.WatchError, told.Blocked[0],
			told.History[0].Error, told.History[1].Changes[0].Error} {
			if got != want {
				t.Errorf("%s is told as %s, not as %s", text, got, want)
			}
		}
		if !strings.Contains(want, "planted") {
			for _, query := range []string{"", "?loop=it"} {
				if strings.Contains(ask(t, []reconcile.Status{s}, http.MethodGet, query).Body.String(), "planted") {
					t.Errorf("%s is on the page %s", text, query)
				}
			}
			if told := report(t, []reconcile.Status{s}, "?q=planted"); told.Matched != 0 {
				t.Errorf("%s can be guessed by searching", text)
			}
		}
	}
}

// Whatever is asked and whatever loops are called, the page is well formed, and the two ways to ask agree.
func FuzzPage(f *testing.F) {
	f.Add("q=a&state=failing&sort=-took&page=2", "name", "error")
	f.Add("loop=%3Cscript%3E", "<script>", "<script>{{.}}</script>\u202e")
	f.Add("q=%ff&page=99999999999999999999&sort=%00", "a\xffb", "https://a:b@c/?token=d")
	f.Fuzz(func(t *testing.T, query, name, text string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		s := failing(name, time.Now())
		s.Source, s.Err, s.Wanted.Name = text, errors.New(text), text
		loops := append(fleet(3), s)
		values.Del("format")
		page := ask(t, loops, http.MethodGet, "?"+values.Encode())
		if strings.Contains(strings.ToLower(page.Body.String()[strings.Index(page.Body.String(), "</style>")+8:]), "</style") ||
			strings.Count(page.Body.String(), "<script>") != 1 || !utf8.Valid(page.Body.Bytes()) {
			t.Errorf("%q is not well formed", query)
		}
		values.Set("format", "json")
		told := ask(t, loops, http.MethodGet, "?"+values.Encode())
		if told.Code != page.Code || !json.Valid(told.Body.Bytes()) {
			t.Errorf("%q: %d as a page, %d as JSON: %s", query, page.Code, told.Code, told.Body)
		}
		if values.Get("loop") == name && name != "" && told.Code != http.StatusOK {
			t.Errorf("%q is not found", name)
		}
	})
}
