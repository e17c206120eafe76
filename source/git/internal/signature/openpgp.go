package signature

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// readOpenPGP reads armored blocks with anything between them, or what is not armored.
func readOpenPGP(data []byte) (openpgp.EntityList, error) {
	begin := []byte("-----BEGIN PGP ")
	if !bytes.Contains(data, begin) {
		return readEntities(data)
	}
	var all openpgp.EntityList
	for rest := data; ; {
		at := bytes.Index(rest, begin)
		if at < 0 {
			return all, nil
		}
		rest = rest[at:]
		if bytes.HasPrefix(rest, []byte("-----BEGIN PGP PRIVATE KEY")) {
			return nil, errPrivateKey
		}
		block, after, err := cutArmor(rest, pgpPublicKey)
		var encoded []byte
		if err == nil {
			encoded, err = decodeOpenPGP(block)
		}
		if err != nil {
			return nil, fmt.Errorf("an armored block is not of public keys: %w: give what gpg --armor --export writes", err)
		}
		entities, err := readEntities(encoded)
		if err == nil {
			all, err = merge(all, entities)
		}
		if err != nil {
			return nil, err
		}
		rest = after
	}
}

var errPrivateKey = errors.New("it is a private key, which verifying has no use for: give what gpg --export writes")

// readEntities reads one key after the other. None is skipped, unlike in openpgp.ReadKeyRing.
func readEntities(data []byte) (openpgp.EntityList, error) {
	var all openpgp.EntityList
	packets := packet.NewReader(bytes.NewReader(data))
	for {
		e, err := openpgp.ReadEntity(packets)
		switch {
		case err == io.EOF && len(all) > 0:
			return all, nil
		case err == io.EOF:
			return nil, errors.New("there is no key in it: give what gpg --export writes")
		case err != nil:
			return nil, fmt.Errorf("key %d cannot be read, nor can what follows it: %w: leave it out, or export it anew "+
				"with gpg --export --export-options export-minimal", len(all)+1, err)
		case e.PrivateKey != nil:
			return nil, errPrivateKey
		}
		if all, err = merge(all, openpgp.EntityList{e}); err != nil {
			return nil, err
		}
	}
}

// merge adds keys to others. One key may be there twice, but not in two states: it would be a matter of luck whether its
// revocation or another time of expiry counts.
func merge(all, more openpgp.EntityList) (openpgp.EntityList, error) {
	for _, e := range more {
		known := false
		for _, other := range all {
			if !bytes.Equal(other.PrimaryKey.Fingerprint, e.PrimaryKey.Fingerprint) {
				continue
			}
			if known = true; !sameState(other, e) {
				return nil, fmt.Errorf("the key %X is there twice, once with other times, subkeys or revocations: "+
					"give only its newest state", e.PrimaryKey.Fingerprint)
			}
		}
		if !known {
			all = append(all, e)
		}
	}
	return all, nil
}

// sameState compares what is written of two keys. Identities are a map, and their order is not that of the file.
func sameState(a, b *openpgp.Entity) bool {
	if len(a.Identities) != len(b.Identities) || len(a.Subkeys) != len(b.Subkeys) || len(a.Revocations) != len(b.Revocations) {
		return false
	}
	parts := func(e *openpgp.Entity) map[string]bool {
		found := make(map[string]bool)
		add := func(signatures ...*packet.Signature) {
			for _, s := range signatures {
				var out bytes.Buffer
				if s != nil && s.Serialize(&out) == nil {
					found[out.String()] = true
				}
			}
		}
		add(e.Revocations...)
		add(e.SelfSignature)
		for _, id := range e.Identities {
			add(id.SelfSignature)
			add(id.Revocations...)
		}
		for _, s := range e.Subkeys {
			add(s.Sig)
			add(s.Revocations...)
		}
		return found
	}
	these, those := parts(a), parts(b)
	for part := range these {
		if !those[part] {
			return false
		}
	}
	return len(these) == len(those)
}
