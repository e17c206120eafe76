package bucket

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/gitopskit/gitopskit/source"
)

// A signingTransport signs requests with what a function gives, and signs and sends again, once, what is refused for that.
// It signs here, for minio-go gives credentials no second chance, and asks for them apart from the caller's context.
// Requests have no bodies.
type signingTransport struct {
	next   http.RoundTripper
	keeper *keeper
	region string
	sign   func(request http.Request, accessKey, secretKey, sessionToken, region string) *http.Request
}

func newSigningTransport(next http.RoundTripper, k *keeper, endpoint url.URL, region string) *signingTransport {
	t := &signingTransport{next: next, keeper: k, region: region, sign: signer.SignV4}
	if s3utils.IsAmazonOutpostsEndpoint(endpoint) {
		t.sign = signer.SignV4Outposts
	}
	return t
}

// RoundTrip implements [http.RoundTripper].
func (t *signingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	credential, err := t.keeper.credential(ctx, nil)
	if err != nil {
		return nil, hideAsking(ctx, err)
	}
	response, err := t.next.RoundTrip(t.signed(ctx, request, credential))
	if err != nil {
		return nil, err
	}
	code := refusal(response)
	if code == "" {
		return response, nil
	}
	another, err := t.keeper.credential(ctx, &credential)
	if err != nil {
		_ = response.Body.Close()
		code = t.keeper.secrets.Redact(code)
		err = fmt.Errorf("%w: the server answers %d %.100q: %w", source.ErrUnauthorized, response.StatusCode, code, err)
		return nil, hideAsking(ctx, &credentialError{err})
	}
	if another.same(credential) {
		return response, nil
	}
	_ = response.Body.Close()
	return t.next.RoundTrip(t.signed(ctx, request, another))
}

// hideAsking leaves the error with the call. Minio-go would look for the store's failures in it, and rewrite it.
func hideAsking(ctx context.Context, err error) error {
	c, _ := ctx.Value(callKey{}).(*call)
	asking := new(credentialError)
	if c == nil || !errors.As(err, &asking) {
		return err // the context's
	}
	c.asking.Store(asking)
	return errors.New("there are no credentials")
}

// emptyHash is the SHA-256 of a request's body that is none.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// signed returns a copy of the request with a signature. Cookies are not signed: what balances load may change them.
func (t *signingTransport) signed(ctx context.Context, request *http.Request, c Credential) *http.Request {
	request = request.Clone(ctx)
	if c.anyone() {
		return request
	}
	cookies := request.Header["Cookie"]
	request.Header.Del("Cookie")
	request.Header.Set("X-Amz-Content-Sha256", emptyHash)
	request = t.sign(*request, c.AccessKey, c.SecretKey, c.SessionToken, t.region)
	if len(cookies) > 0 {
		request.Header["Cookie"] = cookies
	}
	return request
}

// refusals are the codes of stores that do not accept a credential, or not any more, whatever it is for. The last one is of
// keys whose secret has been replaced.
var refusals = []string{"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken", "InvalidTokenId",
	"InvalidClientTokenId", "TokenRefreshRequired", "UnrecognizedClientException", "SignatureDoesNotMatch"}

func refusedCredential(code string) bool { return slices.Contains(refusals, code) }

// refusal returns the code by which an answer refuses the credential, or nothing. The body can be read afterwards as before.
func refusal(response *http.Response) string {
	switch response.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
	default:
		return ""
	}
	const most = 64 << 10 // bytes
	start, err := io.ReadAll(io.LimitReader(response.Body, most))
	rest := response.Body
	response.Body = &restoredBody{io.MultiReader(bytes.NewReader(start), rest), rest}
	var answer struct{ Code string }
	if err == nil && xml.Unmarshal(start, &answer) == nil && refusedCredential(answer.Code) {
		return answer.Code
	}
	if response.StatusCode == http.StatusUnauthorized {
		return "Unauthorized"
	}
	return ""
}

// A restoredBody is read from its beginning again.
type restoredBody struct {
	io.Reader
	io.Closer
}
