package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// dependsOn is the annotation of cli-utils by which an object names those that have to be there before it.
const dependsOn = "config.kubernetes.io/depends-on"

// parseDependsOn reads the value of the annotation: references with commas between them, each group/kind/name or, of an
// object in a namespace, group/namespaces/namespace/kind/name. The core group is empty: /namespaces/default/Secret/token.
// The references have no version.
func parseDependsOn(value string) ([]Ref, error) {
	var refs []Ref
	for i, text := range strings.Split(value, ",") {
		text = strings.TrimSpace(text)
		fields := strings.Split(text, "/")
		var ref Ref
		switch {
		case len(fields) == 3:
			ref = Ref{Group: fields[0], Kind: fields[1], Name: fields[2]}
		case len(fields) == 5 && fields[1] == "namespaces":
			ref = Ref{Group: fields[0], Namespace: fields[2], Kind: fields[3], Name: fields[4]}
		default:
			return nil, fmt.Errorf("reference %d, %q, is neither group/kind/name nor group/namespaces/namespace/kind/name, "+
				"where the core group is empty", i+1, text)
		}
		if ref.Kind == "" || ref.Name == "" || len(fields) == 5 && ref.Namespace == "" {
			return nil, fmt.Errorf("reference %d, %q, has an empty kind, name or namespace", i+1, text)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// formatDependsOn is a reference as the annotation has it.
func formatDependsOn(ref Ref) string {
	if ref.Namespace == "" {
		return ref.Group + "/" + ref.Kind + "/" + ref.Name
	}
	return ref.Group + "/namespaces/" + ref.Namespace + "/" + ref.Kind + "/" + ref.Name
}

// A node is an object as far as others may depend on it.
type node struct {
	ref         Ref
	annotations map[string]string
	defines     schema.GroupKind // what a CustomResourceDefinition defines
}

// dependencies returns for each node the positions of those that it depends on, and joins an [*Error] for each annotation
// that cannot be kept and for each cycle. Besides what annotations say, objects depend on their Namespace and on their
// kind's definition, where these are among the nodes and have themselves to wait for others.
func dependencies(nodes []node) ([][]int, error) {
	deps, errs := annotated(nodes)
	implied(nodes, deps)
	told, untold := 0, 0
	eachCycle(deps, func(path []int) {
		if told++; told > 10 {
			untold++
			return
		}
		errs = append(errs, cycleError(nodes, path))
	})
	if untold > 0 {
		errs = append(errs, fmt.Errorf("%w: and %d cycles more", ErrDependency, untold))
	}
	return deps, errors.Join(errs...)
}

// annotated returns the dependencies that the annotations name, and what is wrong with annotations.
func annotated(nodes []node) (deps [][]int, errs []error) {
	place := make(map[Ref]int, len(nodes))
	for i, n := range nodes {
		place[n.ref.identity()] = i
	}
	deps = make([][]int, len(nodes))
	namedBy := make([]int, len(nodes)) // the last node that named this one, counted from 1
	for i, n := range nodes {
		value, ok := n.annotations[dependsOn]
		if !ok {
			continue
		}
		wrong := func(format string, args ...any) {
			err := fmt.Errorf("%w: its annotation %s: "+format, append([]any{ErrDependency, dependsOn}, args...)...)
			errs = append(errs, &Error{Op: "reading the manifest of", Ref: n.ref, Err: err})
		}
		refs, err := parseDependsOn(value)
		if err != nil {
			wrong("%w", err)
		}
		for _, ref := range refs {
			to, found := place[ref]
			switch {
			case !found:
				wrong("%s is not in the set; add it to the set, or take the reference out", formatDependsOn(ref))
			case to == i:
				wrong("the object names itself; take the reference out")
			case namedBy[to] == i+1:
				wrong("%s is named twice; take one reference out", formatDependsOn(ref))
			default:
				namedBy[to] = i + 1
				deps[i] = append(deps[i], to)
			}
		}
	}
	return deps, errs
}

// implied adds the dependencies on Namespaces and definitions. Those that wait for nothing are sent before all others, and
// need none.
func implied(nodes []node, deps [][]int) {
	namespaces, definitions := make(map[string]int), make(map[schema.GroupKind]int)
	for i, n := range nodes {
		switch {
		case len(deps[i]) == 0:
		case n.ref.groupKind() == schema.GroupKind{Kind: "Namespace"}:
			namespaces[n.ref.Name] = i
		case n.defines.Kind != "":
			definitions[n.defines] = i
		}
	}
	for i, n := range nodes {
		if to, ok := namespaces[n.ref.Namespace]; ok && !slices.Contains(deps[i], to) {
			deps[i] = append(deps[i], to)
		}
		if to, ok := definitions[n.ref.groupKind()]; ok && !slices.Contains(deps[i], to) {
			deps[i] = append(deps[i], to)
		}
	}
}

// eachCycle follows the dependencies, depth first and without recursion, and calls found with the nodes of a cycle for
// each dependency that leads back to a node on the way to it. Without these dependencies, each from the last of the nodes
// to the first, there is no cycle left. The slice is good until found returns.
func eachCycle(deps [][]int, found func(path []int)) {
	const unseen, done = 0, -1
	state := make([]int, len(deps)) // unseen, done, or the place on the path, counted from 1
	next := make([]int, len(deps))  // the dependency to follow next
	var path []int
	for root := range deps {
		if state[root] != unseen {
			continue
		}
		path, state[root] = append(path, root), 1
		for len(path) > 0 {
			at := path[len(path)-1]
			if next[at] == len(deps[at]) {
				path, state[at] = path[:len(path)-1], done
				continue
			}
			to := deps[at][next[at]]
			next[at]++
			switch {
			case state[to] == unseen:
				path = append(path, to)
				state[to] = len(path)
			case state[to] != done:
				found(path[state[to]-1:])
			}
		}
	}
}

// cycleError names all nodes of a cycle, of a very long one the first.
func cycleError(nodes []node, path []int) error {
	var text strings.Builder
	hint := ""
	for i, at := range path {
		if i == 100 {
			fmt.Fprintf(&text, "%d more → ", len(path)-i)
			break
		}
		ref := nodes[at].ref
		text.WriteString(ref.String() + " → ")
		if nodes[at].defines.Kind != "" || ref.groupKind() == (schema.GroupKind{Kind: "Namespace"}) {
			hint = "; objects also depend on their Namespace and on their kind's definition"
		}
	}
	first := nodes[path[0]].ref
	return &Error{Op: "reading the manifest of", Ref: first,
		Err: fmt.Errorf("%w: a cycle: %s%s; take one of the references out%s", ErrDependency, text.String(), first, hint)}
}

// levels returns the order in which to delete the nodes: groups of positions, dependents before what they depend on. What
// annotations say that cannot be kept does not count, and neither does the last dependency of each cycle, for a deletion
// has to come to its end. The annotations are those of the live objects.
func levels(nodes []node) [][]int {
	deps, _ := annotated(nodes)
	implied(nodes, deps)
	dropped := make(map[[2]int]bool)
	eachCycle(deps, func(path []int) { dropped[[2]int{path[len(path)-1], path[0]}] = true })
	dependents := make([]int, len(nodes)) // that are not in a group yet
	for from, tos := range deps {
		deps[from] = slices.DeleteFunc(tos, func(to int) bool { return dropped[[2]int{from, to}] })
		for _, to := range deps[from] {
			dependents[to]++
		}
	}
	var group []int
	for i, n := range dependents {
		if n == 0 {
			group = append(group, i)
		}
	}
	var groups [][]int
	for len(group) > 0 {
		groups = append(groups, group)
		var next []int
		for _, from := range group {
			for _, to := range deps[from] {
				if dependents[to]--; dependents[to] == 0 {
					next = append(next, to)
				}
			}
		}
		slices.Sort(next)
		group = next
	}
	return groups
}
