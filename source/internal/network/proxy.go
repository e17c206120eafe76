package network

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// ParseProxy returns the proxy that Options.Proxy names: nil where it is empty, which is the environment's, or "none". Errors
// quote nothing: there may be a password.
func ParseProxy(option string) (*url.URL, error) {
	if option == "" || option == "none" {
		return nil, nil
	}
	u, err := url.Parse(option)
	if err != nil {
		return nil, errors.New("Options.Proxy is not a URL; user and password in it have to be percent-encoded")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		if u.Hostname() == "" {
			return nil, errors.New("Options.Proxy has no host")
		}
		return u, nil
	}
	return nil, errors.New("Options.Proxy has to start with http://, https:// or socks5://, or be \"none\"")
}

// ProxyFunc is the Proxy of an [http.Transport] for an option that [ParseProxy] takes for the proxy.
func ProxyFunc(option string, proxy *url.URL) func(*http.Request) (*url.URL, error) {
	switch option {
	case "":
		return EnvironmentProxy
	case "none":
		return nil
	}
	return http.ProxyURL(proxy)
}

// EnvironmentProxy is [http.ProxyFromEnvironment] with errors that quote nothing.
func EnvironmentProxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errors.New("the proxy that the environment names is not a URL") // err quotes it, with its password
	}
	return u, nil
}

// ProxySecrets are what the URL of the proxy to a target has that no error may tell, be it the option's or the environment's.
func ProxySecrets(option string, target *url.URL) []string {
	proxy, err := ParseProxy(option)
	if option == "" {
		proxy, err = EnvironmentProxy(&http.Request{URL: target})
	}
	if err != nil || proxy == nil || proxy.User == nil {
		return nil // an error comes again with the first request
	}
	password, _ := proxy.User.Password()
	return []string{proxy.User.Username(), password, proxy.User.Username() + ":" + password}
}

// ErrProxyAuth is of a proxy that lets nobody through without other credentials.
var ErrProxyAuth = errors.New("the proxy answers 407: it wants another user and password, which belong into Options.Proxy")

// RefusedByProxy judges a proxy's answer to CONNECT.
func RefusedByProxy(status int) error {
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusProxyAuthRequired:
		return ErrProxyAuth
	}
	return fmt.Errorf("the proxy answers %d %s", status, http.StatusText(status))
}
