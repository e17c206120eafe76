package bucket

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/gitopskit/gitopskit/source"
)

// Options say which bucket, and how. Endpoint and Bucket are required, or Driver.
type Options struct {
	// Driver reads from another kind of store than S3. It excludes what says where an S3 bucket is and how to reach it, from
	// Endpoint down to Transport.
	Driver Driver `json:"-"`

	// Prefix is a folder in the bucket: prod and prod/ mean the same, and do not mean production/. Default: all keys.
	Prefix string
	// KeepPrefix leaves the prefix in the paths of the files, which are the whole keys then. It is not in the revision: who
	// changes it passes Fetch the zero Revision once, or nothing will seem to have changed.
	KeepPrefix bool
	// Ignore is lines of gitignore syntax, of paths without the prefix unless it is kept: what they match is left out, and not
	// downloaded. They count more than those of the .sourceignore files that the bucket has.
	Ignore string
	// NoIgnoreFiles leaves .sourceignore files without effect.
	NoIgnoreFiles bool

	// AsOf, where it is set, has Fetch return a versioned bucket as it was when that time was over, by the store's clock:
	// what was written or deleted at that time counts. Amazon's clock has whole seconds. It excludes Before.
	AsOf time.Time
	// Before, where it is set, has Fetch return a versioned bucket as it was before the last change that led to this
	// revision. It excludes AsOf. The zero Revision is the same as none, and gives the present: see Change.Revision.
	Before source.Revision
	// ChangeGap tells where a change ends for Before and History: what is written or deleted within this time after
	// something else belongs to the same change, as the files of one upload do; what is written more often than that all the
	// time is one long change. Default: DefaultChangeGap. If negative, only what has the same time belongs together.
	ChangeGap time.Duration
	// MaxChanges is how many states Before looks at on its way back; each costs a digest over the listing. It is also what
	// History returns at most where it is not told. Default: DefaultMaxChanges.
	MaxChanges int

	// Endpoint is host:port, or a URL whose scheme says whether to use TLS. Over http:// everybody on the way can read and
	// change what is fetched, and read a SessionToken; a SecretKey is not sent.
	Endpoint string
	// Insecure turns TLS off where Endpoint has no scheme.
	Insecure bool
	Bucket   string
	// Style says how the bucket is named in requests. Default: as the endpoint's provider wants it.
	Style Style
	// Region is part of what is signed. Default: the one in Amazon's endpoints, elsewhere us-east-1.
	Region string

	// AccessKey and SecretKey are those of an account, SessionToken comes with temporary ones. Without them requests are
	// not signed, which is how public buckets are read.
	AccessKey    string
	SecretKey    string `json:"-"`
	SessionToken string `json:"-"`
	// Credentials gives credentials when they are needed, instead of the three fields above: [FromEnvironment], [FromFile],
	// [FromInstance], [FromContainer], [FromWebIdentity], [FromRole] or one's own. It is asked once, again shortly before what
	// it gave expires, and once more when the store refuses that as expired or unknown.
	Credentials CredentialFunc `json:"-"`

	// CA is PEM, of certificates to trust besides the system's.
	CA []byte
	// ClientCertificate and ClientKey are PEM, of what the store may want from a client.
	ClientCertificate []byte
	ClientKey         []byte `json:"-"`
	// Proxy is the URL of an HTTP, HTTPS or SOCKS5 proxy, with user and password where it wants some:
	// "socks5://user:password@host:1080". Empty: the environment's. "none" is none.
	Proxy string `json:"-"`
	// CustomerKey is the 32 bytes that the objects are encrypted with (SSE-C). It needs TLS.
	CustomerKey []byte `json:"-"`
	// AnyETag is for stores whose ETags look like the MD5 of the content and are something else: content is not held against
	// them.
	AnyETag bool
	// Transport sends the requests. It excludes CA, ClientCertificate and Proxy. Nil means one like http.DefaultTransport.
	Transport http.RoundTripper `json:"-"`

	// Cache keeps content for several sources. Nil: each keeps that of its own last snapshot in memory.
	Cache *Cache
	// OnCacheError is told what went wrong with a folder's cache, damage among it, which is no reason for a fetch to fail: the
	// first time in each fetch.
	OnCacheError func(error) `json:"-"`
	// Limits bound the content.
	Limits source.Limits
	// MaxKeys is how many keys a listing may have before the ignore rules, or versions of keys. Default: DefaultMaxKeys.
	MaxKeys int
	// MaxWait is how long a store may ask to be left alone, in an answer's Retry-After, for Fetch to wait and not to fail.
	// Default: DefaultMaxWait.
	MaxWait time.Duration
	// StallTimeout is how long a server may be silent. Default: DefaultStallTimeout. It is asked three times, so without a
	// deadline in the context a silent one costs three times as long.
	StallTimeout time.Duration
	// Concurrency is how many objects are read at once. Default: DefaultConcurrency.
	Concurrency int
}

// A Style is how requests name a bucket.
type Style string

// What requests look like.
const (
	// StyleAuto is virtual for Amazon, Google and Alibaba, and path elsewhere.
	StyleAuto Style = ""
	// StylePath is https://s3.example.com/fleet/key.
	StylePath Style = "path"
	// StyleVirtual is https://fleet.s3.example.com/key.
	StyleVirtual Style = "virtual"
)

// DefaultMaxKeys is what Options.MaxKeys means where it is zero or less.
const DefaultMaxKeys = 1_000_000

// DefaultChangeGap is what Options.ChangeGap means where it is zero: longer than an upload of many files pauses.
const DefaultChangeGap = 10 * time.Second

// DefaultMaxChanges is what Options.MaxChanges means where it is zero or less.
const DefaultMaxChanges = 10_000

// DefaultMaxWait is what Options.MaxWait means where it is zero or less.
const DefaultMaxWait = 20 * time.Second

// DefaultStallTimeout is what Options.StallTimeout means where it is zero or less.
const DefaultStallTimeout = time.Minute

// DefaultConcurrency hides the latency of small objects; more gains little even on a fast line.
const DefaultConcurrency = 16

// Format implements [fmt.Formatter]. It tells whether there are credentials, and never which.
func (o Options) Format(f fmt.State, verb rune) {
	type plain Options
	for _, secret := range []*string{&o.AccessKey, &o.SecretKey, &o.SessionToken, &o.Proxy} {
		if *secret != "" {
			*secret = "(set)"
		}
	}
	o.Endpoint = source.RedactURL(o.Endpoint)
	for _, secret := range []*[]byte{&o.CustomerKey, &o.ClientKey} {
		if len(*secret) > 0 {
			*secret = []byte("(set)")
		}
	}
	o.Transport, o.Driver = nil, nil // they are somebody else's, and may print anything
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(o))
}

// LogValue implements [slog.LogValuer] by Format.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", o)) }

// endpoint returns a URL with nothing but scheme and host. Its errors quote nothing, for url.Parse's may quote a secret.
func (o Options) endpoint() (*url.URL, error) {
	raw := o.Endpoint
	if !strings.Contains(raw, "://") {
		raw = map[bool]string{false: "https://", true: "http://"}[o.Insecure] + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("Options.Endpoint is neither host:port nor a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("Options.Endpoint has the scheme %q instead of http or https", u.Scheme)
	case u.User != nil:
		return nil, errors.New("Options.Endpoint has credentials in it: AccessKey and SecretKey are for these")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("Options.Endpoint has more than a host: Bucket and Prefix are for that")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// checkText refuses what a file that was made with echo has at its end, and control characters. It quotes nothing: these may
// be secrets.
func (o Options) checkText() error {
	for _, option := range [...][2]string{{"Endpoint", o.Endpoint}, {"Bucket", o.Bucket}, {"Prefix", o.Prefix},
		{"AccessKey", o.AccessKey}, {"SecretKey", o.SecretKey}, {"SessionToken", o.SessionToken}, {"Region", o.Region}} {
		if wrong := oddText(option[1]); wrong != "" {
			return errors.New("Options." + option[0] + " " + wrong)
		}
	}
	return nil
}

// oddText says what is wrong with a text that is typed or read from a file, or nothing.
func oddText(text string) string {
	switch {
	case strings.TrimSpace(text) != text:
		return "has white space at its start or end: a newline, perhaps"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "has control characters"
	}
	return ""
}

func (o Options) validate() error {
	if err := o.checkText(); err != nil {
		return err
	}
	prefix := strings.TrimSuffix(o.Prefix, "/")
	switch {
	case strings.HasPrefix(o.Prefix, "/"):
		return fmt.Errorf("Options.Prefix %q starts with a slash, and keys do not: write %q", o.Prefix,
			strings.TrimLeft(o.Prefix, "/"))
	case prefix != "" && (!fs.ValidPath(prefix) || prefix == "."):
		return fmt.Errorf("Options.Prefix %q is not a folder's path", o.Prefix)
	case !o.AsOf.IsZero() && !o.Before.IsZero():
		return errors.New("Options.AsOf excludes Before: each names a state of the bucket")
	case !o.Before.IsZero() && (o.Before.Name != "" || o.Before.Digest == ""):
		return fmt.Errorf("Options.Before is %q, which no bucket has: want sha256:hex", o.Before)
	case o.Driver != nil && o.forS3():
		return errors.New("Options.Driver excludes Endpoint, Bucket, credentials and all else that is for S3")
	case o.Driver != nil:
		return nil
	case o.Bucket == "":
		return errors.New("Options.Bucket is empty")
	case (o.AccessKey == "") != (o.SecretKey == ""):
		return errors.New("only one of Options.AccessKey and SecretKey is set")
	case o.Credentials != nil && o.hasCredentials():
		return errors.New("Options.Credentials excludes AccessKey, SecretKey and SessionToken")
	case o.Credentials != nil && strings.HasSuffix(o.Bucket, "--x-s3"):
		return errors.New("directory buckets take AccessKey and SecretKey, and not Options.Credentials")
	case o.SessionToken != "" && o.AccessKey == "":
		return errors.New("Options.SessionToken is set without the AccessKey and SecretKey that it belongs to")
	case o.Style != StyleAuto && o.Style != StylePath && o.Style != StyleVirtual:
		return fmt.Errorf("Options.Style is the unknown %q", o.Style)
	case o.Transport != nil && (len(o.CA)+len(o.ClientCertificate)+len(o.ClientKey) > 0 || o.Proxy != ""):
		return errors.New("Options.Transport excludes CA, ClientCertificate, ClientKey and Proxy: it has its own")
	}
	return o.checkBucket()
}

// checkBucket wants a name, where many have a URL or more.
func (o Options) checkBucket() error {
	folder, rest, _ := strings.Cut(o.Bucket, "/")
	switch {
	case strings.Contains(o.Bucket, "://"):
		return fmt.Errorf("Options.Bucket %q is a URL: want the bucket's name alone, and folders in Options.Prefix",
			source.RedactURL(o.Bucket))
	case strings.HasPrefix(o.Bucket, "arn:"):
		return fmt.Errorf("Options.Bucket %q is an ARN: want the name alone, as in arn:aws:s3:::name, or an access point's "+
			"alias", o.Bucket)
	case folder != "" && rest != "":
		return fmt.Errorf("Options.Bucket %q has a slash: write %q, and %q into Options.Prefix", o.Bucket, folder, rest)
	case strings.Contains(o.Bucket, "/"):
		return fmt.Errorf("Options.Bucket %q has a slash: write %q", o.Bucket, strings.Trim(o.Bucket, "/"))
	}
	if err := s3utils.CheckValidBucketName(o.Bucket); err != nil {
		return fmt.Errorf("Options.Bucket %q: %w", o.Bucket, err)
	}
	endpoint, err := o.endpoint()
	if err != nil {
		return err
	}
	// Amazon's own consoles show buckets so. Elsewhere a store's name may well start like a bucket's.
	host, named := strings.CutPrefix(endpoint.Host, o.Bucket+".")
	if amazon := strings.Contains(host, ".amazonaws.com"); named && amazon && strings.HasPrefix(host, "s3") {
		return fmt.Errorf("Options.Endpoint %q starts with the bucket's name: write %q", endpoint.Host, host)
	}
	return nil
}

// forS3 reports whether there is anything of what only the driver of S3 reads.
func (o Options) forS3() bool {
	return o.Endpoint+o.Bucket+string(o.Style)+o.Region+o.Proxy != "" || o.Insecure || o.AnyETag || o.Transport != nil ||
		o.hasCredentials() || o.Credentials != nil || len(o.CA)+len(o.ClientCertificate)+len(o.ClientKey)+len(o.CustomerKey) > 0
}

func (o Options) hasCredentials() bool { return o.AccessKey+o.SecretKey+o.SessionToken != "" }

// withDefaults returns the options that o means.
func (o Options) withDefaults() Options {
	if o.Prefix = strings.TrimSuffix(o.Prefix, "/"); o.Prefix != "" {
		o.Prefix += "/"
	}
	o.Limits = o.Limits.WithDefaults()
	o.MaxKeys = cmp.Or(max(o.MaxKeys, 0), DefaultMaxKeys)
	o.ChangeGap = cmp.Or(o.ChangeGap, DefaultChangeGap)
	o.MaxChanges = cmp.Or(max(o.MaxChanges, 0), DefaultMaxChanges)
	o.MaxWait = cmp.Or(max(o.MaxWait, 0), DefaultMaxWait)
	o.StallTimeout = cmp.Or(max(o.StallTimeout, 0), DefaultStallTimeout)
	o.Concurrency = cmp.Or(max(o.Concurrency, 0), DefaultConcurrency)
	return o
}

// plain returns the options without what a Source must not print.
func (o Options) plain() Options {
	o.AccessKey, o.SecretKey, o.SessionToken, o.Proxy = "", "", "", ""
	o.CustomerKey, o.ClientKey, o.Credentials = nil, nil, nil
	return o
}
