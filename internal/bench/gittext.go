package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
)

// writeFile writes the file with the number i, as the commit with the number c has it, in git fast-import's language: of
// twenty files of a service one is a script and one a link.
func (r recipe) writeFile(w *bufio.Writer, i, c int) {
	random := rand.New(rand.NewPCG(uint64(r.files), uint64(i)))
	folder := fmt.Sprintf("apps/team-%03d/svc-%02d", i/r.each, i%r.each/leastInFolder)
	switch {
	case i%r.each%leastInFolder == 18:
		body := fmt.Appendf(nil, "#!/bin/sh\nexec kubectl -n ns-%d get pods # %d\n", random.IntN(1_000_000), c)
		fmt.Fprintf(w, "M 100755 inline %s/pods.sh\ndata %d\n%s\n", folder, len(body), body)
	case r.isLink(i):
		target := fmt.Sprintf("app-%05d.yaml", i-1-random.IntN(18))
		fmt.Fprintf(w, "M 120000 inline %s/latest.yaml\ndata %d\n%s\n", folder, len(target), target)
	default:
		body := textOf(random, i, c)
		fmt.Fprintf(w, "M 100644 inline %s/app-%05d.yaml\ndata %d\n%s\n", folder, i, len(body), body)
	}
}

func (r recipe) isLink(i int) bool { return i%r.each%leastInFolder == 19 }

var words = []string{"web", "api", "worker", "cache", "queue", "billing", "search", "mail", "gateway", "metrics", "auth"}

// textOf is 1 to 5 KiB. From commit to commit one line differs.
func textOf(random *rand.Rand, i, c int) []byte {
	body := fmt.Appendf(nil, "apiVersion: example\nkind: Services\nmetadata:\n  name: app-%05d\nspec:\n  version: v1.%d\n", i, c)
	return services(random, body, 1<<10+random.IntN(4<<10))
}

// services adds what looks like manifests, and shrinks as those do, until there are at least so many bytes.
func services(random *rand.Rand, body []byte, size int) []byte {
	for len(body) < size {
		word, other := words[random.IntN(len(words))], words[random.IntN(len(words))]
		body = fmt.Appendf(body, "- name: %s-%d\n  image: registry.example/%s:v1.%d.%d\n  replicas: %d\n", word, random.IntN(1000),
			other, random.IntN(100), random.IntN(100), random.IntN(10))
		body = fmt.Appendf(body, "  annotations:\n    bench.example/note: %s is for %s\n    bench.example/checksum: %016x\n", word,
			other, random.Uint64())
		body = fmt.Appendf(body, "  resources:\n    requests:\n      cpu: %dm\n      memory: %dMi\n", random.IntN(1000),
			random.IntN(4096))
	}
	return body
}
