package statuspage_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/statuspage"
)

// serve returns the address of a page of these loops, in a mux beside other things.
func serve(t testing.TB, loops func() []reconcile.Status, opts statuspage.Options) string {
	mux := http.NewServeMux()
	mux.Handle("/debug/loops", statuspage.New(statuspage.ListerFunc(loops), opts))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/debug/loops"
}

func these(loops []reconcile.Status) func() []reconcile.Status {
	return func() []reconcile.Status { return loops }
}

// TestInBrowser has one browser for all that needs one.
func TestInBrowser(t *testing.T) {
	b := browse(t)
	t.Run("a page obeys its own policy and keeps within its window", func(t *testing.T) { browserLayout(t, b) })
	t.Run("all of it works without scripts", func(t *testing.T) { browserWithoutScripts(t, b) })
	t.Run("the keyboard reaches everything in the order of the eye", func(t *testing.T) { browserKeyboard(t, b) })
	t.Run("text is readable in light and in dark", func(t *testing.T) { browserContrast(t, b) })
	t.Run("the list follows what is typed", func(t *testing.T) { browserTyping(t, b) })
	t.Run("a page stays fresh, and as its reader has left it", func(t *testing.T) { browserRefresh(t, b) })
	t.Run("a page that is not answered says so", func(t *testing.T) { browserNoAnswer(t, b) })
	if *pictures != "" {
		t.Run("pictures", func(t *testing.T) { browserPictures(t, b) })
	}
}

func browserLayout(t *testing.T, b *browser) {
	evil := hostile()
	address := serve(t, these(append(fleet(12), evil)), statuspage.Options{})
	for _, width := range []int{1280, 320} {
		tab := b.open(t, width, 800)
		for _, query := range []string{"", "?loop=checkout", "?loop=orders", "?loop=none", "?loop=" + url.QueryEscape(evil.Name),
			"?q=" + url.QueryEscape(`"><script>document.title='broken'</script>`)} {
			tab.visit(address + query)
			if wide := eval[int](tab, "document.documentElement.scrollWidth"); wide > width {
				t.Errorf("%.40s is %d wide in a window of %d", query, wide, width)
			}
			if wide := eval[[]int](tab, tables); len(wide) > 0 {
				t.Errorf("%.40s in a window of %d: tables are wider than what is to be seen of them, by %d", query, width, wide)
			}
			for _, wrong := range eval[[]string](tab, identities) {
				t.Errorf("%.40s: %s", query, wrong)
			}
			if title := eval[string](tab, "document.title"); title == "broken" {
				t.Errorf("%.40s ran a name as a script", query)
			}
			if eval[bool](tab, "document.getElementById('pause').hidden") {
				t.Errorf("%.40s: the page's own script has not run", query)
			}
			if size := eval[string](tab, "getComputedStyle(document.body).fontSize"); size != "14px" {
				t.Errorf("%.40s: the page's own style is not there", query)
			}
			for _, complaint := range tab.complaints() {
				t.Errorf("%.40s: %.300s", query, complaint)
			}
		}
	}
}

// tables are by how much those that do not fit do not.
const tables = `[...document.querySelectorAll(".scroll")].map(e => e.scrollWidth - e.clientWidth).filter(n => n > 0)`

// identities are ids that two elements have, and references to ids that none has.
const identities = `(() => {
	const seen = new Set(), wrong = [];
	for (const e of document.querySelectorAll("[id]")) seen.has(e.id) ? wrong.push("two are " + e.id) : seen.add(e.id);
	for (const e of document.querySelectorAll("[aria-labelledby], label[for], a[href^='#']")) {
		const id = e.getAttribute("aria-labelledby") || e.htmlFor || e.hash.slice(1);
		if (!seen.has(id)) wrong.push("none is " + id);
	}
	return wrong;
})()`

// listed are the names that the list shows.
func listed(tab *tab) string {
	return strings.Join(eval[[]string](tab, "[...document.querySelectorAll('a.name')].map(a => a.textContent)"), " ")
}

func browserWithoutScripts(t *testing.T, b *browser) {
	tab := b.open(t, 1280, 800)
	tab.do("Emulation.setScriptExecutionDisabled", params{"value": true}, nil)
	tab.visit(serve(t, these(fleet(9)), statuspage.Options{}))
	if !eval[bool](tab, "document.getElementById('pause').hidden") {
		t.Fatal("a script has run")
	}
	tab.focus("#q")
	tab.do("Input.insertText", params{"text": "immutable checkout"}, nil)
	tab.press("Enter", false)
	tab.until("location.search.includes('q=immutable')")
	if got := listed(tab); got != "checkout" {
		t.Errorf("the search found %q", got)
	}
	tab.focus("summary")
	tab.press("Enter", false)
	tab.until("document.querySelector('details').open")
	got := eval[string](tab, "document.querySelector('details pre').innerText")
	if !strings.Contains(got, "port 22 is not allowed") {
		t.Errorf("the error in full is %q", got)
	}
	tab.follow("a.name")
	if got := eval[string](tab, "document.querySelector('h1 bdi').textContent"); got != "checkout" {
		t.Errorf("the loop's page is of %q", got)
	}
	tab.follow(".back a")
	tab.follow("header ~ div .chips li:first-child a")
	if got := eval[string](tab, "location.search"); got != "?q=immutable+checkout" {
		t.Errorf("all states are at %q", got)
	}
	tab.follow("thead th:first-child a")
	if got := eval[string](tab, "document.querySelector('thead th').getAttribute('aria-sort')"); got != "ascending" {
		t.Errorf("ordered by name, aria-sort is %q", got)
	}
}

// focus focuses the first element of this selector.
func (t *tab) focus(selector string) {
	t.t.Helper()
	focused := "(e => { e.focus(); return document.activeElement === e })"
	if !eval[bool](t, focused+"(document.querySelector("+quote(selector)+"))") {
		t.t.Fatalf("%s takes no focus", selector)
	}
}

// follow presses Enter on a link and waits for where it leads.
func (t *tab) follow(selector string) {
	t.t.Helper()
	t.until("document.querySelector(" + quote(selector) + ")")
	address := eval[string](t, "document.querySelector("+quote(selector)+").href")
	t.focus(selector)
	t.press("Enter", false)
	t.until("location.href === " + quote(address))
}

// where tells what has the focus, in a word or two.
const where = `(() => {
	const e = document.activeElement;
	const style = getComputedStyle(e), box = e.getBoundingClientRect();
	if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1) return "no outline: " + e.outerHTML;
	if (box.right <= 0 || box.width === 0) return "not to be seen: " + e.outerHTML;
	return e.id || (e.className === "scroll" ? "table" : e.textContent.trim().replace(/\s+/g, " "));
})()`

func browserKeyboard(t *testing.T, b *browser) {
	tab := b.open(t, 1280, 800)
	tab.visit(serve(t, these(fleet(2)), statuspage.Options{Refresh: -1}))
	var order []string
	for range 13 {
		tab.press("Tab", false)
		order = append(order, eval[string](tab, where))
	}
	want := []string{"Skip to the loops", "q", "Search", "all 2", "failing 1", "unreachable 1", "table",
		"Loop", "State", "Since", "Last outcomes", "checkout"}
	if !reflect.DeepEqual(order[:len(want)], want) || !strings.HasPrefix(order[12], "applying: patching") {
		t.Errorf("Tab goes to\n%q, not to\n%q", order, want)
	}
	tab.press("Tab", true)
	if got := eval[string](tab, where); got != "checkout" {
		t.Errorf("Shift+Tab goes to %q", got)
	}
	tab.press("Enter", false)
	tab.until("document.querySelector('h1')?.textContent.startsWith('checkout')")
	tab.press("Tab", false)
	if got := eval[string](tab, where); got != "All loops" {
		t.Errorf("the first stop of a loop's page is %q", got)
	}
	tab.follow(".back a")
	tab.focus(".skip")
	tab.press("Enter", false)
	tab.until("document.activeElement.id === 'loops'")
}

// contrasts are texts that are hard to read: those whose colour, as it is seen, is too near to that of what is behind. The
// least ratio is that of WCAG's level AA, 4.5 for text of this size.
const contrasts = `(() => {
	const parse = c => { const n = c.match(/[\d.]+/g).map(Number); return {rgb: n.slice(0, 3), a: n.length > 3 ? n[3] : 1}; };
	const light = rgb => rgb.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = e => {
		for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a === 1) return c.rgb; }
		return [255, 255, 255];
	};
	const bad = [];
	let texts = 0;
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; n = walk.nextNode();) {
		const e = n.parentElement;
		if (!n.data.trim() || !e.checkVisibility() || e.closest("script, style")) continue;
		texts++;
		const a = light(parse(getComputedStyle(e).color).rgb), b = light(behind(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) bad.push(ratio.toFixed(2) + " " + e.className + ": " + n.data.trim().slice(0, 60));
	}
	return {bad, texts, page: light(behind(document.body))};
})()`

func browserContrast(t *testing.T, b *browser) {
	address := serve(t, these(append(fleet(12), hostile())), statuspage.Options{Refresh: -1})
	for scheme, dark := range map[string]bool{"light": false, "dark": true} {
		tab := b.open(t, 1280, 800)
		tab.scheme(scheme)
		for _, query := range []string{"", "?loop=checkout", "?loop=orders", "?loop=gateway", "?loop=none", "?q=none",
			"?state=ready"} {
			tab.visit(address + query)
			eval[int](tab, "document.querySelectorAll('details').forEach(d => d.open = true)")
			told := eval[struct {
				Bad   []string
				Texts int
				Page  float64
			}](tab, contrasts)
			if told.Texts < 5 || told.Page < 0.5 != dark {
				t.Errorf("%s %s: %d texts on a page of luminance %.2f", scheme, query, told.Texts, told.Page)
			}
			for _, bad := range told.Bad {
				t.Errorf("%s %s: %s", scheme, query, bad)
			}
		}
	}
}

func (t *tab) scheme(name string) {
	t.t.Helper()
	t.do("Emulation.setEmulatedMedia", params{"features": []params{{"name": "prefers-color-scheme", "value": name}}}, nil)
}

func browserTyping(t *testing.T, b *browser) {
	tab := b.open(t, 1280, 800)
	tab.visit(serve(t, these(fleet(300)), statuspage.Options{Refresh: -1}) + "?page=3&sort=name")
	tab.focus("#q")
	tab.do("Input.insertText", params{"text": "tenant-0123"}, nil)
	tab.until("document.querySelectorAll('a.name').length === 1")
	if got := listed(tab); got != "tenant-0123" {
		t.Errorf("%q is listed", got)
	}
	if got := eval[string](tab, "document.activeElement.id + location.search"); got != "q?q=tenant-0123&sort=name" {
		t.Errorf("the focus and the address are %s", got)
	}
	tab.until("document.getElementById('found').textContent === 'One loop, of 300 in all'")
}

func browserRefresh(t *testing.T, b *browser) {
	var healed atomic.Bool
	address := serve(t, func() []reconcile.Status {
		if loops := fleet(8); !healed.Load() {
			return loops
		}
		loops := fleet(8)
		loops[1] = ready("search", time.Now())
		return loops
	}, statuspage.Options{Refresh: 50 * time.Millisecond})
	tab := b.open(t, 1280, 800)
	tab.visit(address)
	tab.focus("summary")
	tab.press("Enter", false)
	tab.until("document.querySelector('details').open")
	eval[int](tab, "void (document.querySelector('main').mark = 1)")
	tab.until("!document.querySelector('main').mark") // it is another one
	kept := eval[string](tab, "document.activeElement.localName + document.querySelector('details').open")
	if kept != "summarytrue" {
		t.Errorf("the focus is at, and the error open: %s", kept)
	}
	tab.focus("#pause")
	tab.press(" ", false)
	tab.until("document.getElementById('pause').getAttribute('aria-pressed') === 'true'")
	healed.Store(true)
	eval[bool](tab, "new Promise(r => setTimeout(r, 400)).then(() => true)")
	if !strings.Contains(eval[string](tab, "document.querySelector('.chips').textContent"), "unreachable") {
		t.Error("a paused page has gone on")
	}
	tab.press(" ", false)
	tab.until("!document.querySelector('.chips').textContent.includes('unreachable')")
	if got := eval[string](tab, "document.activeElement.id"); got != "pause" {
		t.Errorf("the focus is at %q", got)
	}
}

func browserNoAnswer(t *testing.T, b *browser) {
	page := statuspage.New(statuspage.ListerFunc(these(fleet(3))), statuspage.Options{Refresh: 50 * time.Millisecond})
	server := httptest.NewServer(page)
	tab := b.open(t, 1280, 800)
	tab.visit(server.URL + "/")
	server.Close()
	tab.until("document.getElementById('pulse').textContent === 'No answer since then.'")
	if got := listed(tab); got != "checkout search orders" {
		t.Errorf("the list is %q", got)
	}
}
