package bucket

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/source/internal/secret"
)

func TestKeeperRenewsBeforeTheEnd(t *testing.T) {
	for name, tt := range map[string]struct{ life, kept time.Duration }{
		"an hour":       {time.Hour, time.Hour - time.Minute},
		"two minutes":   {2 * time.Minute, 96 * time.Second},
		"already ended": {-time.Hour, time.Second},
		"for ever":      {0, 100 * 365 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				k := newKeeper(func(_ context.Context, r CredentialRequest) (Credential, error) {
					if asked++; r.Refused {
						t.Error("nothing was refused")
					}
					c := Credential{AccessKey: "a", SecretKey: "b"}
					if tt.life != 0 {
						c.Expires = time.Now().Add(tt.life)
					}
					return c, nil
				}, CredentialRequest{}, secret.New())
				expect := func(want int) {
					t.Helper()
					if _, err := k.credential(t.Context(), nil); err != nil || asked != want {
						t.Errorf("asked %d times, want %d; %v", asked, want, err)
					}
				}
				expect(1)
				if tt.kept > 0 {
					time.Sleep(tt.kept - time.Second)
					expect(1)
				}
				if tt.life != 0 {
					time.Sleep(time.Second)
					expect(2)
				}
			})
		})
	}
}

func TestKeeperWaitsNoLongerThanItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(func(ctx context.Context, _ CredentialRequest) (Credential, error) {
			time.Sleep(time.Hour) // it does not look at its context
			return Credential{}, nil
		}, CredentialRequest{}, secret.New())
		go func() { _, _ = k.credential(t.Context(), nil) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := k.credential(ctx, nil); err != context.DeadlineExceeded || time.Since(began) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		time.Sleep(time.Hour)
	})
}

// Whose context ends takes nobody along: the next in line asks.
func TestKeeperAsksForWhoIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		k := newKeeper(func(ctx context.Context, _ CredentialRequest) (Credential, error) {
			asked++
			select {
			case <-ctx.Done():
				return Credential{}, ctx.Err()
			case <-time.After(time.Minute):
				return Credential{AccessKey: "a", SecretKey: "b"}, nil
			}
		}, CredentialRequest{}, secret.New())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			if _, err := k.credential(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}()
		synctest.Wait()
		for range 10 {
			go func() {
				if c, err := k.credential(t.Context(), nil); err != nil || c.AccessKey != "a" {
					t.Errorf("got %v, %v", c, err)
				}
			}()
		}
		time.Sleep(time.Hour)
		if synctest.Wait(); asked != 2 {
			t.Errorf("asked %d times", asked)
		}
	})
}
