package bucket

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/network"
	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// RoleOptions say which role to take, and of which security token service.
type RoleOptions struct {
	// ARN names the role: "arn:aws:iam::123456789012:role/reader". Amazon needs it; MinIO has the role of who asks, or of the
	// identity provider, where it is empty.
	ARN string
	// SessionName is what the audit log shows beside the role. Default: gitopskit.
	SessionName string
	// ExternalID is what the role's owner may want to see. It is for FromRole.
	ExternalID string
	// Policy is JSON that allows less than the role does.
	Policy string
	// Duration is how long credentials are good, in whole seconds; services want 15 minutes at least. Default: the service's,
	// which is an hour mostly.
	Duration time.Duration
	// Endpoint is the service's URL. Default: Amazon's of the Region, for buckets of Amazon's; elsewhere the store's own, where
	// MinIO and Ceph have theirs.
	Endpoint string
	// Region is the service's. Default: that of the bucket.
	Region string
	// AllowPlainHTTP lets tokens and the keys that are answered go over http://, where everybody on the way can read them.
	// Loopback needs no leave.
	AllowPlainHTTP bool
}

// FromRole takes a role by AssumeRole, as who base gives credentials of; base is asked anew each time.
func FromRole(base CredentialFunc, role RoleOptions) CredentialFunc {
	return func(ctx context.Context, r CredentialRequest) (Credential, error) {
		if base == nil {
			return Credential{}, errors.New("FromRole has no function for the credentials that take the role")
		}
		own := r
		own.Refused = false // it is the role's that were
		who, err := base(ctx, own)
		if err != nil {
			return Credential{}, err
		}
		if who.AccessKey == "" || who.SecretKey == "" {
			return Credential{}, errors.New("FromRole needs an access key and a secret key to take a role")
		}
		if err := who.check(); err != nil {
			return Credential{}, err
		}
		form := role.form("AssumeRole")
		if role.ExternalID != "" {
			form.Set("ExternalId", role.ExternalID)
		}
		hidden := secret.New(who.AccessKey, who.SecretKey, who.SessionToken)
		return role.ask(ctx, r, form, hidden, func(request *http.Request, region string) *http.Request {
			sum := sha256.Sum256([]byte(form.Encode()))
			request.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
			if who.SessionToken != "" {
				request.Header.Set("X-Amz-Security-Token", who.SessionToken)
			}
			return signer.SignV4STS(*request, who.AccessKey, who.SecretKey, region)
		})
	}
}

// FromWebIdentity takes a role by AssumeRoleWithWebIdentity, with a token that it asks for each time, such as that of a
// [TokenFile]. A nil token means the file that AWS_WEB_IDENTITY_TOKEN_FILE names; then AWS_ROLE_ARN and
// AWS_ROLE_SESSION_NAME are role's ARN and SessionName where these are empty. That is how EKS gives roles to service
// accounts.
func FromWebIdentity(token func(context.Context) (string, error), role RoleOptions) CredentialFunc {
	return func(ctx context.Context, r CredentialRequest) (Credential, error) {
		token, role := token, role
		if token == nil {
			path := os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
			if path == "" {
				return Credential{}, errors.New("AWS_WEB_IDENTITY_TOKEN_FILE is not set, and FromWebIdentity has no token")
			}
			token = TokenFile(path)
			role.ARN = cmp.Or(role.ARN, os.Getenv("AWS_ROLE_ARN"))
			role.SessionName = cmp.Or(role.SessionName, os.Getenv("AWS_ROLE_SESSION_NAME"))
		}
		identity, err := token(ctx)
		if err != nil {
			return Credential{}, fmt.Errorf("the token of the web identity: %w", err)
		}
		if identity == "" {
			return Credential{}, errors.New("the token of the web identity is empty")
		}
		form := role.form("AssumeRoleWithWebIdentity")
		form.Set("WebIdentityToken", identity)
		return role.ask(ctx, r, form, secret.New(identity), nil)
	}
}

// TokenFile reads a token from a file each time it is asked, for whoever wrote the file writes another token before that one
// expires.
func TokenFile(path string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		content, err := readSmall(path)
		return strings.TrimSpace(string(content)), err
	}
}

// form is what both ways to a role have in common.
func (o RoleOptions) form(action string) url.Values {
	form := url.Values{"Action": {action}, "Version": {"2011-06-15"}}
	if o.ARN != "" {
		form.Set("RoleArn", o.ARN)
		form.Set("RoleSessionName", cmp.Or(o.SessionName, "gitopskit"))
	}
	if o.Duration != 0 {
		form.Set("DurationSeconds", strconv.Itoa(int(o.Duration/time.Second)))
	}
	if o.Policy != "" {
		form.Set("Policy", o.Policy)
	}
	return form
}

// endpoint returns the service's URL, and the region to sign for.
func (o RoleOptions) endpoint(r CredentialRequest) (*url.URL, string, error) {
	region := cmp.Or(o.Region, r.Region, "us-east-1")
	raw := cmp.Or(o.Endpoint, r.Endpoint)
	store, err := url.Parse(r.Endpoint)
	if o.Endpoint == "" && err == nil && s3utils.IsAmazonEndpoint(*store) {
		raw = "https://sts." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			raw += ".cn"
		}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, "", errors.New("RoleOptions.Endpoint is not a URL of http or https without credentials")
	case u.Scheme == "http" && !o.AllowPlainHTTP && !onThisMachine(u.Hostname()):
		return nil, "", errors.New("the role's keys would come over plain http:// where everybody on the way can read them: " +
			"use https://, or allow it by RoleOptions.AllowPlainHTTP")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, region, nil
}

// ask posts a form to the service and returns the credential that it answers. Sign may be nil.
func (o RoleOptions) ask(
	ctx context.Context, r CredentialRequest, form url.Values, hidden *secret.Words, sign func(*http.Request, string) *http.Request,
) (Credential, error) {
	if o.Duration < 0 || o.Duration%time.Second != 0 {
		return Credential{}, fmt.Errorf("RoleOptions.Duration %s is not a number of whole seconds", o.Duration)
	}
	endpoint, region, err := o.endpoint(r)
	if err != nil {
		return Credential{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return Credential{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if sign != nil {
		request = sign(request, region)
	}
	client := r.Client
	if client == nil {
		transport := plainTransport()
		transport.Proxy = network.EnvironmentProxy
		defer transport.CloseIdleConnections()
		client = &http.Client{Transport: &promptTransport{transport}, Timeout: DefaultStallTimeout, CheckRedirect: stay}
	}
	status, answer, err := exchange(client, request)
	if err == nil {
		var c Credential
		if c, err = parseSTS(status, answer, hidden); err == nil {
			return c, nil
		}
	}
	return Credential{}, hidden.Clean(fmt.Errorf("%s of %s: %w", form.Get("Action"), source.RedactURL(endpoint.String()), err))
}

// An stsAnswer is both answers of a security token service, and its error in both ways that servers write it.
type stsAnswer struct {
	AssumeRole  stsCredential `xml:"AssumeRoleResult>Credentials"`
	WebIdentity stsCredential `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	Wrapped     stsError      `xml:"Error"`
	stsError
}

type stsCredential struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

type stsError struct{ Code, Message string }

// notAllowed are the codes that come with the status 400, though somebody was refused.
var notAllowed = []string{"InvalidIdentityToken", "IDPRejectedClaim", "AccessDenied"}

func parseSTS(status int, body []byte, hidden *secret.Words) (Credential, error) {
	var answer stsAnswer
	err := xml.Unmarshal(body, &answer)
	if status != http.StatusOK {
		said := fmt.Errorf("it answers %d %s", status, http.StatusText(status))
		wrong := answer.Wrapped
		if wrong.Code == "" {
			wrong = answer.stsError
		}
		if wrong.Code != "" {
			said = fmt.Errorf("it answers %d %s: %s", status, hidden.Quote(wrong.Code), hidden.Quote(wrong.Message))
		}
		if status == http.StatusUnauthorized || status == http.StatusForbidden || refusedCredential(wrong.Code) ||
			slices.Contains(notAllowed, wrong.Code) {
			return Credential{}, fmt.Errorf("%w: %w", source.ErrUnauthorized, said)
		}
		return Credential{}, temporaryStatus(status, said)
	}
	c := answer.AssumeRole
	if c.AccessKeyID == "" {
		c = answer.WebIdentity
	}
	if err != nil || c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return Credential{}, errors.New("the answer has no credentials") // err may quote them
	}
	return Credential{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration}, nil
}
