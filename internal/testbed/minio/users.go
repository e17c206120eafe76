package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/minio/madmin-go/v3"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// A User is what is posted to users, as JSON, with the root account's keys as basic authentication. One of that name gets
// this policy and no other.
type User struct {
	AccessKey string
	SecretKey string
	Policy    json.RawMessage // in Amazon's language
}

// users makes users, for MinIO's own way to do that wants a library that shares its license.
type users struct {
	client         *madmin.AdminClient
	access, secret string
}

func newUsers(address, access, secret, certificate string) (*users, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(certificate)) {
		return nil, errors.New("there is no certificate in CERTIFICATE")
	}
	client, err := madmin.NewWithOptions(address, &madmin.Options{
		Creds: credentials.NewStaticV4(access, secret, ""), Secure: true,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
	})
	return &users{client, access, secret}, err
}

// await returns once MinIO knows its users, which it loads last. An answer to these keys is ours and nobody else's.
func (u *users) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		_, err := u.client.ListCannedPolicies(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ServeHTTP implements [http.Handler].
func (u *users) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if access, secret, _ := r.BasicAuth(); access != u.access || secret != u.secret {
		http.Error(w, "wrong keys", http.StatusUnauthorized)
		return
	}
	var user User
	err := json.NewDecoder(r.Body).Decode(&user)
	if err == nil {
		err = u.add(r.Context(), user)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (u *users) add(ctx context.Context, user User) error {
	if err := u.client.AddCannedPolicy(ctx, user.AccessKey, user.Policy); err != nil {
		return err
	}
	if user.SecretKey == "" {
		return nil // a policy for tokens
	}
	if err := u.client.AddUser(ctx, user.AccessKey, user.SecretKey); err != nil {
		return err
	}
	_, err := u.client.AttachPolicy(ctx, madmin.PolicyAssociationReq{Policies: []string{user.AccessKey}, User: user.AccessKey})
	return err
}
