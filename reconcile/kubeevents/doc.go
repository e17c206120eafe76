// Package kubeevents posts the events of package reconcile as Kubernetes Events, of events.k8s.io/v1, about objects that
// the consumer names: so "kubectl describe" of the object that a loop stands for tells what the loop did.
//
//	recorder, err := kubeevents.New(config, kubeevents.Options{
//		Controller: "gitops.example.com/operator",
//		Regarding: func(e reconcile.Event) (kubeevents.Object, bool) {
//			return objects[e.LoopName()], true
//		},
//	})
//	group := &reconcile.Group{OnEvent: recorder.Observe}
//	go recorder.Run(ctx)
//
// # What is posted
//
// [Tell] says what: what changed the cluster or keeps it from changing. What each interval repeats is not, nor is a
// revision that changes nothing, or a cluster with a thousand loops would get a thousand Events for each commit.
//
// # What it costs
//
// [Recorder.Observe] takes a lock for a moment, sends nothing, and never blocks. [Recorder.Run] posts, one request at a
// time, at most Options.QPS of them. The same message about the same object within ten minutes of its last is counted by
// the first one's series, which is written at once for the first repeat and then at most once a minute. An object has 25
// messages, and one more for each minute; what goes beyond is dropped, and so is what comes while Options.Pending wait.
// Dropped tells how many. While the server is down what waits is tried again.
//
// It needs the verbs create and patch for events in the group events.k8s.io, in the objects' namespaces; for objects
// that are in none, in the namespace "default".
//
// Notes have the texts of errors as they are, up to 1024 bytes, and never an object.
package kubeevents
