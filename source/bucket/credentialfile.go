package bucket

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// FromEnvironment is a [CredentialFunc]: it reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or else
// MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or else MINIO_ROOT_USER and MINIO_ROOT_PASSWORD. That none of them is set is an
// error.
func FromEnvironment(context.Context, CredentialRequest) (Credential, error) {
	for _, names := range [][3]string{
		{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"},
		{"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"},
		{"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"},
	} {
		access, secret := os.Getenv(names[0]), os.Getenv(names[1])
		switch {
		case access == "" && secret == "":
			continue
		case access == "" || secret == "":
			return Credential{}, fmt.Errorf("only one of %s and %s is set", names[0], names[1])
		}
		c := Credential{AccessKey: access, SecretKey: secret}
		if names[2] != "" {
			c.SessionToken = os.Getenv(names[2])
		}
		return c, nil
	}
	return Credential{}, errors.New("the environment has no AWS_ACCESS_KEY_ID, MINIO_ACCESS_KEY or MINIO_ROOT_USER")
}

// FromFile gives what a profile of a shared credentials file has as aws_access_key_id, aws_secret_access_key and
// aws_session_token. The file is read each time. An empty path means the one that AWS_SHARED_CREDENTIALS_FILE names, or
// ~/.aws/credentials; an empty profile means that of AWS_PROFILE, or "default".
//
// A profile without keys is an error that names it. Nothing else that profiles may have is followed: no process is started,
// no role taken ([FromRole] does that) and no single sign-on asked.
func FromFile(path, profile string) CredentialFunc {
	return func(context.Context, CredentialRequest) (Credential, error) {
		path, profile := path, cmp.Or(profile, os.Getenv("AWS_PROFILE"), "default")
		if path == "" {
			path = os.Getenv("AWS_SHARED_CREDENTIALS_FILE")
		}
		if path == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return Credential{}, fmt.Errorf("finding the credentials file: %w", err)
			}
			path = filepath.Join(home, ".aws", "credentials")
		}
		content, err := readSmall(path)
		if err != nil {
			return Credential{}, fmt.Errorf("credentials file: %w", err)
		}
		c, err := parseProfile(content, profile)
		if err != nil {
			return Credential{}, fmt.Errorf("credentials file %s: %w", path, err)
		}
		return c, nil
	}
}

// readSmall reads a file that has to be a small one.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	const most = 1 << 20
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(content) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return content, err
}

// otherWays are what a profile may have instead of keys, and what does the same here.
var otherWays = [...][2]string{
	{"credential_process", "no process is started: give Options.Credentials a function of your own"},
	{"sso_session", "single sign-on is not asked: give Options.Credentials a function of your own"},
	{"sso_start_url", "single sign-on is not asked: give Options.Credentials a function of your own"},
	{"web_identity_token_file", "use FromWebIdentity"},
	{"role_arn", "use FromRole"},
}

// parseProfile finds a profile's keys. A section of its name may start with "profile ", as in ~/.aws/config. Of a line that
// is there twice, the last one counts. Errors quote no value.
func parseProfile(content []byte, profile string) (Credential, error) {
	values := make(map[string]string)
	found, inside := false, false
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, len(content)+1)
	for lines.Scan() {
		raw := strings.TrimPrefix(lines.Text(), "\ufeff")
		line := strings.TrimSpace(raw)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			name, _, _ := strings.Cut(line[1:], "]")
			name = strings.TrimSpace(name)
			if rest, ok := strings.CutPrefix(name, "profile "); ok {
				name = strings.TrimSpace(rest)
			}
			inside = name == profile
			found = found || inside
		case inside && raw[0] != ' ' && raw[0] != '\t': // what is indented belongs to the line before
			name, value, _ := strings.Cut(line, "=")
			values[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	if !found {
		return Credential{}, fmt.Errorf("there is no profile %q", profile)
	}
	c := Credential{AccessKey: values["aws_access_key_id"], SecretKey: values["aws_secret_access_key"],
		SessionToken: values["aws_session_token"]}
	if c.AccessKey != "" && c.SecretKey != "" {
		return c, nil
	}
	for _, way := range otherWays {
		if _, ok := values[way[0]]; ok && c.AccessKey+c.SecretKey == "" {
			return Credential{}, fmt.Errorf("profile %q has %s and no keys, and %s", profile, way[0], way[1])
		}
	}
	return Credential{}, fmt.Errorf("profile %q has not both of aws_access_key_id and aws_secret_access_key", profile)
}
