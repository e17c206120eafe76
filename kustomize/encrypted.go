package kustomize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"
)

// decrypted returns what the file at name holds.
func (in *intake) decrypted(name string, content []byte) ([]byte, error) {
	if !isEncrypted(content) {
		return content, nil
	}
	if in.limits.Decrypt == nil {
		return nil, at(name, fmt.Errorf("%w by SOPS (set Options.Decrypt)", ErrEncrypted))
	}
	plain, err := in.limits.Decrypt(in.ctx, in.mounts.file(name), content)
	if err != nil {
		return nil, at(name, fmt.Errorf("decrypting: %w", err))
	}
	if len(plain) == 0 {
		return nil, at(name, errors.New("decrypting: Options.Decrypt returned nothing"))
	}
	if int64(len(plain)) > in.limits.MaxFileBytes {
		return nil, at(name, in.fileTooLarge())
	}
	return plain, nil
}

// isEncrypted says whether content is what SOPS has written, by the metadata that SOPS adds under the key sops: in YAML,
// in JSON (also around files that are neither), and in the formats of env and ini files.
func isEncrypted(content []byte) bool {
	if !bytes.Contains(content, []byte("sops")) { // by far most files
		return false
	}
	return hasLine(content, "sops_mac=") || hasLine(content, "[sops]") || hasMetadata(content)
}

// hasMetadata looks into the first document that has a key sops for what only SOPS writes there.
func hasMetadata(content []byte) bool {
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
		var file struct{ Sops *struct{ Mac string } }
		return json.Unmarshal(content, &file) == nil && file.Sops != nil && file.Sops.Mac != ""
	}
	for _, doc := range splitDocuments(content) {
		i := lineStart(doc.text, "sops:")
		if i < 0 {
			continue
		}
		// From there on, since what is before may be long. What follows is at the margin again, and is cut off.
		var file struct{ Sops *struct{ Mac string } }
		if yaml.Unmarshal(block(doc.text[i:]), &file) == nil && file.Sops != nil && file.Sops.Mac != "" {
			return true
		}
	}
	return false
}

// block returns the first line of text and those after it that are indented, or empty.
func block(text []byte) []byte {
	end := bytes.IndexByte(text, '\n') + 1
	for end > 0 && end < len(text) && (text[end] == ' ' || text[end] == '\n' || text[end] == '-') {
		n := bytes.IndexByte(text[end:], '\n') + 1
		if n == 0 {
			return text
		}
		end += n
	}
	if end == 0 {
		return text
	}
	return text[:end]
}

func hasLine(content []byte, start string) bool { return lineStart(content, start) >= 0 }

// lineStart returns where the first line is that begins with start, and -1 if there is none.
func lineStart(content []byte, start string) int {
	if bytes.HasPrefix(content, []byte(start)) {
		return 0
	}
	if i := bytes.Index(content, []byte("\n"+start)); i >= 0 {
		return i + 1
	}
	return -1
}
