package testbed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"time"
)

// An issuer is an OpenID provider that gives a token to whoever asks for one in this process, and tells servers the key to
// check it with.
type issuer struct {
	url   string
	key   *ecdsa.PrivateKey
	close func() error
}

func startIssuer() (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey.Bytes() // 4, then X, then Y
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &issuer{url: "http://" + listener.Addr().String(), key: key}
	documents := http.NewServeMux()
	documents.HandleFunc("/.well-known/openid-configuration", tell(map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys"}))
	documents.HandleFunc("/keys", tell(map[string]any{"keys": []map[string]string{{
		"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": keyName,
		"x": base64.RawURLEncoding.EncodeToString(public[1:33]), "y": base64.RawURLEncoding.EncodeToString(public[33:]),
	}}}))
	server := &http.Server{Handler: documents, ErrorLog: quiet}
	i.close = server.Close
	go func() { _ = server.Serve(listener) }()
	return i, nil
}

const keyName = "testbed"

func tell(document any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(document) // the client is told by the end of the connection
	}
}

func (i *issuer) configuration() string { return i.url + "/.well-known/openid-configuration" }

// token is a JWT, signed with ES256, of somebody whom the named policy of the server is for.
func (i *issuer) token(policy string) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "ES256", "typ": "JWT", "kid": keyName})
	if err != nil {
		return "", err
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": i.url, "sub": policy, "aud": "testbed", "policy": policy,
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
