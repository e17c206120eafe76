package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"k8s.io/client-go/rest"
)

// An api sends plain requests over the same transport that the contenders' clients have.
type api struct {
	http *http.Client
	host string
}

// A call is what a request has beside its verb and path.
type call struct {
	query               url.Values
	contentType, accept string
	body                []byte
}

func newAPI(config *rest.Config) (*api, error) {
	c, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return &api{http: c, host: config.Host}, nil
}

// warm opens the connection that all clients of the same configuration share: client-go keeps one transport for them.
func warm(ctx context.Context, config *rest.Config) error {
	a, err := newAPI(config)
	if err != nil {
		return err
	}
	_, err = a.do(ctx, http.MethodGet, warmPath, call{})
	return err
}

func (a *api) do(ctx context.Context, verb, path string, c call) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, verb, a.host+path+"?"+c.query.Encode(), bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	if c.contentType != "" {
		request.Header.Set("Content-Type", c.contentType)
	}
	if c.accept != "" {
		request.Header.Set("Accept", c.accept)
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
