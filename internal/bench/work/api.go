package work

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"k8s.io/client-go/rest"
)

// WarmPath is asked for to open a connection. Nobody's work asks for it, so it is not counted.
const WarmPath = "/livez"

// PreparingHeader marks requests that are no part of the work, and are not counted.
const PreparingHeader = "Bench-Preparing"

// An API sends plain requests over the same transport that the engines' clients have.
type API struct {
	http *http.Client
	host string
}

// A Call is what a request has beside its verb and path.
type Call struct {
	Query               url.Values
	ContentType, Accept string
	Body                []byte
	Preparing           bool
}

// NewAPI returns one for the server that config leads to.
func NewAPI(config *rest.Config) (*API, error) {
	c, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return &API{http: c, host: config.Host}, nil
}

// Warm opens the connection that all clients of the same configuration share: client-go keeps one transport for them.
func Warm(ctx context.Context, config *rest.Config) error {
	a, err := NewAPI(config)
	if err != nil {
		return err
	}
	_, err = a.Do(ctx, http.MethodGet, WarmPath, Call{})
	return err
}

// Do sends a request and returns the answer's body; an answer other than 2xx is an error.
func (a *API) Do(ctx context.Context, verb, path string, c Call) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, verb, a.host+path+"?"+c.Query.Encode(), bytes.NewReader(c.Body))
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"Content-Type": c.ContentType, "Accept": c.Accept} {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	if c.Preparing {
		request.Header.Set(PreparingHeader, "true")
	}
	answer, err := a.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", verb, path, err)
	}
	if answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %.500s", verb, path, answer.Status, body)
	}
	return body, nil
}
