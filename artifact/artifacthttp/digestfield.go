package artifacthttp

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
)

// digestField returns a sha256 digest as RFC 9530 has it in Repr-Digest and Content-Digest.
func digestField(d digest.Digest) string {
	sum, err := hex.DecodeString(d.Encoded())
	if err != nil {
		return "" // of no artifact
	}
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"
}

// parseDigestField returns the sha256 digest in the values of such a field, if there is one.
func parseDigestField(values []string) (digest.Digest, bool) {
	for _, member := range strings.Split(strings.Join(values, ","), ",") {
		encoded, ok := strings.CutPrefix(strings.Trim(member, " \t"), "sha-256=:")
		if !ok {
			continue
		}
		encoded, _, ok = strings.Cut(encoded, ":")
		sum, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !ok || err != nil || len(sum) != digest.SHA256.Size() {
			return "", false
		}
		return digest.NewDigestFromBytes(digest.SHA256, sum), true
	}
	return "", false
}

// announced returns the digest of the whole that an answer's headers tell, and whether all that tell one agree.
func announced(header http.Header) (digest.Digest, bool) {
	var all []digest.Digest
	if d, ok := parseDigestField(header.Values("Repr-Digest")); ok {
		all = append(all, d)
	}
	tag := strings.Trim(strings.TrimPrefix(header.Get("ETag"), "W/"), `"`)
	for _, text := range []string{header.Get("Docker-Content-Digest"), tag} {
		if d := digest.Digest(text); isDigest(text) && d.Validate() == nil {
			all = append(all, d)
		}
	}
	for _, d := range all {
		if d != all[0] {
			return "", false
		}
	}
	if len(all) == 0 {
		return "", true
	}
	return all[0], true
}
