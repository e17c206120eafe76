// Package gitopskit is the GitOps toolkit as packages: desired state from a Git repository or a bucket, built with
// kustomize, applied to a Kubernetes cluster server-side, pruned, and kept so. There is no daemon to install and no custom
// resource to define; the program that imports it is the controller.
//
//	source.Source ──Fetch──▶ *source.Snapshot ──kustomize.Build──▶ objects ──Applier.Apply──▶ *apply.Result
//	                             │ (an fs.FS)
//	                             └──artifact.Pack──▶ bytes + Descriptor
//
// reconcile.Loop calls them in this order, again and again; everything that it calls is a value the program gave it.
//
// # The packages
//
//   - [github.com/gitopskit/gitopskit/source] has the contract of origins, and local folders;
//     [github.com/gitopskit/gitopskit/source/git] and [github.com/gitopskit/gitopskit/source/bucket] fetch;
//     [github.com/gitopskit/gitopskit/source/sourcetest] holds any origin to the contract.
//   - [github.com/gitopskit/gitopskit/artifact] packs a tree deterministically, and stores and opens what was packed;
//     [github.com/gitopskit/gitopskit/artifact/artifacthttp] serves and fetches it.
//   - [github.com/gitopskit/gitopskit/kustomize] builds a tree to objects.
//   - [github.com/gitopskit/gitopskit/apply] applies objects, with an inventory, and prunes.
//   - [github.com/gitopskit/gitopskit/reconcile] is the loop, and a group of thousands of them. Below it are packages for
//     webhooks, a status page, and events to slog, Kubernetes, OpenTelemetry and Prometheus.
//
// They meet in two types only, io/fs.FS before the build and []*unstructured.Unstructured after it. So each can be used
// alone, and each can be replaced by one of your own; a program pays for what it imports and no more.
//
// # What holds everywhere
//
// A call that fails part-way returns what it did. The next call is safe after a crash at any point. Untrusted input is
// bounded, and nothing escapes its root: no work tree is written, no process started, no host reached that was not named.
// Secrets are in no error, event or log. Long calls take a context first and stop promptly when it ends. Options are plain
// structs whose zero value works.
package gitopskit
