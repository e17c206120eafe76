// Package testbed starts the real servers that the tests and the quickstart of this module run against: a Kubernetes API
// server, an S3 server and Git servers, all on loopback.
//
//	config := testbed.Kubernetes(t)  // *rest.Config of a cluster that this test process shares
//	bucket := testbed.S3(t)          // a fresh bucket, and who may use it
//	bucket := testbed.MinIO(t)       // the same of a server with users, temporary credentials and clients' keys
//	repo := testbed.Git(t)           // a fresh repository, over HTTP, HTTPS and SSH
//
// They are made of [StartKubernetes], [StartS3], [StartMinIO] and [StartGit], which need no test.
//
// Kubernetes, S3 and MinIO are programs of nested modules, controlplane, s3server and minio. Each is built on first use,
// under a file lock, with a line on standard error that says so, and is kept in the user's cache folder by a hash of what it
// is built from. A server ends with the process that started it, also when that process is killed, and leaves no file
// behind. The variable GITOPSKIT_TEST_KUBECONFIG names a kubeconfig whose cluster is used instead of one of our own; tests
// create and delete objects in it.
package testbed
