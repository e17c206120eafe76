// Package kustomize builds Kubernetes objects from a tree of files, with kustomize, in memory.
//
//	fs.FS ──scan──▶ every file that the build needs, checked ──kustomize──▶ objects ──variables──▶ []*unstructured.Unstructured
//	          └─ decrypted, and remote bases, where the options say how            └─ with an overlay of the options
//
// [Build] takes any [io/fs.FS] and a folder in it. If the folder has a kustomization, that is built; if not, the folder is
// built as if it had one that lists all its manifests. What comes out are the objects in kustomize's order, as a cluster's
// client wants them, or an [*Error] that says which file is to blame and why.
//
// An [Overlay] in the options is a kustomization on top of it: namespace, labels, patches, images and so on. [Variables] are
// substituted at the end. A [Builder] builds again only where something has changed that the build depended on.
//
// # What a build may do
//
// A build reads from the file system that it is given, and does nothing else. It writes nothing to disk, starts no process
// and opens no connection. Kustomize by itself would fetch URLs, clone Git repositories, run Helm and run plugins where a
// kustomization says so; here all of that is refused, by an error that matches [ErrRemote] or [ErrUnsupported] and names the
// reference, the file and the line, unless the caller serves it ([Options].Remote). Everything in the file system can be
// reached, by an overlay its base at ../../base and a file that several share, and nothing outside. To keep a build to a part
// of a file system, give it that part: [io/fs.Sub].
//
// A symbolic link may be named like what it leads to, a file or a folder, and paths may lead through one. A folder stands
// where it really is: .. in it leads up from there, as for kustomize on disk. A link that is absolute or leads out of the root
// is an error that names it ([ErrOutside]), also where the file system would follow it, as that of [os.DirFS] does. That
// takes a file system that can show its links ([io/fs.ReadLinkFS]); in another, links are what it says they are.
//
// The scan walks the kustomizations as kustomize will, and takes in every file that one of them names. Then kustomize works on
// those files in memory, and on no others. So what was checked is what is built, and each file is read once.
//
// # Encrypted files
//
// [Options].Decrypt gets each file that SOPS has encrypted before anything else looks into it: manifests, patches, and what
// Secrets are generated from, in each of SOPS' formats. With the package decrypt of SOPS it is one call,
//
//	decrypt.DataWithFormat(content, formats.FormatForPath(name))
//
// as in examples/decryption. This package does not import SOPS, which brings a thousand packages along. What was decrypted
// is in memory only: in the objects, and in those that a [Builder] keeps.
//
// # What a build depends on
//
// A [Builder] tells with [Builder.Inputs] which files its last build has read, which folders it has listed, and which names it
// has looked for in vain: a file that appears there changes the build. Before it builds again it compares those with what
// it finds now: by identity where the file system has a method Identity, as a Snapshot of package source has, and by content
// where not. Where they are the same, and the variables and remote bases are too, it returns the same objects, which nobody is to change.
//
// # Remote bases
//
// A kustomization can name a folder in a Git repository, https://github.com/org/repo//path?ref=v1, or the URL of a file.
// [Options.Remote] is a function from such a [Reference] to a file system; source/git makes one of a repository. Whether to
// go to that host, with which credentials and for how long, is for the function to say. Kustomize itself never sees an
// address: it is given the kustomization with paths in their place.
//
// Addresses may stand in resources, bases, components, patches, generators, transformers, validators, replacements,
// configurations, crds, openapi and the files of generated objects, but not within the configuration of a plugin, and not at
// all together with the build metadata originAnnotations and transformerAnnotations. All forms of kustomize's are understood
// but file://, which is refused. Where kustomize makes a request to find out whether a URL is that of a file, here its
// spelling decides: in a field that can name files only it is, else if it ends in .yaml, .yml or .json; unless it has a mark
// of a repository, which are "//", ".git" and "_git".
//
// What is returned is a root of its own. Paths in it may lead anywhere in it, which for files is more than kustomize allows,
// and not out of it ([ErrOutside]); an address in it goes to the function again. A repository that leads back to a folder on
// the way, or to one that holds that, is an [ErrCycle]. All limits are those of the whole build. Errors call a file in it
// "https://github.com/org/repo?ref=v1: path/kustomization.yaml", without credentials. The text of the function's error is in
// that of the build, less what is a credential in the reference.
//
// # Untrusted trees
//
// Whoever can push to a repository can write a kustomization. What that can do to the program that builds it is bounded:
// files, bytes, objects and the depth of kustomizations by [Options], also where a tree refers to itself often enough to grow
// as 2ⁿ; aliases in YAML by what they expand to. Some input is known to end the process if it reaches kustomize, by a
// stack that overflows or by log.Fatal: an alias inside its own anchor, a custom resource's type that contains itself, an
// object that cannot be printed, an empty key where a generator merges. It is found beforehand, and where that takes a look at
// the result, by a second build. A panic of kustomize is turned into an error.
//
// What JSON patches and replacements copy inside of objects, again and again perhaps, is reckoned beforehand and bounded by
// [Options.MaxBytes]. The folders of a listing are bounded by [Options.MaxEntries], however many entries there are.
//
// One thing is not bounded. A build stops when its context ends, but only where it reads a file, and kustomize reads little
// once it is at work; [Options.MaxObjects] is what bounds that time.
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
// Flux always, or what sortOptions says. Without that flag the program sorts by kind, and so does
// Overlay{SortOptions: &SortOptions{Order: "legacy"}}. One tree always gives the same objects in the same order.
//
// # Speed, and builds side by side
//
// Kustomize compares each object with each other, several times. A tree whose kustomizations only have resources,
// components, namespace, labels, annotations, images, replicas, patches, name prefixes and suffixes, and generate ConfigMaps
// and Secrets, is therefore built without it, on the objects as they were parsed, in linear time. What kustomize would refuse,
// or might do in another way than is known here, goes through kustomize as a whole: replacements, vars, configurations, custom
// schemas, plugins, but also a patch with directives on lists that lack keys, a generator that merges into an object that was
// not generated, or one of a text that begins or ends with a blank line. The result is the same in either way, and so are the errors; trees made
// at random hold one to the other. A program that is built with another version of kustomize than this package knows goes
// through that one always. Where kustomize is needed, bases that only list files are given to it as one file.
//
// Builds run side by side, as many as there are processors. There is one exception. Kustomize keeps the OpenAPI schema that
// tells it how to merge lists in package variables, and a kustomization with the field openapi replaces it. Such a build
// waits until it is alone, and has the built-in schema restored before others go on, which takes some 40 ms. So does the
// first build that does more than list files. A program that also calls kustomize's own packages shares those variables with
// this one: it should leave builds with openapi to one of the two.
//
// Where a kustomization has a deprecated field and kustomize is needed, it prints a warning to standard error.
//
// # Variables
//
// With [Options].Variables, expressions in the built objects are replaced by what they stand for, after all that kustomize
// does: so names, patches and generated ConfigMaps may hold them. The forms are those of Flux's post-build substitution:
//
//	${v}                  the value
//	${#v}                 how many characters it has
//	${v^} ${v^^}          with the first letter, or all, in upper case
//	${v,} ${v,,}          the same in lower case
//	${v:n} ${v:n:len}     from character n on, or len of them; a negative n needs a space before it
//	${v#p} ${v##p}        without the shortest, or longest, start that matches the pattern p (* ? [a-z])
//	${v%p} ${v%%p}        without the shortest, or longest, such end
//	${v-word} ${v=word}   word, if v is not known
//	${v:-word} ${v:=word} word, if v is not known or is empty
//	${v/a/b} ${v//a/b}    with b for the first a, or for all; a is text and no pattern
//	${v/#a/b} ${v/%a/b}   with b for an a at the start, or at the end
//	$${v}                 the text ${v}
//
// A word, a pattern, a number and a text may hold expressions. What bash has beyond that, such as ${v:?message}, is an error
// that matches [ErrExpression]. So is a ${ that begins no expression; scripts in ConfigMaps need $${ or the annotation below.
// $v without braces is text.
//
// Keys are substituted too. An object with the annotation or label kustomize.toolkit.fluxcd.io/substitute: disabled is left
// alone, and so is the field data of each Secret.
//
// A variable stands for text inside of a string, whatever it holds: quotes, line breaks and what would be YAML add no fields.
// The string becomes a number, a bool or null where it reads as one as a whole and its field is of that type. The type is
// that of Kubernetes' schema, so replicas: ${n} is a number, and the value of an environment variable is a string, as are
// labels and annotations. In fields that the schema does not know, as those of custom resources, 8080, 1.10, true and null
// are what they are in a manifest; yes and no are text. Quotes around it as part of the values, ${quote}${v}${quote}, make
// sure of a string. Where nothing is left of a string, it is null if its field is known to be no string.
//
// This differs from Flux, which substitutes in the text of manifests: there a port in an environment variable has to be
// quoted, a value can add fields, line breaks in values are removed, and two dollars are one wherever they stand.
// Where envsubst differs from what it documents or from bash, bash is followed.
//
// The error for unknown variables names up to ten of them at once, each as a [VariableError] with its object and field. No
// error holds a value.
package kustomize
