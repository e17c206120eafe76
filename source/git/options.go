package git

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/gitopskit/gitopskit/source"
)

// Options say what to fetch and how; the zero value is the branch that the repository's HEAD is, fetched by anyone.
type Options struct {
	// At most one of Branch, Tag and Reference. The last is a full name, such as refs/pull/7/head.
	Branch, Tag, Reference string
	// Commit pins the commit, by its 40 hexadecimal digits. With Branch, that branch has to exist and gives revisions their
	// name. Whether the commit is on it is not checked.
	Commit string

	// Username and Password are for basic authentication; a token is either of them, as its issuer says. They are set here
	// or in the URL.
	Username string `json:"-"`
	Password string `json:"-"`

	// CA is PEM, of certificates to trust besides the system's.
	CA []byte
	// Transport sends the requests. It excludes CA. Nil means http.DefaultTransport, or one like it that trusts CA.
	Transport http.RoundTripper

	// Limits bound the content. MaxBytes bounds the pack too, compressed and not, with its folders.
	Limits source.Limits
	// MaxReferenceBytes is how long the list of references may be. Default: DefaultMaxReferenceBytes.
	MaxReferenceBytes int64
}

// DefaultMaxReferenceBytes is room for about 400,000 references.
const DefaultMaxReferenceBytes int64 = 32 << 20

// Format implements [fmt.Formatter]. It tells whether there are credentials, and never which.
func (o Options) Format(f fmt.State, verb rune) {
	type plain Options
	for _, secret := range []*string{&o.Username, &o.Password} {
		if *secret != "" {
			*secret = "(set)"
		}
	}
	o.Transport = nil // it is somebody else's, and may print anything
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(o))
}

// LogValue implements [slog.LogValuer] by Format.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", o)) }

var commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

func (o Options) validate() error {
	named := 0
	for _, name := range []string{o.Branch, o.Tag, o.Reference} {
		if name != "" {
			named++
		}
	}
	switch {
	case named > 1:
		return errors.New("at most one of Options.Branch, Tag and Reference may be set")
	case o.Commit != "" && o.Tag+o.Reference != "":
		return errors.New("Options.Commit excludes Tag and Reference")
	case o.Commit != "" && !commitHash.MatchString(o.Commit):
		return fmt.Errorf("Options.Commit %q is not 40 lower-case hexadecimal digits", o.Commit)
	case o.Reference != "" && !strings.HasPrefix(o.Reference, "refs/"):
		return fmt.Errorf("Options.Reference %q does not start with refs/", o.Reference)
	case len(o.CA) > 0 && o.Transport != nil:
		return errors.New("Options.CA excludes Transport, which has certificates of its own")
	}
	return nil
}

// parseURL returns the repository's URL without credentials, and these. Its errors quote nothing, for url.Parse's may quote
// a piece of a password.
func parseURL(raw string) (*url.URL, *url.Userinfo, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil && strings.Contains(raw, "://"):
		return nil, nil, errors.New("not a URL; user and password in it have to be percent-encoded")
	case err != nil || u.Scheme == "ssh" || u.Scheme == "git+ssh" || u.Scheme == "" && strings.Contains(raw, ":"):
		return nil, nil, fmt.Errorf("SSH: %w", errUnsupported)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, nil, fmt.Errorf("scheme %q: %w", u.Scheme, errUnsupported)
	case u.Hostname() == "":
		return nil, nil, errors.New("the URL has no host")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, nil, errors.New("the URL has a query or a fragment, which no repository has")
	}
	user := u.User
	u.User = nil
	return u, user, nil
}

var errUnsupported = fmt.Errorf("only http:// and https:// URLs can be fetched from so far: %w", errors.ErrUnsupported)
