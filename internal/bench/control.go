package main

import (
	"net/http"
	"net/http/httptest"
)

// A control is what engines tell that they are prepared: what they did so far does not count, and what is new arrives.
type control struct {
	*httptest.Server
	atReady func() error // what is done then
}

func newControl() *control {
	c := &control{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := c.atReady(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	return c
}
