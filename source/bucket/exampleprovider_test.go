package bucket_test

import (
	"log"
	"os"

	"github.com/gitopskit/gitopskit/source/bucket"
)

// AWS S3. The endpoint names the region. Requests go to fleet.s3.eu-west-1.amazonaws.com.
func ExampleOptions_amazon() {
	fetchOnce(bucket.Options{
		Endpoint:    "s3.eu-west-1.amazonaws.com",
		Bucket:      "fleet",
		Prefix:      "prod",
		Credentials: bucket.FromEnvironment,
	})
}

// MinIO in a private network, with a certificate authority of its own. Ceph's gateway and versitygw are reached alike.
func ExampleOptions_minIO() {
	authority, err := os.ReadFile("/etc/ssl/private-ca.pem")
	if err != nil {
		log.Fatal(err)
	}
	fetchOnce(bucket.Options{
		Endpoint:  "minio.example.com:9000",
		CA:        authority,
		Bucket:    "fleet",
		AccessKey: os.Getenv("MINIO_ACCESS_KEY"),
		SecretKey: os.Getenv("MINIO_SECRET_KEY"),
	})
}

// Google Cloud Storage by its XML API, with an HMAC key of a service account.
func ExampleOptions_google() {
	fetchOnce(bucket.Options{
		Endpoint:  "storage.googleapis.com",
		Bucket:    "fleet",
		Region:    "auto",
		AccessKey: os.Getenv("GOOGLE_HMAC_ACCESS_ID"), // GOOG1E…
		SecretKey: os.Getenv("GOOGLE_HMAC_SECRET"),
	})
}

// DigitalOcean Spaces: the endpoint names the data center, and requests are signed for us-east-1, which is the default.
func ExampleOptions_digitalOcean() {
	fetchOnce(bucket.Options{
		Endpoint:  "fra1.digitaloceanspaces.com",
		Bucket:    "fleet",
		Style:     bucket.StyleVirtual,
		AccessKey: os.Getenv("SPACES_ACCESS_KEY_ID"),
		SecretKey: os.Getenv("SPACES_SECRET_ACCESS_KEY"),
	})
}

// Ceph's object gateway where it serves buckets as hosts below its name.
func ExampleOptions_ceph() {
	fetchOnce(bucket.Options{
		Endpoint:    "https://rgw.example.com:7443",
		Bucket:      "fleet",
		Style:       bucket.StyleVirtual,
		Credentials: bucket.FromFile("/etc/fleet/credentials", "ceph"),
	})
}

// Cloudflare R2, whose region is "auto".
func ExampleOptions_cloudflare() {
	fetchOnce(bucket.Options{
		Endpoint:  os.Getenv("CLOUDFLARE_ACCOUNT_ID") + ".r2.cloudflarestorage.com",
		Bucket:    "fleet",
		Region:    "auto",
		AccessKey: os.Getenv("R2_ACCESS_KEY_ID"),
		SecretKey: os.Getenv("R2_SECRET_ACCESS_KEY"),
	})
}

// A bucket that everybody may read.
func ExampleOptions_public() {
	fetchOnce(bucket.Options{Endpoint: "s3.eu-west-1.amazonaws.com", Bucket: "fleet-public"})
}

// A store that wants to see a client's certificate, behind a proxy.
func ExampleOptions_network() {
	certificate, err := os.ReadFile("client.pem")
	if err != nil {
		log.Fatal(err)
	}
	key, err := os.ReadFile("client-key.pem")
	if err != nil {
		log.Fatal(err)
	}
	fetchOnce(bucket.Options{
		Endpoint:          "s3.example.com",
		Bucket:            "fleet",
		Credentials:       bucket.FromEnvironment,
		ClientCertificate: certificate,
		ClientKey:         key,
		Proxy:             "socks5://proxy.example.com:1080",
	})
}
