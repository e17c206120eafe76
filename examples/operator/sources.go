package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
	"github.com/gitopskit/gitopskit/source/git"
)

// ignored is what sources leave out that do not say it themselves.
const ignored = `.git/
.gitignore
.gitmodules
.gitattributes
*.jpg
*.jpeg
*.gif
*.png
*.wmv
*.flv
*.tar.gz
*.zip
.github/
.circleci/
.travis.yml
.gitlab-ci.yml
appveyor.yml
.drone.yml
cloudbuild.yaml
codeship-services.yml
codeship-steps.yml
**/.goreleaser.yml
**/.sops.yaml
**/.flux.yaml
`

// An origin is the source.Source of a GitRepository or a Bucket as of one generation. There is one in a shard, for all loops
// that read from it: so they fetch it once. It reads the Secrets when it fetches, so that new ones count at once.
type origin struct {
	o           *operator
	name        string // the loop's
	namespace   string
	version     string
	interval    time.Duration
	timeout     time.Duration
	suspended   bool
	url         string
	unsupported []string
	missing     error    // there is no such object
	secrets     []string // by their names
	open        func(secrets map[string]secret) (source.Source, error)

	mu      sync.Mutex
	opened  source.Source
	secured string // the versions of the Secrets that it was opened with
	told    string // the revision that the status has, of an object of another shard
}

// A secret is what is in one, by any of the names that a key has had.
type secret map[string][]byte

func (s secret) get(names ...string) []byte {
	for _, name := range names {
		if value := s[name]; len(value) > 0 {
			return value
		}
	}
	return nil
}

// String is for statuses; URLs in specs have no credentials, and lose them here if they do.
func (s *origin) String() string {
	if u, err := url.Parse(s.url); err == nil {
		return u.Redacted()
	}
	return s.name
}

// Fetch implements source.Source. A suspended source goes on to be what it was when it was last fetched.
func (s *origin) Fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	switch {
	case s.missing != nil:
		return nil, s.missing
	case len(s.unsupported) > 0:
		return nil, errors.New(unsupportedText(s.unsupported))
	case s.suspended:
		return s.o.stored(ctx, s.name, known)
	}
	opened, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return opened.Fetch(ctx, known)
}

// current returns the source, opened anew where a Secret has changed.
func (s *origin) current(ctx context.Context) (source.Source, error) {
	secrets, versions := make(map[string]secret), ""
	for _, name := range s.secrets {
		var read corev1.Secret
		if err := s.o.reader.Get(ctx, types.NamespacedName{Namespace: s.namespace, Name: name}, &read); err != nil {
			return nil, fmt.Errorf("reading credentials: %w", err)
		}
		secrets[name] = read.Data
		versions += string(read.UID) + read.ResourceVersion + " "
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened != nil && s.secured == versions {
		return s.opened, nil
	}
	opened, err := s.open(secrets)
	if err != nil {
		return nil, err
	}
	s.opened, s.secured = opened, versions
	return opened, nil
}

// stored returns what is in the store of a source.
func (o *operator) stored(ctx context.Context, name string, known source.Revision) (*source.Snapshot, error) {
	tagged, err := o.store.Resolve(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("the source is suspended: %w", err)
	}
	revision, err := source.ParseRevision(tagged.Revision)
	if err != nil {
		return nil, err
	}
	if known.Current(revision) {
		return nil, source.ErrNotModified
	}
	descriptor, err := o.store.Stat(ctx, tagged.Digest)
	if err != nil {
		return nil, err
	}
	r, err := o.store.Open(ctx, tagged.Digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content, err := artifact.Open(ctx, r, descriptor, artifact.UnpackOptions{})
	if err != nil {
		return nil, err
	}
	return source.NewSnapshot(content, revision), nil
}

// keep is a BuildFunc, of a loop that has no objects: it puts the content in the store.
func (s *origin) keep(ctx context.Context, content fs.FS) ([]*unstructured.Unstructured, error) {
	descriptor, err := artifact.PackTo(ctx, s.o.store, content, artifact.PackOptions{})
	if err != nil {
		return nil, err
	}
	return nil, s.o.store.Tag(ctx, s.name, descriptor.Digest, content.(*source.Snapshot).Revision.String())
}

// artifactOf is what the store has of a source, as its status tells it.
func (o *operator) artifactOf(ctx context.Context, name string) *meta.Artifact {
	tagged, err := o.store.Resolve(ctx, name)
	if err != nil {
		return nil
	}
	descriptor, err := o.store.Stat(ctx, tagged.Digest)
	if err != nil {
		return nil
	}
	file := path.Join(strings.ToLower(name), tagged.Digest.Encoded()+".tar.gz")
	return &meta.Artifact{Path: file, URL: "http://" + o.advertise + "/" + file,
		Revision: tagged.Revision, Digest: tagged.Digest.String(),
		LastUpdateTime: metav1.NewTime(tagged.Time.Truncate(time.Second)), Size: &descriptor.Size}
}

// gitOrigin says what a GitRepository's fields are to package git.
func gitOrigin(g *sourcev1.GitRepository, s *origin, cache *git.Cache) {
	spec := g.Spec
	s.url, s.interval, s.suspended = spec.URL, spec.Interval.Duration, spec.Suspend
	s.timeout = timeoutOf(spec.Timeout)
	s.refuse(spec.Provider != "" && spec.Provider != sourcev1.GitProviderGeneric, "spec.provider: "+spec.Provider)
	s.refuse(spec.ServiceAccountName != "", "spec.serviceAccountName")
	s.refuse(len(spec.Include) > 0, "spec.include")
	credentials, proxy := s.needs(spec.SecretRef), s.needs(spec.ProxySecretRef)
	opts := git.Options{Branch: "master", Submodules: spec.RecurseSubmodules, Paths: spec.SparseCheckout, Ignore: ignored,
		AllowPlainHTTP: true, Cache: cache}
	if spec.Ignore != nil {
		opts.Ignore = *spec.Ignore
	}
	if r := spec.Reference; r != nil {
		opts.Reference, opts.SemVer, opts.Tag, opts.Commit = r.Name, r.SemVer, r.Tag, r.Commit
		if *r != (sourcev1.GitRepositoryRef{}) {
			opts.Branch = r.Branch
		}
	}
	var keys string
	if v := spec.Verification; v != nil {
		opts.Verify.Commit, opts.Verify.Tag = v.VerifyHEAD(), v.VerifyTag()
		keys = s.needs(&v.SecretRef)
	}
	s.open = func(secrets map[string]secret) (source.Source, error) {
		opts, from := opts, secrets[credentials]
		opts.Username, opts.Password = string(from["username"]), string(from["password"])
		opts.Token = string(from["bearerToken"])
		opts.KnownHosts, opts.CA = from["known_hosts"], from.get("ca.crt", "caFile")
		opts.ClientCertificate, opts.ClientKey = from.get("tls.crt", "certFile"), from.get("tls.key", "keyFile")
		if opts.PrivateKey = from["identity"]; opts.PrivateKey != nil {
			opts.Passphrase, opts.Password = from["password"], ""
		}
		opts.Proxy = proxyOf(secrets[proxy])
		for _, key := range secrets[keys] {
			opts.Verify.OpenPGP = append(opts.Verify.OpenPGP, key)
		}
		return git.New(spec.URL, opts)
	}
}

// bucketOrigin does the same for a Bucket and package bucket. A prefix is a folder here: prod is not production.
func bucketOrigin(b *sourcev1.Bucket, s *origin, cache *bucket.Cache) {
	spec := b.Spec
	s.url, s.interval, s.suspended = spec.Endpoint+"/"+spec.BucketName, spec.Interval.Duration, spec.Suspend
	s.timeout = timeoutOf(spec.Timeout)
	s.refuse(!slices.Contains([]string{"", sourcev1.BucketProviderGeneric, sourcev1.BucketProviderAmazon}, spec.Provider),
		"spec.provider: "+spec.Provider)
	s.refuse(spec.Provider == sourcev1.BucketProviderAmazon && spec.SecretRef == nil,
		"spec.provider: aws without spec.secretRef")
	s.refuse(spec.STS != nil, "spec.sts")
	s.refuse(spec.ServiceAccountName != "", "spec.serviceAccountName")
	credentials, certificates, proxy := s.needs(spec.SecretRef), s.needs(spec.CertSecretRef), s.needs(spec.ProxySecretRef)
	opts := bucket.Options{Endpoint: spec.Endpoint, Bucket: spec.BucketName, Insecure: spec.Insecure, Region: spec.Region,
		Prefix: spec.Prefix, KeepPrefix: true, Ignore: ignored, Cache: cache}
	if spec.Ignore != nil {
		opts.Ignore = *spec.Ignore
	}
	s.open = func(secrets map[string]secret) (source.Source, error) {
		opts, from, tls := opts, secrets[credentials], secrets[certificates]
		opts.AccessKey, opts.SecretKey = string(from["accesskey"]), string(from["secretkey"])
		opts.CA = tls.get("ca.crt", "caFile")
		opts.ClientCertificate, opts.ClientKey = tls.get("tls.crt", "certFile"), tls.get("tls.key", "keyFile")
		opts.Proxy = proxyOf(secrets[proxy])
		return bucket.New(opts)
	}
}

func (s *origin) refuse(it bool, field string) {
	if it {
		s.unsupported = append(s.unsupported, field)
	}
}

// needs notes that a Secret is to be read, and returns its name.
func (s *origin) needs(ref *meta.LocalObjectReference) string {
	if ref == nil {
		return ""
	}
	s.secrets = append(s.secrets, ref.Name)
	return ref.Name
}

func timeoutOf(d *metav1.Duration) time.Duration {
	if d == nil {
		return time.Minute
	}
	return cmp.Or(d.Duration, time.Minute)
}

func proxyOf(s secret) string {
	u, err := url.Parse(string(s["address"]))
	if err != nil || u.Host == "" {
		return string(s["address"])
	}
	if user := s["username"]; user != nil {
		u.User = url.UserPassword(string(user), string(s["password"]))
	}
	return u.String()
}
