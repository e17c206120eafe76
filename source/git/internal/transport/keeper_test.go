package transport

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// Another credential is asked for a minute before the end, or when half of a short life is over.
func TestCredentialsAreUsedForMostOfTheirLife(t *testing.T) {
	for life, used := range map[time.Duration]time.Duration{
		time.Hour: 59 * time.Minute, 2 * time.Minute: time.Minute, 90 * time.Second: 45 * time.Second,
		time.Minute: 30 * time.Second, 2 * time.Second: time.Second, 0: 0, -time.Hour: 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			k := newKeeper(func(context.Context, Request) (Credential, error) {
				asked++
				return Credential{Token: "t", Expires: time.Now().Add(life)}, nil
			}, "", secret.New())
			expect := func(want int) {
				t.Helper()
				if _, err := k.credential(t.Context(), nil); err != nil || asked != want {
					t.Errorf("life %v: asked %d times, %v, want %d", life, asked, err, want)
				}
			}
			expect(1)
			if used > 0 {
				time.Sleep(used - time.Nanosecond)
				expect(1)
				time.Sleep(time.Nanosecond)
			}
			expect(2)
		})
	}
}
