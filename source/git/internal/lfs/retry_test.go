package lfs

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

func TestFetchWaitsOnceAndNotLong(t *testing.T) {
	for name, tt := range map[string]struct {
		code  int
		after []string // Retry-After of the first answers
		text  string   // of the error, if there is to be one
		tries int
		wait  time.Duration
	}{
		"too many":        {429, []string{"7"}, "", 2, 7 * time.Second},
		"too large":       {413, []string{"0"}, "", 2, 0},
		"unavailable":     {503, []string{"30"}, "", 2, 30 * time.Second},
		"a date":          {503, []string{"Sat, 01 Jan 2000 00:00:05 GMT"}, "", 2, 5 * time.Second},
		"a past date":     {503, []string{"Fri, 31 Dec 1999 00:00:00 GMT"}, "", 2, 0},
		"twice":           {429, []string{"1", "1"}, "answers 429", 2, time.Second},
		"too long":        {429, []string{"31"}, "again in 31s", 1, 0},
		"far too long":    {429, []string{"2000000000"}, "again in", 1, 0},
		"a date too late": {429, []string{"Sat, 01 Jan 2050 00:00:00 GMT"}, "again in", 1, 0},
		"not said":        {503, []string{""}, "answers 503", 1, 0},
		"nonsense":        {503, []string{"-5"}, "answers 503", 1, 0},
		"overflow":        {503, []string{"99999999999999999999"}, "answers 503", 1, 0},
		"not for that":    {404, []string{"1"}, "answers 404", 1, 0},
	} {
		for _, where := range []string{gitBatch, onS3} {
			synctest.Test(t, func(t *testing.T) { // in which it is the year 2000
				tries := 0
				s := &stage{href: onS3, answers: answers{onS3: content}}
				client := doer(func(r *http.Request) (*http.Response, error) {
					if r.URL.String() == where {
						if tries++; tries <= len(tt.after) {
							return answer(r, tt.code, "", "", "Retry-After", tt.after[tries-1]), nil
						}
					}
					return s.Do(r)
				})
				start := time.Now()
				got, err := Fetch(t.Context(), client, parseURL(t, gitRepo), named("one"), source.Limits{})
				if (got == nil) != (err != nil) || (err == nil) != (tt.text == "") || err != nil && !saysOnly(err, tt.text) {
					t.Errorf("%s: got %v, %v, want %q", name, got, err, tt.text)
				}
				if waited := time.Since(start); tries != tt.tries || waited != tt.wait {
					t.Errorf("%s: %d tries in %v, want %d in %v", name, tries, waited, tt.tries, tt.wait)
				}
			})
		}
	}
}

func TestFetchWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := doer(func(r *http.Request) (*http.Response, error) {
			return answer(r, 429, "", "", "Retry-After", "20"), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := Fetch(ctx, client, parseURL(t, gitRepo), named("one"), source.Limits{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestFetchAsksOnceMoreForExpiredGrants(t *testing.T) {
	forbidden := func(r *http.Request) *http.Response { return answer(r, 403, "", "") }
	slow := func(r *http.Request) *http.Response { time.Sleep(time.Minute); return forbidden(r) }
	for name, tt := range map[string]struct {
		first, second map[string]any // the actions' fields
		download      func(*http.Request) *http.Response
		asked         string // P for each batch request, G for each download
		fails         bool
	}{
		"not said":              {nil, nil, content, "PG", false},
		"good in seconds":       {map[string]any{"expires_in": 10}, nil, content, "PG", false},
		"good at":               {map[string]any{"expires_at": "2000-01-01T00:00:01Z"}, nil, content, "PG", false},
		"past":                  {map[string]any{"expires_at": "2000-01-01T00:00:00Z"}, nil, content, "PPG", false},
		"past, by another zone": {map[string]any{"expires_at": "2000-01-01T00:59:59+01:00"}, nil, content, "PPG", false},
		"negative seconds":      {map[string]any{"expires_in": -1}, nil, content, "PPG", false},
		"far too negative":      {map[string]any{"expires_in": -1 << 62}, nil, content, "PPG", false},
		"far too late":          {map[string]any{"expires_in": 1 << 62}, nil, content, "PG", false},
		"seconds count":         {map[string]any{"expires_in": 10, "expires_at": "1999-01-01T00:00:00Z"}, nil, content, "PG", false},
		"the year 1":            {map[string]any{"expires_at": "0001-01-01T00:00:00Z"}, nil, content, "PG", false},
		"no time":               {map[string]any{"expires_at": "tomorrow"}, nil, content, "PG", false},
		"wrong clock":           {map[string]any{"expires_in": -1}, map[string]any{"expires_in": -1}, content, "PPG", false},
		"refused":               {map[string]any{"expires_in": 90}, nil, slow, "PG", true},
		"expired while asked":   {map[string]any{"expires_in": 30}, nil, slow, "PGPG", true},
		"expired and refused":   {map[string]any{"expires_in": -1}, map[string]any{"expires_in": -1}, forbidden, "PPG", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			actions := []map[string]any{tt.first, tt.second}
			s := &stage{href: onS3, answers: answers{onS3: tt.download}}
			s.action = func() map[string]any { next := actions[0]; actions = actions[1:]; return next }
			got, err := s.fetch(t, gitRepo)
			if (err != nil) != tt.fails || tt.fails && (got != nil || !errors.Is(err, source.ErrUnauthorized)) {
				t.Errorf("%s: got %v, %v", name, got, err)
			}
			asked := ""
			for _, r := range s.requests {
				asked += r.Method[:1]
			}
			if asked != tt.asked {
				t.Errorf("%s: asked %s, want %s", name, asked, tt.asked)
			}
		})
	}
}
