// Bench does the same work with gitopskit and with each of its peers, in turn, in one run, and prints what it cost.
//
//	go run . apply                         1,000 objects, three runs of each
//	go run . apply -n 1000 -size 0,20000   as they are, and with 20 KB in each object
//	go run . apply -n 100,1000,10000 -runs 5,3,1 -who 'gitopskit|@4|bare'
//	go run . apply -who 'gitopskit|bare'   only these
//	go run . apply -json                   a line of JSON for each row
//	go run . apply -profile /tmp/pprof     CPU profiles of the work, one for each measured process
//	go run . kustomize                     builds of trees of files; 1,000 objects where their number can be chosen
//	go run . kustomize -n 10,100,1000,5000 -runs 5,5,3,1 -work 'plain|overlay'
//	go run . git                           fetches from repositories of up to 50,000 files
//	go run . git -n 5000 -work 'full|path' smaller ones, and only these works
//	go run . bucket                        fetches from buckets of up to 10,000 objects
//	go run . bucket -n 1000 -aws /usr/bin/aws
//	go run . artifact                      archives of up to 50,000 files
//	go run . artifact -n 5000 -work 'manifests' -who 'gitopskit|pigz'
//	go run . reconcile                     1,000 loops of one process
//	go run . reconcile -n 100,1000,5000 -runs 3,3,1 -svg scaling.svg
//
// It is a module of its own, so that the peers never enter the library's go.mod.
//
// # How it measures
//
// Each engine is a program of its own, in the folder engine, with no other engine in it. Work is measured in a fresh
// process for each contender, each work and each run, so that nobody is helped by what another left in memory, and the
// peak memory is that contender's. The process first does what is not to be measured: it makes the objects and the client,
// and opens the connection. Then it measures the time of the work alone, and the greatest resident memory meanwhile, which
// has the program and the objects in it. Servers run in other processes. A contender that did not do all of the work, by
// its own account, ends the run with an error.
//
// In the area apply each scale, a number and a size of objects, has a fresh server, which all contenders share. The first
// round is not timed: it goes through a proxy that counts requests by verb and the bytes of their bodies as they are on the wire, alike
// for all contenders, and it warms up the server. The timed rounds go to the server directly. The contenders take turns
// within a round, and each round starts with another one.
//
// Machines are noisy, and client and server share theirs: ratios count, and of those the ones that stay from run to run.
//
// # What it prints
//
// The table has the median and the least time of the runs, the bytes sent and received and the requests of the counting
// round, the greatest peak of resident memory and how much of it was there before the work, and the ratio of the median to
// gitopskit's. Where there is more than one n, a table of growth follows. At the end are the bars: what gitopskit has to keep
// beside its peers and beside the limits, and whether it does. They do not change the exit code. With -json each
// row is a line, and there are no growth and no bars:
//
//	{"area","work","who","n","size","ms","min_ms","requests","verbs","sent","received","peak_mib","ready_mib","runs"}
//
// where ms is the median; peak_mib is 0 where the system does not tell. A request with dryRun is of the verb "dry-run". In
// the areas kustomize and artifact, which make no requests, git and bucket "objects" follows, the objects or the files,
// "bytes" of an archive, and "alone_ms" where two builds ran side by side. A row with "missing" has no figures: it says why.
// In the area reconcile, which has "objects" too, follow "cpu_ms", "fetches", "builds", "applies", "source_requests",
// "source_bytes" and "interval_ms", each where it is not 0.
//
// # The area apply
//
// n objects of five kinds (ConfigMap, Secret, Role, Ingress, Deployment) in a fresh namespace, on one API server
// that stores them and runs no controllers. The works follow upon each other: create; no-op, the same again; one-changed,
// a value of one ConfigMap is another; prune, all but one object are to go. Nobody waits for health.
//
//   - gitopskit: a new Applier for each work; it finds out itself what to prune, by its inventory.
//   - fluxcd/pkg/ssa@4 and @32: ApplyAll as Flux's kustomize-controller calls it, with a concurrency of 4, Flux's default,
//     and of 32; without its limit of requests a second. It has no inventory: prune is DeleteAll of what it is told.
//   - cli-utils: its Applier with its inventory in a ConfigMap, server-side, without a limit of requests a second. Its watch
//     of the objects is off, for it only feeds the waits for health. It has no concurrency to set. Its discovery cache is
//     warm after its first create.
//   - kubectl: apply --server-side --force-conflicts --validate=false, and for prune delete --wait=false of a file that
//     names what is to go; where it is installed. Without --validate=false it takes about 45 ms more for each object, as
//     it reads the server's schema anew each time. Its time is that of the whole process. Its discovery cache is warm
//     after its first create. Its peak memory cannot be told below that of the process that starts it, about 15 MiB.
//   - bare: 32 workers that PATCH bodies marshalled beforehand, all of them also where one changed, or DELETE what was
//     looked up beforehand, with the bodies, parameters and headers that gitopskit sends: what the server can take.
//   - bare-list: one metadata-only LIST by label for each kind, as gitopskit sends it, its answer read and not decoded, and
//     one PATCH where one changed, known beforehand: what knowing costs at least.
//
// # The area kustomize
//
// Trees of files are built to objects. All contenders get the same trees, and their objects are compared, all of
// each: if they differ, the run ends with an error. The works are:
//
//   - one object: a kustomization with one Deployment.
//   - podinfo and kube-prometheus: real manifests, from the folder that -corpus or GITOPSKIT_CORPUS names. The second
//     have no kustomization: gitopskit and Flux find that out themselves, and krusty, which does not build such a folder,
//     gets one that lists all files, without having to pay for it.
//   - 1000 plain: n Deployments, a file for each, in a kustomization that lists them.
//   - 1000 overlay: an overlay over those, with namespace, labels, an image and a strategic-merge patch of all Deployments.
//   - 1000 substitution: like plain, with variables in the name, in an annotation and in two values of the environment.
//   - two at once: the time until two builds of the overlay are done that start at once in one process. Its speed-up is
//     twice the time of one alone, measured in turn with it in that process, by that.
//   - unchanged podinfo, unchanged 1000: another build of podinfo and of the overlay, of which nothing has changed since
//     the last one. Peers build again.
//
// Every process first builds a small other tree, so that no time has what a program pays once, such as kustomize's
// parsing of its OpenAPI schema. A build that takes less than 300 ms is then repeated that long, up to 200 times, and the
// sample is the median; each run has a process of its own. Peak memory is that of the first of these builds, and of all that
// the process holds before it, such as the tree where it is in memory.
//
//   - gitopskit: kustomize.Build on the folder by os.DirFS; where nothing has changed, on a source.Snapshot, that knows
//     the identity of each file.
//   - gitopskit memory: on an fstest.MapFS. gitopskit (no identities): on the folder where nothing has changed, so that
//     it has to read all files to know that.
//   - fluxcd/pkg/kustomize: what Flux's kustomize-controller does with it: a Generator writes the kustomization,
//     SecureBuild builds it, SubstituteVariables is called with each object where there are variables, and what the
//     result prints is read by ReadObjects. It works on a copy of the tree; neither copying nor cleaning up is measured.
//     It parses the schema in each build, and lets no two builds run side by side.
//   - krusty disk and krusty memory: a Kustomizer with kustomize's default options on the folder, or on its file system in
//     memory that has the files already, and Map of each object: nothing is printed. It knows no variables.
//
// # The area git
//
// Files are fetched from repositories on one server, git's http-backend over plain HTTP. Server and work trees are in memory
// (/dev/shm) where the machine has that, and TMPDIR does not say otherwise. n is the number of files, of 1 to 5 KiB, in the
// big repository, and the others follow from it; with 50,000 the works are:
//
//   - nothing new: 5,000 files with 500 commits, of which the last is known. One process asks 20 times, and the median is
//     the sample.
//   - full: those 5,000 files.
//   - path: of the big repository a folder with 500 files.
//   - new commit: one file of the 50,000 changes in a commit on top of the one that is known.
//   - semver: the highest tag of the range 1.x of 5,000 tags, half of them annotated, on the commits of 500 files.
//   - old commit: of the 5,000 files, 200 commits behind the branch.
//
// What was fetched is compared with git archive, with modes and links, in every round; reading it is not measured. The
// round that counts goes by way of a proxy of TCP: bytes are all that passed, and requests are those that the server got.
//
//   - gitopskit: a Source and its Fetch. For the new commit it is one that fetched the commit before.
//   - git clone: clone --depth 1 --single-branch, with its checkout, of the branch, or of the tag that was chosen from
//     ls-remote. It has no other way to an old commit than a clone of the branch with its history.
//   - git partial: the best that git can do. Nothing new is ls-remote with version 0 of the protocol, as version 2 needs two
//     requests; full and semver are as above, for to leave out blobs would only be another request. A path is a clone with
//     --filter=blob:none and a sparse checkout; the new commit is fetched and checked out in a shallow clone that stands;
//     the old one is fetched by its hash. The time is that of all commands, and the peak that of the largest process.
//   - fluxcd/pkg/git: its gogit client as Flux's source-controller calls it: a shallow clone on disk for each fetch, with
//     the commit that is known and with the folder for a sparse checkout. It does not fetch into what is there, says nothing of
//     what is new for a range, and takes an old commit out of the branch's history.
//   - fluxcd/pkg/git memory: the same with its storage in memory.
//
// # The area bucket
//
// Objects are fetched from buckets of one S3 server, versitygw over plain HTTP. Server and fetched files are in memory, as
// in the area git. n is the number of objects, of 2 KiB, in the bucket with many. With 10,000 the works are:
//
//   - first 1000: all of another bucket with 1,000.
//   - first large: all of another one with 100 of 5 MiB.
//   - first 10000: all, by one who has none.
//   - unchanged: nothing has changed. One process of gitopskit or bare asks 5 times, and the median is the sample.
//   - one changed: one object has changed since.
//
// What was fetched is compared with what was put, all of each, in every round; reading it is not measured. The round that
// counts goes by way of a proxy: bytes are all that passed by TCP, and LIST is the GET of a bucket's page of keys.
//
//   - gitopskit: a Source and its Fetch, with its default of 16 objects at once and its content in memory. Where it knows
//     what was there, it is one that has fetched it. It holds all content against its checksum and its ETag, an MD5.
//   - bare: minio-go lists, and 16 at once get, into memory, with nothing checked. Where nothing has changed it only lists;
//     where one has, it gets what has another ETag.
//   - rclone: sync into a folder, with 32 transfers and checkers, --fast-list, and without the requests that it can do
//     without: the time of an object is taken from the listing, and there is no HEAD and no question for the bucket.
//   - aws: s3 sync --delete into a folder, with 32 requests at once, of a region that is given, without a look for
//     metadata of a machine. Both programs know by size and time what they have in the folder. Their time is that of the whole process,
//     and files count as the system's memory and not as theirs. A shim of a version manager is slow: -aws names another one.
//
// # The area artifact
//
// Trees of files are packed to archives, and archives unpacked. All is in memory, as in the area git, or where -dir says. n
// is the number of small files, and there are three trees, one after the other; with 50,000 they are:
//
//   - 5000 manifests of 5 KiB.
//   - 50000 small files of 512 bytes.
//   - 100 large files of 5 MiB.
//
// What is in them looks like manifests, of which no two are alike; gzip makes a seventh of it. One file in twenty is
// executable, twenty are in a folder, and there are no links, as Flux's package leaves them out. The works are:
//
//   - pack gzip, pack zstd: a folder to a file.
//   - unpack gzip, unpack zstd: a file to an empty folder. It is the one that gitopskit packs, for all contenders.
//   - unpack gzip of Flux: the same with the file that fluxcd/pkg/tar packs.
//   - open one: the content of one file, in the middle of the archive that gitopskit packs. All read the archive to its end.
//
// Every archive that was packed is read by Go's archive/tar, and its files compared with the tree's, with the executable
// bit; so are all that were unpacked, and the one that was read. That is not measured. Each process does the work once with
// another tree, of 20 files, and then once measured. There is no round that is not timed.
//
//   - gitopskit: artifact.Pack of os.DirFS, Unpack, and Open and fs.ReadFile, with no options but limits, on the cores
//     that it takes by itself. It knows of an archive the digest and the size, and verifies them before a file is believed.
//     Open has all content in memory.
//   - fluxcd/pkg/tar: Tar and Untar, with a buffer between them and the file, which Flux does not give them, and without
//     a digest. To read one file it unpacks that one with a filter. It knows no zstd.
//   - fluxcd/pkg/tar+sha256: the same as Flux's controllers do it. source-controller's storage packs, without a buffer, to
//     a file and a digest, and renames the file; kustomize-controller reads what it has fetched once for the digest, and once
//     more to unpack it. Neither is a package that is to be had by itself, so their few lines are written anew here.
//   - tar+gzip, tar+pigz, tar+zstd: GNU tar and a pipe, with what the programs do by themselves; zstd with -T0, all cores,
//     as pigz takes all. tar unpacks with -m --no-same-owner, without times and owners, which gitopskit does not keep.
//     Nothing knows a digest. The peak is the sum of the two processes', and each counts at least what the process had that
//     started it, about 8 MiB, so it says little.
//
// # The area reconcile
//
// n applications lie in one Git repository, a folder each, of four objects each: those of Flux's own benchmark, a Deployment
// that is scaled to zero, a Service, a ServiceAccount and an Ingress. The repository is on git's http-backend, over plain
// HTTP, and the cluster is an API server that stores objects and runs no controllers; each process has a fresh one, for
// the objects of others would be in its lists. Nobody waits for health. One process does all works, one after the other:
//
//   - first: until the objects of all applications are applied, by a process that has its clients and a connection, from
//     nothing.
//   - one touched: from before a push that changes the image of one application, of which a webhook tells, until that is
//     applied. Then it is waited until the other loops know that nothing is to be done, which is counted too.
//   - none touched: the same with a change of the README, until all loops know that.
//   - idle: a minute in which nothing happens; only in the round that counts.
//   - drift: from before somebody changes the replicas of a Deployment until that is mended.
//   - source down: the Git server is out of reach, and somebody asks for it by the webhook; until all loops know.
//   - drift, source down: drift again, of another application.
//   - source back: from when the Git server is in reach again, with a push that changes one application and of which nobody
//     tells, until that is applied. What is waited for is mostly the delay before the next try.
//
// After each step the servers are looked at, which is not measured: after the first one for all objects, and then for the
// Deployment that the step is about. A loop that fails when nothing is wrong ends the run.
//
// The bytes of the source are all that passed by TCP. A build is one that gave other objects than the one before, which
// is when a kustomize.Builder has built. The peak of each work starts with what is resident when it begins, and no
// collection is forced between them: so the greatest of them is that of a program that runs for long.
//
//   - gitopskit: one reconcile.Group with n loops on one git.Source; a kustomize.Builder for each; a reconcile.Target for
//     each, on one apply.Watches; a webhook.Handler of GitHub's messages. No option is set but the interval, the jitter,
//     which is off so that requests can be counted, and that no loop waits for health.
//   - bare: only the first work: the same fetch, and then 32 workers that PATCH bodies built and marshalled beforehand, with
//     the parameters and headers that gitopskit sends, and without an inventory: what the server can take.
//
// Flux's controllers are not run: they take a cluster with nodes. What the notes and the plot have of them is what Flux
// published, of another machine.
package main
