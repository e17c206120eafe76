package bucket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// A Credential says who wants to read; the zero value is anyone. SessionToken comes with temporary keys.
type Credential struct {
	AccessKey    string `json:"-"`
	SecretKey    string `json:"-"`
	SessionToken string `json:"-"`
	// Expires is when the store stops to accept it. A Source asks for another a minute before, or when a fifth of its life is
	// left if that is shorter, but no more than once a second where it had passed already. Zero: when this one is refused.
	Expires time.Time
}

// Format implements [fmt.Formatter]. It tells which fields are set, and no secret.
func (c Credential) Format(f fmt.State, verb rune) {
	plain := struct {
		AccessKey, SecretKey, SessionToken bool
		Expires                            time.Time
	}{c.AccessKey != "", c.SecretKey != "", c.SessionToken != "", c.Expires}
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain)
}

// LogValue implements [slog.LogValuer] by Format.
func (c Credential) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", c)) }

// same tells whether a store that refuses one refuses the other.
func (c Credential) same(d Credential) bool {
	return c.AccessKey == d.AccessKey && c.SecretKey == d.SecretKey && c.SessionToken == d.SessionToken
}

// anyone tells whether requests are not to be signed.
func (c Credential) anyone() bool { return c.same(Credential{}) }

func (c Credential) check() error {
	if (c.AccessKey == "" || c.SecretKey == "") && !c.anyone() {
		return errors.New("the credential has only one of AccessKey and SecretKey")
	}
	fields := [...][2]string{{"AccessKey", c.AccessKey}, {"SecretKey", c.SecretKey}, {"SessionToken", c.SessionToken}}
	for _, field := range fields {
		if wrong := oddText(field[1]); wrong != "" {
			return fmt.Errorf("the credential's %s %s", field[0], wrong)
		}
	}
	return nil
}

// A CredentialRequest says what credentials are for.
type CredentialRequest struct {
	// Endpoint is the store's URL, without a path: "https://s3.eu-west-1.amazonaws.com".
	Endpoint string
	Bucket   string
	// Region is the one that requests are signed for.
	Region string
	// Refused says that the store has just refused what was given before.
	Refused bool
	// Client sends requests as those to the store are sent: by the Options' CA, Proxy and Transport, and with the client's
	// certificate where they go to the store itself. It follows no redirects, and a request ends after the Options'
	// StallTimeout.
	Client *http.Client
}

// A CredentialFunc gives credentials when they are needed. Several goroutines may call it at once, but one Source asks once
// at a time, and keeps what it was given. Its errors should tell no secret; those of the functions of this package do not.
// They wrap [source.ErrUnauthorized] where somebody was refused, and a [*source.TemporaryError] where the same call may succeed
// later.
type CredentialFunc func(context.Context, CredentialRequest) (Credential, error)

// Static gives the same credential always.
func Static(c Credential) CredentialFunc {
	return func(context.Context, CredentialRequest) (Credential, error) { return c, nil }
}

// A keeper asks for credentials, one caller at a time, and keeps what it was given.
type keeper struct {
	ask     CredentialFunc
	request CredentialRequest
	secrets *secret.Words

	turn  chan struct{} // holds one token: who has it may use what follows
	kept  *Credential
	renew time.Time // when kept is too old; zero: when it is refused
	rest  time.Time // until then no refusal is told: after the last one what was given was too old already
}

func newKeeper(ask CredentialFunc, request CredentialRequest, secrets *secret.Words) *keeper {
	k := &keeper{ask: ask, request: request, secrets: secrets, turn: make(chan struct{}, 1)}
	k.turn <- struct{}{}
	return k
}

// early is how long before its end a credential is not used any more, so that it does not expire on its way.
const early = time.Minute

// credential returns the one to use; where refused is set, another one, if there is another.
func (k *keeper) credential(ctx context.Context, refused *Credential) (Credential, error) {
	select {
	case <-k.turn:
	case <-ctx.Done():
		return Credential{}, ctx.Err()
	}
	defer func() { k.turn <- struct{}{} }()
	if k.kept != nil && refused != nil && k.kept.same(*refused) && !time.Now().Before(k.rest) {
		k.kept = nil
	}
	if k.kept != nil && (k.renew.IsZero() || time.Now().Before(k.renew)) {
		return *k.kept, nil
	}
	if err := ctx.Err(); err != nil {
		return Credential{}, err
	}
	request := k.request
	request.Refused = refused != nil
	c, err := k.ask(ctx, request)
	if err == nil {
		k.secrets.Add(c.AccessKey, c.SecretKey, c.SessionToken)
		err = c.check()
	}
	if err != nil {
		return Credential{}, &credentialError{k.secrets.Clean(fmt.Errorf("asking for credentials: %w", notOfTheStore(err)))}
	}
	k.keep(c, request.Refused)
	return c, nil
}

// restTime is how long who gives what has expired is left alone.
const restTime = time.Second

// keep keeps what was given, be it to somebody whom the store had refused.
func (k *keeper) keep(c Credential, refused bool) {
	k.kept, k.renew, k.rest = &c, time.Time{}, time.Time{}
	switch left := time.Until(c.Expires); {
	case c.Expires.IsZero():
	case left > 0:
		k.renew = c.Expires.Add(-min(early, left/5))
	default:
		k.renew = time.Now().Add(restTime)
		if refused { // and only then, for it has to hear of a refusal
			k.rest = k.renew
		}
	}
}

// notOfTheStore returns err without what would say something of the bucket: a function's vault may have ErrNotFound, too.
func notOfTheStore(err error) error {
	for _, word := range []error{source.ErrNotFound, source.ErrNotModified, source.ErrTooLarge, ErrMoved} {
		if !errors.Is(err, word) {
			continue
		}
		plain := errors.New(err.Error())
		if temporary := new(source.TemporaryError); errors.As(err, &temporary) {
			return &source.TemporaryError{Err: plain}
		}
		return plain
	}
	return err
}

// A credentialError is of who was asked for credentials, and not of the store.
type credentialError struct{ err error }

func (e *credentialError) Error() string { return e.err.Error() }
func (e *credentialError) Unwrap() error { return e.err }
