package webhook

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Provider is who sends messages, and so how they are signed and what is in them.
type Provider string

// The providers. The package's documentation says by which header each is verified.
const (
	GitHub  Provider = "github"
	GitLab  Provider = "gitlab"
	Gitea   Provider = "gitea" // and Forgejo
	Generic Provider = "generic"
	Bucket  Provider = "bucket" // S3, MinIO, and others with S3's notifications
)

// Options say whose messages a Handler takes, and what they do.
type Options struct {
	// Provider is who sends them.
	Provider Provider
	// Secrets are what the messages may be signed with, or have as their token. There is at least one, and none is empty.
	Secrets []string
	// OnPush is called for each push that the secret vouches for, by the request's goroutine: the answer waits for it. It is
	// needed unless Provider is Bucket.
	OnPush func(Push)
	// OnObjects is called for each message about objects. It is needed if Provider is Bucket.
	OnObjects func(Objects)
	// OnRefused is called with what was wrong with a message, which says no secret; nil: nothing is.
	OnRefused func(*http.Request, error)
	// MaxBytes is how large a message may be; 0: DefaultMaxBytes.
	MaxBytes int64
}

// DefaultMaxBytes is several times what a push of some hundred commits takes. GitHub sends up to 25 MiB.
const DefaultMaxBytes int64 = 5 << 20

const (
	// readTimeout is for a message to come in full.
	readTimeout = 10 * time.Second
	// tolerance is how far a signed time may be from this machine's.
	tolerance = 5 * time.Minute
)

// Format implements fmt.Formatter: every verb prints the provider, and no secret.
func (o Options) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "webhook of %s", o.Provider) }

// LogValue implements slog.LogValuer as Format does.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// A Handler takes messages, and is an http.Handler for many requests at once.
type Handler struct {
	opts Options
	keys []key
	seen *seen
}

// New returns a Handler. The error says which option is missing or wrong.
func New(opts Options) (*Handler, error) {
	opts.MaxBytes = cmp.Or(max(opts.MaxBytes, 0), DefaultMaxBytes)
	opts.Secrets = slices.Clone(opts.Secrets)
	h := &Handler{opts: opts, seen: newSeen()}
	switch {
	case !slices.Contains([]Provider{GitHub, GitLab, Gitea, Generic, Bucket}, opts.Provider):
		return nil, fmt.Errorf("webhook: Options.Provider is %q, which is none of those that are known", string(opts.Provider))
	case opts.Provider == Bucket && opts.OnObjects == nil:
		return nil, errors.New("webhook: Options.OnObjects is not set")
	case opts.Provider != Bucket && opts.OnPush == nil:
		return nil, errors.New("webhook: Options.OnPush is not set")
	case len(opts.Secrets) == 0:
		return nil, errors.New("webhook: Options.Secrets is empty: anybody could send")
	}
	for i, secret := range opts.Secrets {
		k, err := newKey(secret)
		if err != nil {
			return nil, fmt.Errorf("webhook: Options.Secrets[%d]: %w", i, err)
		}
		h.keys = append(h.keys, k)
	}
	return h, nil
}

// Format implements fmt.Formatter as that of Options does.
func (h *Handler) Format(f fmt.State, verb rune) { h.opts.Format(f, verb) }

// A refusal is an error with the status that answers it.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refusef(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// ServeHTTP answers 202 where OnPush or OnObjects was called, 200 where a message has no effect, and else 400, 401, 405, 413 or 415.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	acted, err := h.take(w, r)
	if err == nil {
		w.WriteHeader(map[bool]int{true: http.StatusAccepted, false: http.StatusOK}[acted])
		return
	}
	if h.opts.OnRefused != nil {
		h.opts.OnRefused(r, err)
	}
	status := http.StatusBadRequest
	if refused := new(refusal); errors.As(err, &refused) {
		status = refused.status
	}
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	http.Error(w, err.Error(), status)
}

// take returns whether the message had an effect.
func (h *Handler) take(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method == http.MethodHead && h.opts.Provider == Bucket {
		return false, nil // MinIO's look at whether somebody is here
	}
	if r.Method != http.MethodPost {
		return false, refusef(http.StatusMethodNotAllowed, "a message is a POST, not a %.20q", r.Method)
	}
	body, err := h.read(w, r)
	if err != nil {
		return false, err
	}
	once, err := h.verify(r.Header, body)
	if err != nil {
		return false, err
	}
	act, err := h.understand(r.Header, body)
	if err != nil || act == nil {
		return false, err
	}
	if once != "" && !h.seen.first(once) {
		return false, nil
	}
	act()
	return true, nil
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// A ResponseWriter that knows no deadline has the server's own.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.opts.MaxBytes))
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return nil, refusef(http.StatusRequestEntityTooLarge, "the message is larger than %d bytes, which Options.MaxBytes sets", large.Limit)
	}
	if err != nil {
		return nil, refusef(http.StatusBadRequest, "reading the message: %v", err)
	}
	return body, nil
}

// understand returns what the message, which is verified, has to do; nil: nothing.
func (h *Handler) understand(header http.Header, body []byte) (func(), error) {
	body, err := content(header, body)
	if err != nil {
		return nil, err
	}
	if h.opts.Provider == Bucket {
		all, err := objectsOf(body)
		if err != nil || len(all) == 0 {
			return nil, err
		}
		return func() {
			for _, objects := range all {
				h.opts.OnObjects(objects)
			}
		}, nil
	}
	push, err := h.pushOf(header, body)
	if err != nil || push == nil {
		return nil, err
	}
	return func() { h.opts.OnPush(*push) }, nil
}

// content returns the message's JSON, which GitHub can be told to send as the field of a form.
func content(header http.Header, body []byte) ([]byte, error) {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case kind == "application/x-www-form-urlencoded":
		return formField(string(body), "payload")
	case kind == "", kind == "application/json", kind == "text/plain", strings.HasSuffix(kind, "+json"):
		return body, nil
	}
	return nil, refusef(http.StatusUnsupportedMediaType, "the message is %.80q: have it sent as application/json", kind)
}
