package transport

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// A Request says what credentials are for.
type Request struct {
	URL     string // the repository's, without credentials
	Refused bool   // what was given before was refused
}

// A Credential says who wants to read. The zero value is anyone.
//
// Over HTTP it is Username and Password, or Token. Over SSH it is PrivateKey, Agent, Password or several of them, and
// Username where the URL has no user; "git" where that is empty too.
type Credential struct {
	Username   string `json:"-"`
	Password   string `json:"-"`
	Token      string `json:"-"` // for bearer authentication
	PrivateKey []byte `json:"-"` // PEM, in OpenSSH's format or PKCS #1 or #8
	Passphrase []byte `json:"-"` // of PrivateKey
	Agent      bool   // the keys of the agent that SSH_AUTH_SOCK names
	// Expires is when it ends. Another is asked for a minute earlier, or when half of its time is over, whichever is later.
	// Zero: when this one is refused.
	Expires time.Time
}

// Format implements [fmt.Formatter]. It tells which fields are set, and no secret.
func (c Credential) Format(f fmt.State, verb rune) {
	plain := struct {
		Username, Password, Token, PrivateKey, Passphrase, Agent bool
		Expires                                                  time.Time
	}{c.Username != "", c.Password != "", c.Token != "", len(c.PrivateKey) > 0, len(c.Passphrase) > 0, c.Agent, c.Expires}
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain)
}

// LogValue implements [slog.LogValuer] by Format.
func (c Credential) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", c)) }

// same tells whether a server that refuses one refuses the other.
func (c Credential) same(d Credential) bool {
	return c.Username == d.Username && c.Password == d.Password && c.Token == d.Token && c.Agent == d.Agent &&
		bytes.Equal(c.PrivateKey, d.PrivateKey) && bytes.Equal(c.Passphrase, d.Passphrase)
}

// A keeper asks for credentials, one caller at a time, and keeps what it was given.
type keeper struct {
	ask     func(context.Context, Request) (Credential, error)
	url     string
	secrets *secret.Words

	turn chan struct{} // holds one token: who has it may use kept
	kept *Credential
	good time.Time // until when kept is used; zero: until it is refused
}

func newKeeper(ask func(context.Context, Request) (Credential, error), url string, secrets *secret.Words) *keeper {
	k := &keeper{ask: ask, url: url, secrets: secrets, turn: make(chan struct{}, 1)}
	k.turn <- struct{}{}
	return k
}

// early is how long before its end a credential is not used any more, so that it does not expire on its way; less for those
// that live for less than twice as long.
const early = time.Minute

// credential returns the one to use; where refused is set, another one, if there is another.
func (k *keeper) credential(ctx context.Context, refused *Credential) (Credential, error) {
	if k.ask == nil {
		return Credential{}, nil
	}
	select {
	case <-k.turn:
	case <-ctx.Done():
		return Credential{}, ctx.Err()
	}
	defer func() { k.turn <- struct{}{} }()
	if k.kept != nil && refused != nil && k.kept.same(*refused) {
		k.kept = nil
	}
	if k.kept != nil && (k.good.IsZero() || time.Now().Before(k.good)) {
		return *k.kept, nil
	}
	c, err := k.ask(ctx, Request{URL: k.url, Refused: refused != nil})
	if err != nil {
		return Credential{}, fmt.Errorf("asking for credentials: %w", err)
	}
	k.secrets.Add(c.Username, c.Password, c.Token, string(c.Passphrase))
	if c.Username+c.Password != "" {
		k.secrets.Add(basic(c.Username, c.Password))
	}
	k.kept, k.good = &c, c.Expires
	if left := time.Until(c.Expires); !c.Expires.IsZero() {
		k.good = c.Expires.Add(-min(early, left/2)) // of one that has ended before, each request asks
	}
	return c, nil
}

// forget has the next conversation ask anew: a server that hides repositories says that they are not there.
func (k *keeper) forget(c Credential) {
	select {
	case <-k.turn:
	default:
		return // somebody is asking just now
	}
	if k.kept != nil && k.kept.same(c) {
		k.kept = nil
	}
	k.turn <- struct{}{}
}
