package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A key is a secret as it is written, and as Standard Webhooks derive a key from it.
type key struct{ text, raw []byte }

// signingPrefix stands before the base64 of a key, in the specification of Standard Webhooks and at GitLab.
const signingPrefix = "whsec_"

func newKey(secret string) (key, error) {
	if secret == "" {
		return key{}, errors.New("is empty: anybody could sign")
	}
	k := key{text: []byte(secret), raw: []byte(secret)}
	if encoded, ok := strings.CutPrefix(secret, signingPrefix); ok {
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(raw) == 0 {
			return key{}, errors.New("begins with " + signingPrefix + ", and what follows is no base64")
		}
		k.raw = raw
	}
	return k, nil
}

// verify refuses what no secret vouches for. It returns what identifies the message, if its bytes cannot come twice.
func (h *Handler) verify(header http.Header, body []byte) (once string, err error) {
	switch h.opts.Provider {
	case GitHub:
		return h.signed("X-Hub-Signature-256", header, body)
	case Gitea:
		if header.Get("X-Forgejo-Signature") != "" {
			return h.signed("X-Forgejo-Signature", header, body)
		}
		return h.signed("X-Gitea-Signature", header, body)
	case GitLab:
		if header.Get("webhook-signature") != "" {
			return h.signedWithTime(header, body)
		}
		return "", h.token("X-Gitlab-Token", header.Get("X-Gitlab-Token"))
	case Bucket:
		if sent := header.Get("X-Api-Key"); sent != "" {
			return "", h.token("X-Api-Key", sent)
		}
		return "", h.token("Authorization", header.Get("Authorization"))
	}
	if header.Get("webhook-signature") != "" {
		return h.signedWithTime(header, body)
	}
	// One who signs what he likes may well send the same bytes at each push.
	_, err = h.signed("X-Signature", header, body)
	return "", err
}

// signed takes the hex HMAC of the body, with the hash's name before it or without.
func (h *Handler) signed(name string, header http.Header, body []byte) (once string, err error) {
	sent := header.Get(name)
	if sent == "" {
		return "", refusef(http.StatusUnauthorized, "the message has no %s", name)
	}
	algorithm, text, named := strings.Cut(sent, "=")
	if !named {
		algorithm, text = "sha256", sent
	}
	var newHash func() hash.Hash
	switch algorithm {
	case "sha256":
		newHash = sha256.New
	case "sha512":
		newHash = sha512.New
	default:
		// What is before the "=" may be the secret itself, in base64, of a sender who does not sign.
		return "", refusef(http.StatusUnauthorized, "%s is neither of sha256 nor of sha512", name)
	}
	mac, err := hex.DecodeString(text)
	if err != nil || len(mac) != newHash().Size() {
		return "", refusef(http.StatusUnauthorized, "%s is no %s in hex", name, algorithm)
	}
	for _, k := range h.keys {
		if hmac.Equal(macOf(newHash, k.text, body), mac) {
			return string(mac), nil
		}
	}
	return "", refusef(http.StatusUnauthorized, "%s is not made with a secret that is known here", name)
}

// signedWithTime takes what the specification Standard Webhooks 1.0 asks for.
func (h *Handler) signedWithTime(header http.Header, body []byte) (once string, err error) {
	id, at := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if id == "" || err != nil {
		return "", refusef(http.StatusUnauthorized, "the message has no webhook-id, or no time in webhook-timestamp")
	}
	signed := append([]byte(id+"."+at+"."), body...)
	for text := range strings.FieldsSeq(header.Get("webhook-signature")) {
		encoded, ok := strings.CutPrefix(text, "v1,")
		if !ok {
			continue // a signature with a key pair, or of a later version
		}
		mac, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		for _, k := range h.keys {
			if hmac.Equal(macOf(sha256.New, k.raw, signed), mac) {
				return string(mac), recent(time.Unix(seconds, 0))
			}
		}
	}
	return "", refusef(http.StatusUnauthorized, "webhook-signature is not made with a secret that is known here")
}

func recent(at time.Time) error {
	if off := time.Since(at); off > tolerance || off < -tolerance {
		return refusef(http.StatusUnauthorized, "the message was signed %s ago, and is taken within %s: sent again by somebody, or a clock is wrong",
			off.Round(time.Second), tolerance)
	}
	return nil
}

func macOf(newHash func() hash.Hash, key, body []byte) []byte {
	mac := hmac.New(newHash, key)
	mac.Write(body)
	return mac.Sum(nil)
}

// token compares sums, so that the time tells nothing of a length either.
func (h *Handler) token(name, sent string) error {
	if sent == "" {
		return refusef(http.StatusUnauthorized, "the message has no %s", name)
	}
	bare := sha256.Sum256([]byte(strings.TrimPrefix(sent, "Bearer ")))
	whole := sha256.Sum256([]byte(sent))
	known := 0
	for _, k := range h.keys {
		want := sha256.Sum256(k.text)
		known |= subtle.ConstantTimeCompare(bare[:], want[:]) | subtle.ConstantTimeCompare(whole[:], want[:])
	}
	if known == 0 {
		return refusef(http.StatusUnauthorized, "%s is no secret that is known here", name)
	}
	return nil
}

func formField(body, name string) ([]byte, error) {
	values, err := url.ParseQuery(body)
	if err != nil || !values.Has(name) {
		return nil, refusef(http.StatusBadRequest, "the message is a form without a field %s: have it sent as application/json", name)
	}
	return []byte(values.Get(name)), nil
}

// seen remembers messages, the last so many.
type seen struct {
	mu    sync.Mutex
	known map[string]bool
	ring  []string
	next  int
}

const seenMessages = 1024

func newSeen() *seen {
	return &seen{known: make(map[string]bool, seenMessages), ring: make([]string, seenMessages)}
}

// first returns whether the message was not met before.
func (s *seen) first(message string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[message] {
		return false
	}
	delete(s.known, s.ring[s.next])
	s.ring[s.next], s.known[message] = message, true
	s.next = (s.next + 1) % len(s.ring)
	return true
}
