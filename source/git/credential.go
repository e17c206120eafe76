package git

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/gitopskit/gitopskit/source/git/internal/transport"
)

// A CredentialRequest says what credentials are for.
type CredentialRequest struct {
	// URL is the repository's, without credentials: the source's own, or a submodule's.
	URL string
	// Refused says that the server has just refused what was given before.
	Refused bool
}

// A Credential says who wants to read; the zero value is anyone. Over HTTP it is Username and Password, or Token. Over SSH
// it is PrivateKey, Agent or Password, and Username where the URL names no user.
type Credential struct {
	Username   string `json:"-"`
	Password   string `json:"-"`
	Token      string `json:"-"` // for bearer authentication
	PrivateKey []byte `json:"-"` // PEM
	Passphrase []byte `json:"-"` // of PrivateKey
	Agent      bool   // the keys of the agent that SSH_AUTH_SOCK names
	// Expires is when it ends. Another is asked for when it is needed a minute before that or later; of one that lives for
	// less than two minutes, when half of its time is over. Zero: when this one is refused.
	Expires time.Time
}

// Format implements [fmt.Formatter]. It tells which fields are set, and no secret.
func (c Credential) Format(f fmt.State, verb rune) { transport.Credential(c).Format(f, verb) }

// LogValue implements [slog.LogValuer] by Format.
func (c Credential) LogValue() slog.Value { return transport.Credential(c).LogValue() }

// credentials returns what a transport asks, or nil where there are none.
func (o Options) credentials(
	inURL *url.Userinfo,
) (func(context.Context, transport.Request) (transport.Credential, error), error) {
	if inURL != nil && (o.hasCredentials() || o.Credentials != nil) {
		return nil, errBoth
	}
	if ask := o.Credentials; ask != nil {
		return func(ctx context.Context, r transport.Request) (transport.Credential, error) {
			c, err := ask(ctx, CredentialRequest(r))
			return transport.Credential(c), err
		}, nil
	}
	if inURL == nil && !o.hasCredentials() {
		return nil, nil
	}
	c := transport.Credential{Username: o.Username, Password: o.Password, Token: o.Token,
		PrivateKey: o.PrivateKey, Passphrase: o.Passphrase, Agent: o.SSHAgent}
	if inURL != nil {
		c.Username = inURL.Username()
		c.Password, _ = inURL.Password()
	}
	return func(context.Context, transport.Request) (transport.Credential, error) { return c, nil }, nil
}

// suit returns why the credentials are of no use with a URL of this scheme.
func (o Options) suit(scheme string) error {
	web := scheme == "http" || scheme == "https"
	switch {
	case web && (len(o.PrivateKey) > 0 || o.SSHAgent):
		return fmt.Errorf("Options.PrivateKey and SSHAgent are for SSH, and the URL's scheme is %s: "+
			"set Username and Password or Token, or give an ssh:// URL", scheme)
	case scheme == "ssh" && o.Token != "":
		return errors.New("Options.Token is for HTTP, and the URL is of SSH: set PrivateKey, SSHAgent or Password, " +
			"or give an https:// URL")
	case len(o.PrivateKey) > 0:
		return transport.CheckKey(o.PrivateKey, o.Passphrase)
	case len(o.Passphrase) > 0:
		return errors.New("Options.Passphrase is for PrivateKey, which is empty")
	}
	return nil
}

// credentialsFrom says where what credentials returns is from.
func (o Options) credentialsFrom(inURL *url.Userinfo) string {
	switch {
	case o.Credentials != nil:
		return "what Options.Credentials gave"
	case inURL != nil:
		return "the URL's user and password"
	case o.Token != "":
		return "Options.Token"
	}
	return "Options.Username and Password"
}

// plain returns the options without what a Source must not print.
func (o Options) plain() Options {
	o.Username, o.Password, o.Token, o.Proxy = "", "", "", ""
	o.PrivateKey, o.Passphrase, o.ClientKey, o.Credentials = nil, nil, nil, nil
	return o
}
