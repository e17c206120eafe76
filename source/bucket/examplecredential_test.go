package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// fetchOnce is what a program does with a source: the examples differ in how they make one.
func fetchOnce(opts bucket.Options) {
	origin, err := bucket.New(opts)
	if err != nil {
		log.Fatal(err)
	}
	snapshot, err := origin.Fetch(context.Background(), source.Revision{})
	if errors.Is(err, source.ErrUnauthorized) {
		log.Fatal("the store lets nobody in who has these credentials: ", err)
	}
	if err != nil {
		log.Fatal(err)
	}
	defer snapshot.Close()
	fmt.Println(snapshot.Revision)
}

// Keys from the variables that Amazon's and MinIO's tools read.
func ExampleFromEnvironment() {
	fetchOnce(bucket.Options{
		Endpoint:    "s3.eu-west-1.amazonaws.com",
		Bucket:      "fleet",
		Credentials: bucket.FromEnvironment,
	})
}

// Keys from the profile "work" of the file that `aws configure` writes.
func ExampleFromFile() {
	fetchOnce(bucket.Options{
		Endpoint:    "s3.eu-west-1.amazonaws.com",
		Bucket:      "fleet",
		Credentials: bucket.FromFile("", "work"),
	})
}

// The role of the EC2 instance that the program runs on.
func ExampleFromInstance() {
	fetchOnce(bucket.Options{
		Endpoint:    "s3.eu-west-1.amazonaws.com",
		Bucket:      "fleet",
		Credentials: bucket.FromInstance,
	})
}

// The role of the task in ECS, or of the pod by EKS Pod Identity, that the program runs in.
func ExampleFromContainer() {
	fetchOnce(bucket.Options{
		Endpoint:    "s3.eu-west-1.amazonaws.com",
		Bucket:      "fleet",
		Credentials: bucket.FromContainer,
	})
}

// The role of a pod's service account in EKS: its webhook sets the environment that this reads.
func ExampleFromWebIdentity() {
	fetchOnce(bucket.Options{
		Endpoint:    "s3.eu-west-1.amazonaws.com",
		Bucket:      "fleet",
		Credentials: bucket.FromWebIdentity(nil, bucket.RoleOptions{}),
	})
}

// MinIO, which trusts the cluster's tokens as those of an OpenID provider. The token is a projected one.
func ExampleTokenFile() {
	token := bucket.TokenFile("/var/run/secrets/minio/token")
	fetchOnce(bucket.Options{
		Endpoint:    "minio.storage.svc:9000",
		Bucket:      "fleet",
		Credentials: bucket.FromWebIdentity(token, bucket.RoleOptions{Duration: time.Hour}),
	})
}

// A role in another account, which the instance's own role may take.
func ExampleFromRole() {
	fetchOnce(bucket.Options{
		Endpoint: "s3.eu-west-1.amazonaws.com",
		Bucket:   "fleet",
		Credentials: bucket.FromRole(bucket.FromInstance, bucket.RoleOptions{
			ARN:        "arn:aws:iam::123456789012:role/fleet-reader",
			ExternalID: "our-customer-7",
			Duration:   time.Hour,
		}),
	})
}

// Keys that are good for an hour and may do nothing but read one bucket, taken of MinIO with keys that may do more.
func ExampleStatic() {
	keys := bucket.Credential{AccessKey: "fleet", SecretKey: os.Getenv("FLEET_SECRET_KEY")}
	fetchOnce(bucket.Options{
		Endpoint: "minio.example.com:9000",
		Bucket:   "fleet",
		Credentials: bucket.FromRole(bucket.Static(keys), bucket.RoleOptions{
			Policy: `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"],
				"Resource": ["arn:aws:s3:::fleet", "arn:aws:s3:::fleet/*"]}]}`,
		}),
	})
}

// A vault that gives keys for some time. The source asks shortly before they expire, and when the store refuses them.
func ExampleCredentialFunc() {
	vault := func(ctx context.Context) (access, secret string, expires time.Time, err error) {
		return "", "", time.Time{}, errors.New("no vault here")
	}
	fetchOnce(bucket.Options{
		Endpoint: "minio.example.com:9000",
		Bucket:   "fleet",
		Credentials: func(ctx context.Context, r bucket.CredentialRequest) (bucket.Credential, error) {
			access, secret, expires, err := vault(ctx)
			return bucket.Credential{AccessKey: access, SecretKey: secret, Expires: expires}, err
		},
	})
}
