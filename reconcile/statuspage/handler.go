package statuspage

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // for the page's own files
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/reconcile"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

// A Lister tells how loops stand. A *reconcile.Group is one.
type Lister interface {
	// Status returns the status of each loop. It is called once for each request.
	Status() []reconcile.Status
}

// A ListerFunc is a function as a [Lister]: for a single loop, or those of several groups.
type ListerFunc func() []reconcile.Status

// Status implements [Lister].
func (f ListerFunc) Status() []reconcile.Status { return f() }

// Options say what the page looks like. The zero value works.
type Options struct {
	Title    string        // of the page, such as the program's name; empty: "Loops"
	PageSize int           // how many loops are listed on one page; 0: 100
	Refresh  time.Duration // how often a page that is looked at is fetched again; 0: ten seconds, below 0: never
}

// A Handler is the page, for many requests at once.
type Handler struct {
	loops    Lister
	opts     Options
	template *template.Template
	policy   string
}

// New returns the page of the loops.
func New(loops Lister, opts Options) *Handler {
	opts.Title = cmp.Or(opts.Title, "Loops")
	opts.PageSize = cmp.Or(max(opts.PageSize, 0), 100)
	opts.Refresh = cmp.Or(opts.Refresh, 10*time.Second)
	return &Handler{
		loops:    loops,
		opts:     opts,
		template: template.Must(template.New("page").Funcs(functions()).Parse(pageHTML)),
		policy: "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; connect-src 'self'; " +
			"img-src data:; style-src " + fingerprint(pageCSS) + "; script-src " + fingerprint(pageJS),
	}
}

// fingerprint is how a policy names an inline style or script.
func fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// ServeHTTP answers GET and HEAD with 200, or 404 for a loop that is not there; others with 405.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", h.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "the status page is read by GET, and changes nothing", http.StatusMethodNotAllowed)
		return
	}
	q := parseQuery(r.URL.Query())
	all := h.loops.Status()
	var (
		body   bytes.Buffer
		status int
		err    error
	)
	if wantsJSON(r) {
		header.Set("Content-Type", "application/json; charset=utf-8")
		status, err = h.writeJSON(&body, q, all)
	} else {
		header.Set("Content-Type", "text/html; charset=utf-8")
		status, err = h.writeHTML(&body, q, all)
	}
	if err != nil { // which no status is known to cause
		http.Error(w, "writing the status page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // fails only where nobody reads any more
}

func (h *Handler) writeJSON(w io.Writer, q query, all []reconcile.Status) (int, error) {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if q.Loop == "" {
		return http.StatusOK, encoder.Encode(newReport(q, all))
	}
	s, ok := find(all, q.Loop)
	if !ok {
		return http.StatusNotFound, encoder.Encode(map[string]string{"error": fmt.Sprintf("there is no loop %q", q.Loop)})
	}
	return http.StatusOK, encoder.Encode(newLoop(s))
}

func (h *Handler) writeHTML(w io.Writer, q query, all []reconcile.Status) (int, error) {
	frame := frame{Title: h.opts.Title, CSS: template.CSS(pageCSS), JS: template.JS(pageJS),
		Refresh: max(h.opts.Refresh, 0).Seconds(), Now: time.Now(), Query: q, Total: len(all)}
	if q.Loop == "" {
		return http.StatusOK, h.template.ExecuteTemplate(w, "list", newListView(frame, all, h.opts.PageSize))
	}
	s, ok := find(all, q.Loop)
	if !ok {
		return http.StatusNotFound, h.template.ExecuteTemplate(w, "missing", frame)
	}
	return http.StatusOK, h.template.ExecuteTemplate(w, "loop", newLoopView(frame, s, all))
}

func find(all []reconcile.Status, name string) (reconcile.Status, bool) {
	for _, s := range all {
		if s.Name == name {
			return s, true
		}
	}
	return reconcile.Status{}, false
}

// wantsJSON tells whether JSON is asked for: by name, or since it is accepted and comes before HTML. Weights are not read:
// those who give them name first what they want most.
func wantsJSON(r *http.Request) bool {
	if format := r.URL.Query().Get("format"); format != "" {
		return format == "json"
	}
	for accepted := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(accepted), ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "application/json":
			return true
		case "text/html", "application/xhtml+xml":
			return false
		}
	}
	return false
}
