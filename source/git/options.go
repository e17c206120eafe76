package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

// Options say what to fetch and how; the zero value is the branch that the repository's HEAD is, fetched by anyone.
type Options struct {
	// What to fetch. Of several, the first of this order counts: Reference, SemVer, Tag, Branch. None of them is HEAD.
	// Reference is a full name, such as refs/pull/7/head. SemVer is a range of versions, such as ">=1.2 <2", "~1.4" or
	// "1.x", as github.com/Masterminds/semver has them; the tag of the highest version within it is fetched.
	Reference, SemVer, Tag, Branch string
	// Commit pins the commit, by its 40 hexadecimal digits. What the fields above name has to exist then, and gives
	// revisions their name; whether the commit is in its history is not checked.
	Commit string
	// TagPattern is a regular expression that tags have to match to count for SemVer. Its group is the version, or all that
	// it matches where it has none: "^podinfo/v(.*)$". Empty: every tag that is a version. A version has all of its three
	// numbers, none of which starts with a zero, and may have a v before it.
	TagPattern string
	// Prereleases lets SemVer take prereleases where its range does not name one itself.
	Prereleases bool

	// Paths are the files and folders that are wanted, with what is in them, such as "apps/web". They are names: *, ? and [
	// are characters like others, and patterns are for Ignore. Empty: everything. What is outside of them is not downloaded
	// where the server can filter. To look at it is [source.ErrNotFetched], and a path that the commit does not have, or of
	// which all is ignored, is [source.ErrNotFound].
	Paths []string
	// Ignore is lines of gitignore syntax: what they match is left out, and not downloaded where the server can filter. They
	// count more than those of the .sourceignore files that a tree has.
	Ignore string
	// NoIgnoreFiles leaves .sourceignore files without effect.
	NoIgnoreFiles bool
	// Submodules fetches submodules too, and theirs, at the commits that the trees name; without it there is nothing under a
	// submodule's path. Paths, Ignore and LFS reach into them, and Limits are for all together. The repository says which
	// hosts are connected to. Credentials and the client's certificate go to submodules at the repository's own scheme, host
	// and port only; the Credentials function is asked with each one's URL, and has to look at it; a Transport that adds
	// something has to look at the host.
	Submodules bool
	// LFS says what becomes of files that Git LFS keeps elsewhere. To fetch them connects to hosts that the server names.
	LFS LFS

	// Username and Password are for basic authentication, and for SSH; a token is either of them, as its issuer says. They
	// are set here or in the URL. Token is for bearer authentication.
	Username string `json:"-"`
	Password string `json:"-"`
	Token    string `json:"-"`
	// PrivateKey is an SSH key as PEM, and Passphrase what it is encrypted with. SSHAgent uses the agent that SSH_AUTH_SOCK
	// names.
	PrivateKey []byte `json:"-"`
	Passphrase []byte `json:"-"`
	SSHAgent   bool
	// Credentials gives credentials when they are needed, instead of the fields above.
	Credentials func(context.Context, CredentialRequest) (Credential, error) `json:"-"`
	// AllowPlainHTTP lets credentials go over http://, where everybody on the way can read them.
	AllowPlainHTTP bool

	// KnownHosts are lines of a known_hosts file, by which SSH servers are known. SSH needs them.
	KnownHosts []byte
	// CA is PEM, of certificates to trust besides the system's.
	CA []byte
	// ClientCertificate and ClientKey are PEM, of what HTTPS servers may want from a client.
	ClientCertificate []byte
	ClientKey         []byte `json:"-"`
	// Proxy is the URL of an HTTP, HTTPS or SOCKS5 proxy ("socks5://host:1080"), for HTTP and SSH. Empty: the environment's
	// for HTTP, and none for SSH. "none" is none.
	Proxy string `json:"-"`
	// Transport sends the requests of HTTP. It excludes CA, ClientCertificate, ClientKey and Proxy.
	Transport http.RoundTripper `json:"-"`

	// Verify says which signatures have to be there.
	Verify Verification

	// Cache keeps objects for several sources. Nil: each keeps those of its own last commits in memory.
	Cache *Cache
	// OnCacheError is told what went wrong with a folder's cache, which is no reason for a fetch to fail.
	OnCacheError func(error) `json:"-"`
	// Limits bound the content. MaxBytes bounds packs too, compressed and not, with their folders, and the
	// folders that are gone through, each as often as it is met.
	Limits source.Limits
	// MaxReferenceBytes is how long the list of references may be. Default: DefaultMaxReferenceBytes.
	MaxReferenceBytes int64
	// StallTimeout is how long a server may be silent. Default: a minute.
	StallTimeout time.Duration
}

// DefaultMaxReferenceBytes is room for about 400,000 references.
const DefaultMaxReferenceBytes int64 = 32 << 20

// Format implements [fmt.Formatter]. It tells whether there are credentials, and never which.
func (o Options) Format(f fmt.State, verb rune) {
	type plain Options
	for _, secret := range []*string{&o.Username, &o.Password, &o.Token, &o.Proxy} {
		if *secret != "" {
			*secret = "(set)"
		}
	}
	for _, secret := range []*[]byte{&o.PrivateKey, &o.Passphrase, &o.ClientKey} {
		if len(*secret) > 0 {
			*secret = []byte("(set)")
		}
	}
	o.Transport = nil // it is somebody else's, and may print anything
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(o))
}

// LogValue implements [slog.LogValuer] by Format.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", o)) }

var commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

func (o Options) validate() error {
	switch {
	case o.Commit != "" && !commitHash.MatchString(o.Commit):
		return fmt.Errorf("Options.Commit %q is not 40 lower-case hexadecimal digits", o.Commit)
	case o.Reference != "" && !strings.HasPrefix(o.Reference, "refs/"):
		return fmt.Errorf("Options.Reference %q does not start with refs/", o.Reference)
	case strings.HasPrefix(o.Branch, "refs/"):
		return fullName("Branch", o.Branch)
	case strings.HasPrefix(o.Tag, "refs/"):
		return fullName("Tag", o.Tag)
	case o.SemVer == "" && (o.TagPattern != "" || o.Prereleases):
		return errors.New("Options.TagPattern and Prereleases are for SemVer, which is empty")
	case o.LFS != LFSPointers && o.LFS != LFSFetch && o.LFS != LFSRefuse:
		return fmt.Errorf("Options.LFS is the unknown %q", o.LFS)
	case o.Credentials != nil && o.hasCredentials():
		return errors.New("Options.Credentials excludes the other fields with credentials")
	case o.Token != "" && o.Username+o.Password != "":
		return errors.New("Options.Token excludes Username and Password")
	case o.Verify.Tag && !o.namesTag():
		return errors.New("Options.Verify.Tag wants a tag, and none is named: set Tag, SemVer or a Reference below refs/tags/")
	}
	return o.Verify.validate()
}

// fullName says where a full name belongs.
func fullName(field, given string) error {
	option, name := "Reference", given
	if branch, ok := strings.CutPrefix(given, "refs/heads/"); ok {
		option, name = "Branch", branch
	} else if tag, ok := strings.CutPrefix(given, "refs/tags/"); ok {
		option, name = "Tag", tag
	}
	return fmt.Errorf("the full name %q of a reference is in Options.%s: set Options.%s to %q", given, field, option, name)
}

// namesTag reports whether what counts of the fields that say what to fetch is a tag.
func (o Options) namesTag() bool {
	if o.Reference != "" {
		return strings.HasPrefix(o.Reference, "refs/tags/")
	}
	return o.SemVer+o.Tag != ""
}

// own returns the options with bytes of their own: the caller may wipe its keys.
func (o Options) own() Options {
	for _, b := range []*[]byte{&o.PrivateKey, &o.Passphrase, &o.KnownHosts, &o.CA, &o.ClientCertificate, &o.ClientKey} {
		*b = bytes.Clone(*b)
	}
	return o
}

func (o Options) hasCredentials() bool {
	return o.Username+o.Password+o.Token != "" || len(o.PrivateKey)+len(o.Passphrase) > 0 || o.SSHAgent
}
