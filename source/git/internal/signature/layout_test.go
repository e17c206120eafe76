package signature

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// body is an object as git made it.
func (r *gitRig) body(kind object.Kind, revision string) []byte {
	r.Helper()
	return []byte(r.git("cat-file", kind.String(), revision))
}

// sshRig signs with one key, by git itself too.
func sshRig(t *testing.T) (r *gitRig, sign func(payload string) string) {
	r = newGitRig(t, "ssh-keygen")
	file, key := r.newSSHKey("alice", "-t", "ed25519")
	r.allow("alice@example.com " + key)
	r.git("config", "gpg.format", "ssh")
	r.git("config", "user.signingKey", file)
	return r, func(payload string) string { return r.signSSH(file, payload) }
}

// commitSigned makes a commit with a file of its own.
func (r *gitRig) commitSigned(name string, args ...string) {
	r.Helper()
	mustBeNil(r, os.WriteFile(filepath.Join(r.repo, name), []byte(name), 0o644))
	r.git("add", "-A")
	r.git(append(args, "commit", "-q", "-S", "-m", name)...)
}

func TestWhatGitSignsIsVerified(t *testing.T) {
	for _, format := range []string{"ssh", "openpgp"} {
		t.Run(format, func(t *testing.T) {
			var r *gitRig
			if format == "ssh" {
				r, _ = sshRig(t)
			} else {
				r = newGitRig(t, "gpg")
				r.git("config", "user.signingKey", r.newKey("", "Alice <alice@example.com>", "ed25519", "sign", "never"))
			}
			r.commitSigned("first")
			r.git("checkout", "-q", "-b", "side")
			r.commitSigned("side")
			r.git("tag", "-s", "-m", "of the side\n\nwith a body", "side/v1")
			r.git("checkout", "-q", "main")
			r.commitSigned("latin", "-c", "i18n.commitEncoding=ISO-8859-1")
			keys := r.keyring()
			for _, revision := range []string{"main", "main~1", "side"} {
				r.same(revision, keys, object.Commit, r.body(object.Commit, revision), nil)
			}
			r.git("merge", "-q", "-S", "--no-ff", "-m", "merge", "side/v1")
			merge := r.body(object.Commit, "main")
			if !bytes.Contains(merge, []byte("\nmergetag ")) || !bytes.Contains(r.body(object.Commit, "main~1"), []byte("\nencoding ")) {
				t.Fatalf("git made %q", merge)
			}
			r.same("merge", keys, object.Commit, merge, nil)
			r.same("merge with another tag in it", keys, object.Commit,
				bytes.Replace(merge, []byte("of the side"), []byte("of the SIDE"), 1), source.ErrBadSignature)
			r.git("commit", "-q", "--allow-empty", "-m", "plain")
			r.same("plain", keys, object.Commit, r.body(object.Commit, "main"), source.ErrUnsigned)
			r.git("merge", "-q", "--no-ff", "-m", "merge", "side/v1")
			r.tagsOf(keys)
		})
	}
}

// tagsOf is with tags that git makes.
func (r *gitRig) tagsOf(keys *Keyring) {
	r.Helper()
	tag := r.body(object.Tag, "side/v1")
	r.same("tag", keys, object.Tag, tag, nil)
	signed, target, err := keys.VerifyTag(tag, "side/v1", time.Now())
	if err != nil || target.Hash.String()+"\n" != r.git("rev-parse", "side") || target.Kind != object.Commit || signed.Tag != "side/v1" ||
		signed.Hash+"\n" != r.git("rev-parse", "side/v1") || signed.Kind != "tag" {
		r.Errorf("got %+v, %+v, %v", signed, target, err)
	}
	for _, other := range []string{"v1", "side/v2", "refs/tags/side/v1", "side/v1 ", ""} {
		signed, target, err := keys.VerifyTag(tag, other, time.Now())
		if !errors.Is(err, source.ErrOtherTag) || !errors.Is(err, source.ErrUnverified) || signed != (source.Signature{}) || !target.Hash.IsZero() {
			r.Errorf("as %q: got %+v, %v", other, signed, err)
		}
	}
	r.git("tag", "-s", "-m", "outer", "outer", "side/v1")
	r.same("tag of a tag", keys, object.Tag, r.body(object.Tag, "outer"), nil)
	if _, target, err := keys.VerifyTag(r.body(object.Tag, "outer"), "outer", time.Now()); err != nil || target.Kind != object.Tag ||
		target.Hash.String()+"\n" != r.git("rev-parse", "side/v1") {
		r.Errorf("got %+v, %v", target, err)
	}
	r.git("tag", "-a", "-m", "plain", "plain")
	r.same("plain tag", keys, object.Tag, r.body(object.Tag, "plain"), source.ErrUnsigned)
	r.git("tag", "-s", "-m", "", "no-message")
	r.same("no message", keys, object.Tag, r.body(object.Tag, "no-message"), nil)
}

const fakeSSH = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"

// Objects that no git makes, and where it looks for signatures in them. What is changed is not in base64 by chance.
func TestOddCommitsAreJudgedAsByGit(t *testing.T) {
	r, sign := sshRig(t)
	keys := r.keyring()
	for name, tt := range map[string]struct {
		payload string
		change  func(body string) string
		want    error
	}{
		"fake signature in the message": {plainCommit("", "gpgsig "+fakeSSH+"\n"+fakeSSH), nil, nil},
		"fake in an unsigned message": {plainCommit("", "x\n\ngpgsig "+fakeSSH), func(b string) string {
			return withoutHeader(b)
		}, source.ErrUnsigned},
		"header of several lines":  {plainCommit(header("x-notes", "a\nb\n\nc"), "m"), nil, nil},
		"headers behind":           {plainCommit("", "m"), func(b string) string { return strings.Replace(b, "\n\nm", "\nx-more 1\n\nm", 1) }, source.ErrBadSignature},
		"before the author":        {plainCommit("", "m"), func(b string) string { return moveHeader(b, "author") }, nil},
		"SHA-256 behind":           {plainCommit("", "m"), insert("\n\nm", "\n"+header("gpgsig-sha256", fakeSSH)+"\nm"), nil},
		"SHA-256 before":           {plainCommit("", "m"), insert("\ngpgsig ", "\n"+header("gpgsig-sha256", fakeSSH)+"gpgsig "), nil},
		"only SHA-256":             {plainCommit("", "m"), insert("\ngpgsig ", "\ngpgsig-sha256 "), source.ErrUnsigned},
		"another name":             {plainCommit("", "m"), insert("\ngpgsig ", "\ngpgsignature "), source.ErrUnsigned},
		"no message":               {plainCommit("", ""), nil, nil},
		"no end of line":           {plainCommit("", "m"), nil, nil},
		"CRLF in the message":      {plainCommit("", "a\r\n\r\nb\r\n"), nil, nil},
		"CRLF put in":              {plainCommit("", "line one\nb\n"), insert("line one\n", "line one\r\n"), source.ErrBadSignature},
		"CRLF in the signature":    {plainCommit("", "m"), insert("\n -----END", "\r\n -----END"), nil},
		"NUL in the message":       {plainCommit("", "a\x00b\n"), nil, nil},
		"NUL put in":               {plainCommit("", "line one\n"), insert("line one", "line\x00one"), source.ErrBadSignature},
		"not UTF-8":                {plainCommit("encoding ISO-8859-1\n", "\xe4\xff\n"), nil, nil},
		"no committer":             {strings.Replace(plainCommit("", "m"), "\ncommitter ", "\nx-committer ", 1), nil, source.ErrBadSignature},
		"no date":                  {strings.ReplaceAll(plainCommit("", "m"), " 1700000000 +0100", ""), nil, nil},
		"no address":               {strings.ReplaceAll(plainCommit("", "m"), "<committer@example.com>", ""), nil, source.ErrBadSignature},
		"NUL among headers":        {strings.Replace(plainCommit("", "m"), "\ncommitter ", "\nx \x00\ncommitter ", 1), nil, source.ErrBadSignature},
		"X.509":                    {plainCommit("", "m"), insert("SSH SIGNATURE", "SIGNED MESSAGE"), source.ErrBadSignature},
		"no armor":                 {plainCommit("", "m"), insert("-----BEGIN", "-----begin"), source.ErrBadSignature},
		"spaces before the armor":  {plainCommit("", "m"), insert("gpgsig -", "gpgsig  -"), source.ErrBadSignature},
		"no space after the name":  {plainCommit("", "m"), insert("gpgsig -", "gpgsig\t-"), source.ErrUnsigned},
		"the tree put in as it is": {plainCommit("", "m"), func(b string) string { return "tree " + emptyTree + "\n" + b }, source.ErrBadSignature},
	} {
		body := string(signedCommit(tt.payload, sign(tt.payload)))
		if tt.change != nil {
			changed := tt.change(body)
			if changed == body {
				t.Errorf("%s: nothing was changed", name)
			}
			body = changed
		}
		r.same(name, keys, object.Commit, []byte(body), tt.want)
	}
}

func insert(at, instead string) func(string) string {
	return func(body string) string { return strings.Replace(body, at, instead, 1) }
}

// cutHeader takes the gpgsig header out.
func cutHeader(body string) (before, header, after string) {
	from := strings.Index(body, "\ngpgsig ") + 1
	to := strings.Index(body, "SIGNATURE-----\n\n") + len("SIGNATURE-----\n")
	return body[:from], body[from:to], body[to:]
}

func withoutHeader(body string) string {
	before, _, after := cutHeader(body)
	return before + after
}

func moveHeader(body, before string) string {
	head, header, tail := cutHeader(body)
	return strings.Replace(head, before+" ", header+before+" ", 1) + tail
}

func TestOddTagsAreJudgedAsByGit(t *testing.T) {
	r, sign := sshRig(t)
	keys := r.keyring()
	r.commitSigned("first")
	target := strings.TrimSpace(r.git("rev-parse", "main"))
	plain := plainTag("v1", target, "message\n")
	good := sign(plain)
	withFake := plainTag("v1", target, "message\n"+fakeSSH+"more\n")
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"plain":                          {plain + good, nil},
		"fake signature before":          {withFake + sign(withFake), nil},
		"fake signature behind":          {plain + good + fakeSSH, source.ErrBadSignature},
		"twice":                          {plain + good + good, source.ErrBadSignature},
		"signature with spaces before":   {plain + " " + good, source.ErrUnsigned},
		"put behind other text":          {plain + "more\n" + good, source.ErrBadSignature},
		"SHA-256 header":                 {strings.Replace(plain, "\n\n", "\n"+header("gpgsig-sha256", fakeSSH)+"\n", 1) + good, nil},
		"a header put in":                {strings.Replace(plain, "\n\n", "\nx-more 1\n\n", 1) + good, source.ErrBadSignature},
		"CRLF in the signature":          {plain + strings.ReplaceAll(good, "\n", "\r\n"), source.ErrBadSignature},
		"no end of line":                 {plain + strings.TrimSpace(good), nil},
		"empty lines behind":             {plain + good + "\n\n", nil},
		"signature as a commit has it":   {string(signedCommit(plain, good)), source.ErrUnsigned},
		"no tagger":                      {taggerless(plain) + sign(taggerless(plain)), source.ErrBadSignature},
		"another target":                 {strings.Replace(plain, target, emptyTree, 1) + good, source.ErrBadSignature},
		"of a commit's content":          {plain + sign(plainCommit("", "m")), source.ErrBadSignature},
		"X.509":                          {plain + strings.ReplaceAll(good, "SSH SIGNATURE", "SIGNED MESSAGE"), source.ErrBadSignature},
		"OpenPGP message":                {plain + strings.ReplaceAll(good, "SSH SIGNATURE", "PGP MESSAGE"), source.ErrBadSignature},
		"OpenPGP message behind":         {plain + good + "-----BEGIN PGP MESSAGE-----\n", source.ErrBadSignature},
		"called a signature of OpenPGP":  {plain + strings.ReplaceAll(good, "SSH SIGNATURE", "PGP SIGNATURE"), source.ErrBadSignature},
		"the end is that of another one": {plain + strings.Replace(good, "END SSH", "END PGP", 1), source.ErrBadSignature},
	} {
		r.same(name, keys, object.Tag, []byte(tt.body), tt.want)
	}
}

func taggerless(tag string) string { return strings.Replace(tag, "tagger "+person+"\n", "", 1) }
