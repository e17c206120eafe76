package bucket

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// FromInstance is a [CredentialFunc]: it asks the metadata service of an EC2 instance (IMDSv2 only) for the credentials of
// the instance's role. AWS_EC2_METADATA_SERVICE_ENDPOINT is another URL of that service than http://169.254.169.254. No proxy
// is used.
func FromInstance(ctx context.Context, _ CredentialRequest) (Credential, error) {
	base := strings.TrimSuffix(cmp.Or(os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), "http://169.254.169.254"), "/")
	hidden := secret.New()
	ask := func(method, path string, header ...string) (string, error) {
		answer, err := askMetadata(ctx, method, base+path, header...)
		return string(answer), err
	}
	c, err := askInstance(ask, hidden)
	if err != nil {
		return Credential{}, hidden.Clean(fmt.Errorf("the instance's metadata service: %w", err))
	}
	return c, nil
}

func askInstance(ask func(method, path string, header ...string) (string, error), hidden *secret.Words) (Credential, error) {
	const token, credentials = "X-aws-ec2-metadata-token", "/latest/meta-data/iam/security-credentials/"
	session, err := ask(http.MethodPut, "/latest/api/token", token+"-ttl-seconds", "60")
	if err != nil {
		return Credential{}, fmt.Errorf("opening a session, for which a container needs a hop limit of 2: %w", err)
	}
	hidden.Add(session)
	roles, err := ask(http.MethodGet, credentials, token, session)
	role, _, _ := strings.Cut(strings.TrimSpace(roles), "\n") // an instance has one at most
	if errors.Is(err, errNoPage) || err == nil && role == "" {
		return Credential{}, errors.New("the instance has no role")
	}
	if err != nil {
		return Credential{}, fmt.Errorf("asking which role the instance has: %w", err)
	}
	answer, err := ask(http.MethodGet, credentials+url.PathEscape(role), token, session)
	if err != nil {
		return Credential{}, fmt.Errorf("role %.100q: %w", hidden.Redact(role), err)
	}
	return parseRoleCredential([]byte(answer), hidden)
}

// FromContainer is a [CredentialFunc]: it asks the service that ECS and EKS Pod Identity name in a container's environment,
// by AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI, with the token of
// AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, which is read each time, or AWS_CONTAINER_AUTHORIZATION_TOKEN. Over plain HTTP
// only the addresses of these services and loopback are asked. No proxy is used.
func FromContainer(ctx context.Context, _ CredentialRequest) (Credential, error) {
	c, err := askContainer(ctx, os.Getenv)
	if err != nil {
		return Credential{}, fmt.Errorf("the container's credential service: %w", err)
	}
	return c, nil
}

func askContainer(ctx context.Context, environment func(string) string) (Credential, error) {
	address, err := containerURL(environment)
	if err != nil {
		return Credential{}, err
	}
	token := environment("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if file := environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		content, err := readSmall(file)
		if err != nil {
			return Credential{}, err
		}
		token = strings.TrimSpace(string(content))
	}
	hidden := secret.New(token)
	if strings.ContainsAny(token, "\r\n") {
		return Credential{}, errors.New("the token has more than one line")
	}
	var header []string
	if token != "" {
		header = []string{"Authorization", token}
	}
	answer, err := askMetadata(ctx, http.MethodGet, address, header...)
	if err != nil {
		return Credential{}, hidden.Clean(err)
	}
	return parseRoleCredential(answer, hidden)
}

// containerURL returns what to ask.
func containerURL(environment func(string) string) (string, error) {
	if path := environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); path != "" {
		if !strings.HasPrefix(path, "/") {
			return "", errors.New("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not start with a slash")
		}
		return "http://169.254.170.2" + path, nil
	}
	full := environment("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if full == "" {
		return "", errors.New("the environment has neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor _FULL_URI")
	}
	u, err := url.Parse(full)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return "", errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL")
	case u.Scheme == "https":
		return full, nil
	case u.Scheme == "http" && (onThisMachine(u.Hostname()) || containerHost(u.Hostname())):
		return full, nil
	}
	return "", fmt.Errorf("AWS_CONTAINER_CREDENTIALS_FULL_URI names %.100q, which is no address of such a service: "+
		"it would need https://", u.Scheme+"://"+u.Host)
}

// containerHost tells the link-local addresses of ECS and, after it, of EKS.
func containerHost(host string) bool {
	return host == "169.254.170.2" || host == "169.254.170.23" || host == "fd00:ec2::23"
}

func onThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// metadataTimeout is for one request to a service that is on the same machine, or nowhere.
const metadataTimeout = 5 * time.Second

// maxAnswerBytes bounds what services for credentials may say.
const maxAnswerBytes = 1 << 20

// errNoPage is not [source.ErrNotFound]: what is missing is no bucket.
var errNoPage = errors.New("it answers 404 Not Found")

// askMetadata sends a request to a metadata service and returns the answer, if it is one. Header are names and values.
func askMetadata(ctx context.Context, method, address string, header ...string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	transport := plainTransport()
	transport.DisableKeepAlives = true
	client := http.Client{Transport: &promptTransport{transport}, Timeout: metadataTimeout, CheckRedirect: stay}
	status, answer, err := exchange(&client, request)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusOK:
		return answer, nil
	}
	err = fmt.Errorf("it answers %d %s", status, http.StatusText(status))
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, fmt.Errorf("%w: %w", source.ErrUnauthorized, err)
	case status == http.StatusNotFound:
		return nil, errNoPage
	}
	return nil, temporaryStatus(status, err)
}

// exchange sends a request for credentials and reads the whole answer.
func exchange(client *http.Client, request *http.Request) (status int, answer []byte, err error) {
	response, err := client.Do(request)
	if err == nil {
		status = response.StatusCode
		answer, err = io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
		_ = response.Body.Close() // it was only read
	}
	switch ended := request.Context().Err(); {
	case err != nil && ended != nil:
		return 0, nil, ended
	case err != nil:
		if wrapped := new(url.Error); errors.As(err, &wrapped) && !wrapped.Timeout() {
			err = wrapped.Err
		}
		return 0, nil, &source.TemporaryError{Err: err}
	case len(answer) > maxAnswerBytes:
		return 0, nil, fmt.Errorf("the answer has more than %d bytes", maxAnswerBytes)
	}
	return status, answer, nil
}

func temporaryStatus(status int, err error) error {
	if passing(status) {
		return &source.TemporaryError{Err: err}
	}
	return err
}

// parseRoleCredential reads the JSON that metadata services answer. Errors quote nothing of it but what is wrong.
func parseRoleCredential(answer []byte, hidden *secret.Words) (Credential, error) {
	var role struct {
		Code, AccessKeyID, SecretAccessKey, Token string // encoding/json does not mind AccessKeyId
		Expiration                                time.Time
	}
	if err := json.Unmarshal(answer, &role); err != nil {
		return Credential{}, errors.New("the answer is not the JSON of a credential")
	}
	switch {
	case role.Code != "" && role.Code != "Success":
		return Credential{}, fmt.Errorf("it says %s", hidden.Quote(role.Code))
	case role.AccessKeyID == "" || role.SecretAccessKey == "":
		return Credential{}, errors.New("the answer has no keys")
	}
	return Credential{role.AccessKeyID, role.SecretAccessKey, role.Token, role.Expiration}, nil
}
