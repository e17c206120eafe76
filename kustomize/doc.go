// Package kustomize builds Kubernetes objects from a tree of files, with kustomize, in memory.
//
//	fs.FS ──scan──▶ every file that the build needs, checked ──kustomize──▶ []*unstructured.Unstructured
//
// [Build] takes any [io/fs.FS] and a folder in it. If the folder has a kustomization, that is built; if not, the folder is
// built as if it had one that lists all its manifests. What comes out are the objects in kustomize's order, as a cluster's
// client wants them, or an [*Error] that says which file is to blame and why.
//
// # What a build may do
//
// A build reads from the file system that it is given, and does nothing else. It writes nothing to disk, starts no process
// and opens no connection. Kustomize by itself would fetch URLs, clone Git repositories, run Helm and run plugins where a
// kustomization says so; here all of that is refused, by an error that matches [ErrRemote] or [ErrUnsupported] and names the
// reference and the file. Everything in the file system can be reached, by an overlay its base at ../../base and a file that
// several share, and nothing outside. To keep a build to a part of a file system, give it that part: [io/fs.Sub].
//
// A symbolic link may be named like what it leads to, a file or a folder, and paths may lead through one. A folder stands
// where it really is: .. in it leads up from there, as for kustomize on disk. A link that is absolute or leads out of the root
// is an error that names it ([ErrOutside]), also where the file system would follow it, as that of [os.DirFS] does. That
// takes a file system that can show its links ([io/fs.ReadLinkFS]); in another, links are what it says they are.
//
// The scan walks the kustomizations as kustomize will, and takes in every file that one of them names. Then kustomize works on
// those files in memory, and on no others. So what was checked is what is built, and each file is read once.
//
// # Untrusted trees
//
// Whoever can push to a repository can write a kustomization. What that can do to the program that builds it is bounded:
// files, bytes, objects and the depth of kustomizations by [Options], also where a tree refers to itself often enough to grow
// as 2ⁿ; aliases in YAML by what they expand to. Some input is known to end the process if it reaches kustomize, by a
// stack that overflows or by log.Fatal: an alias inside its own anchor, a custom resource's type that contains itself, an
// object that cannot be printed. It is found beforehand. A panic is turned into an error.
//
// Two things are not bounded. A build stops when its context ends, but only where it reads a file, and kustomize reads little
// once it is at work; [Options.MaxObjects] is what bounds that time. And a JSON patch that copies a field into itself
// again and again, or replacements that do, make large objects of small ones.
//
// The text of an error never quotes what is in an object. What it wraps may: see [Error].
//
// # Folders without a kustomization
//
// Such a folder is built as if it had a kustomization whose resources are what "kustomize create --autodetect --recursive" and
// Flux would put there, in their order: that of a walk, in which what is in a subfolder comes where its name stands.
//
//   - Files whose names end in .yaml or .yml count, in the folder and below it. Others do not, .json and .YAML among them, as
//     for Flux; "kustomize create" tries each file. A kustomization can name any file.
//   - Names that begin with a dot do not count, of files and of folders. To the other two they do, though Flux leaves out
//     .git and .sops.yaml by other means.
//   - A subfolder that has a kustomization is one resource, and nothing else in it counts, as for both. If that is a
//     Component, it is an error that names it, as both have it in the end: a component is for kustomizations to name.
//   - A document that is not a Kubernetes object is an error ([ErrNotObject]), as for Flux; "kustomize create" leaves out the
//     file. It may be an object with a typing error in it. Empty documents are nothing, and the items of a List stand for
//     themselves.
//   - A link to a file counts as the file. A link to a folder is left out: it could lead round in a circle.
//
// # Identity and order
//
// Two objects with one group, kind, namespace and name are an error ([ErrDuplicate]), even if they have different versions.
// The order is that in which kustomizations list their resources, depth first, as the program has it with --reorder none and
// Flux always, or what sortOptions says. Without that flag the program sorts by kind. One tree always gives the same objects in the same order.
//
// # Speed, and builds side by side
//
// Kustomize compares each object with each other, several times. A tree in which kustomizations only list files is therefore
// read without it, and bases that only list files are given to it as one file. The result is the same.
//
// Builds run side by side, as many as there are processors. There is one exception. Kustomize keeps the OpenAPI schema that
// tells it how to merge lists in package variables, and a kustomization with the field openapi replaces it. Such a build
// waits until it is alone, and has the built-in schema restored before others go on, which takes some 40 ms. So does the
// first build that needs kustomize at all. A program that also calls kustomize's own packages shares those variables with
// this one: it should leave builds with openapi to one of the two.
//
// Where a kustomization has a deprecated field, kustomize prints a warning to standard error.
package kustomize
