// Package signature verifies commits and annotated tags of Git by their OpenPGP and SSH signatures.
//
//	keys, err := signature.NewKeyring([][]byte{asc}, allowedSigners)
//	signed, err := keys.VerifyCommit(body, time.Now())
//	signed, target, err := keys.VerifyTag(body, "v1.2.0", time.Now())
//
// Its verdicts are those of git verify-commit and git verify-tag with the same keys, trusted, except where what follows is
// stricter. Every verdict but a good one is a [*source.SignatureError].
//
// # What is signed
//
// A commit's signature is in its gpgsig header. Signed is the commit without that header and without other headers whose
// names start with gpgsig, which hold what signs the same commit under another hash function. A mergetag header is signed
// as it stands, along with all else; the signature of the tag in it is not looked at. A tag's signature starts at the last
// line of the tag that begins one, and goes on to the tag's end. Signed is what is before it, less gpgsig headers.
//
// One signature counts for one object. Refused where git is more lenient: two gpgsig headers, several signatures in one,
// text after a signature, armor that is damaged behind what it encodes, a signature among a tag's headers, NUL among headers,
// objects over 4 MiB and signatures over 256 KiB. X.509 is not supported.
//
// # Tags
//
// A signature does not cover the reference that a tag is found under: whoever can write to a repository can call an old,
// signed release by the name of the newest. Therefore VerifyTag compares the name in the signed object with the one that
// was asked for. It returns what the tag stands for, and the caller holds that against the commit that it fetched. The
// target of a tag may be a tag, too. Signed then is the outermost, which names the next one by its hash; the signatures
// and names of inner tags do not count.
//
// # Keys and time
//
// OpenPGP keys must be valid now: neither expired nor revoked, nor may the primary key of a subkey that signed be. That the
// key was valid when it signed is not enough, because that time is the signer's word, and whoever has an old key can
// backdate. gpg and git hold it so as well. A key that is prolonged is given anew. MD5, SHA-1 and RIPEMD-160 are refused as
// hashes of what is signed, DSA and RSA below 2048 bits as keys: gpg takes some of them. A subkey is for signing only if it
// says so. A revocation that the key's owner left to somebody else's key is an error when the keys are read.
//
// SSH keys have no times of their own. A line of allowed_signers may: valid-after and valid-before are held against the
// date of the committer or the tagger, as git does. That date is signed, so nobody chooses it who does not have the key. The
// holder of the key does: valid-before retires a key without spoiling what it signed before, and is no way to take a key
// from a thief. For that, its line is removed. RSA keys have at least 2048 bits and sign with SHA-256 or SHA-512. Keys on
// hardware have to have been touched. Certificates are not supported, and cert-authority is an error.
package signature
