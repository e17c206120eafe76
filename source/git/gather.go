package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/cache"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
	"github.com/gitopskit/gitopskit/source/git/internal/pack"
	"github.com/gitopskit/gitopskit/source/git/internal/wire"
)

// A gathering brings together the objects that a tip needs. It walks through the commit as far as its objects are here, asks
// for what lacks, and walks again. A server that can give objects by hash and leave out others is asked for little; where
// one refuses, it is asked for the whole commit, which every server gives.
type gathering struct {
	*Source
	remote     *remote
	tip        tip
	repository cache.Repository
	fresh      object.Set
	needed     int  // how many objects the last commit needed
	whole      bool // everything was asked for
	signatures []source.Signature
	visits     *visits
	stored     map[string][]byte // what pointers stand for, by their OIDs
}

// errIncomplete means that a server has sent less than the commit has.
var errIncomplete = errors.New("the server left out objects that the commit has")

// maxRounds is how often more is asked for by hash: the folders on the way to a path may take one each. After that comes
// everything.
const maxRounds = 64

func (g *gathering) find(hash object.Hash) (object.Object, bool) {
	if o, ok := g.fresh[hash]; ok {
		return o, true
	}
	return g.repository.Object(hash)
}

// gather needs the lock of the repository.
func (g *gathering) gather(ctx context.Context) (*walk, error) {
	if err := g.verifier.unsignable(g.tip); err != nil {
		return nil, err
	}
	if !g.hasTip() {
		if err := g.bringTip(ctx); err != nil {
			return nil, err
		}
	}
	if err := g.pinnedTag(); err != nil {
		return nil, err
	}
	var err error
	if g.signatures, err = g.verifier.verify(g.tip, g.find); err != nil {
		return nil, err
	}
	w, err := g.walk(ctx)
	if err != nil {
		return nil, err
	}
	g.remember(ctx, w)
	return w, nil
}

// hasTip reports whether what may be signed is here.
func (g *gathering) hasTip() bool {
	return g.has(g.tip.commit) && (!g.verifier.tag || g.has(g.tip.want))
}

func (g *gathering) has(hash object.Hash) bool {
	_, ok := g.find(hash)
	return ok
}

// walk goes through the commit until nothing lacks.
func (g *gathering) walk(ctx context.Context) (*walk, error) {
	for round := 0; ; round++ {
		w := g.newWalk(ctx, g.find)
		w.needed = make(object.Set, max(len(g.fresh), g.needed)) // it would take twice as much while it grows
		if err := w.commit(g.tip.commit, g.rules); err != nil {
			return nil, err
		}
		if len(w.lacks) == 0 {
			return w, nil
		}
		if g.whole {
			return nil, fmt.Errorf("commit %s: %w: %s", g.tip.commit, errIncomplete, w.example())
		}
		if err := g.bringLacking(ctx, w, round < maxRounds); err != nil {
			return nil, err
		}
	}
}

// remember keeps the objects for the next time.
func (g *gathering) remember(ctx context.Context, w *walk) {
	if damage := g.repository.Damage(); damage != nil {
		g.tell("reading objects of", damage)
	}
	if g.verifier.tag {
		g.keepTags(w.needed)
	}
	err := g.repository.Add(ctx, cache.Record{Commit: g.tip.commit, Scope: g.scopeKey()}, w.needed)
	if err != nil && ctx.Err() == nil {
		g.tell("keeping objects of", err)
	}
}

// keepTags adds the tag and those that it is of.
func (g *gathering) keepTags(needed object.Set) {
	hash := g.tip.want
	for {
		o, ok := g.find(hash)
		if !ok || o.Kind != object.Tag {
			return
		}
		needed[hash] = o
		target, err := object.TargetOf(o.Body())
		if err != nil {
			return
		}
		hash = target.Hash
	}
}

// scopeKey tells apart what sources keep of one commit. It is empty for all of it.
func (s *Source) scopeKey() string {
	if len(s.scope) == 0 && s.opts.Ignore == "" {
		return ""
	}
	key := fmt.Sprintf("%q %q %t", []string(s.scope), s.opts.Ignore, s.opts.NoIgnoreFiles)
	if s.module.path != "" && s.opts.Ignore != "" {
		key += fmt.Sprintf(" %q", s.module.path) // what is ignored depends on where it is
	}
	return key
}

// part reports whether some of a commit is not wanted, so that it is worth a request more to leave it out.
func (s *Source) part() bool { return s.scopeKey() != "" }

// bringTip asks for the commit, and the tag, with as much of what is wanted as one request can bring.
func (g *gathering) bringTip(ctx context.Context) error {
	haves, err := g.haves(ctx)
	if err != nil {
		return err
	}
	var refusal error
	var failed refusals
	for _, filter := range g.tipFilters(len(haves) > 0) {
		q := wire.Request{Wants: []object.Hash{g.tip.want}, Depth: 1, Filter: filter}
		if filter != "" || !g.part() {
			// A server leaves out what is in these commits only if the pack may be thin.
			q.Haves, q.Shallows, q.Thin = haves, haves, len(haves) > 0
		}
		err := g.bring(ctx, q, g.tip.pinned)
		if errors.Is(err, pack.ErrIncomplete) && filter != "" && g.has(g.tip.commit) {
			err = nil // the rest is of folders outside, or can be asked for by its hash
		}
		if errors.Is(err, pack.ErrIncomplete) && len(q.Haves) > 0 {
			// The server builds on what it thinks is here. Everything then.
			q.Haves, q.Shallows, q.Thin = nil, nil, false
			clear(g.fresh)
			err = g.bring(ctx, q, g.tip.pinned)
		}
		if err == nil {
			g.whole = filter == "" && len(q.Haves) == 0
			g.refuse(failed)
			g.grant(refusalOf(filter))
			return g.checkTip()
		}
		if !refused(err) {
			return err
		}
		failed, refusal = failed|refusalOf(filter), err
	}
	return g.otherwise(ctx, refusal)
}

// checkTip holds what a server says of a tag against the tag.
func (g *gathering) checkTip() error {
	if err := g.pinnedTag(); err != nil {
		return err
	}
	if o, ok := g.find(g.tip.want); ok && o.Kind == object.Tag {
		target, err := object.TargetOf(o.Body())
		if err == nil {
			err = leadsTo(target, g.tip.commit, g.find)
		}
		if err != nil && g.verifier.tag {
			err = fmt.Errorf("%w: %w", source.ErrUnverified, err)
		}
		if err != nil {
			return fmt.Errorf("tag %q: %w", g.tip.tag, err)
		}
	}
	if !g.has(g.tip.commit) {
		return fmt.Errorf("commit %s: %w", g.tip.commit, errIncomplete)
	}
	return nil
}

// pinnedTag is for a tag's hash in the place of its commit's, which git show-ref and release pages tell.
func (g *gathering) pinnedTag() error {
	o, ok := g.find(g.tip.commit)
	if !ok || !g.tip.pinned || o.Kind != object.Tag {
		return nil
	}
	first, err := object.TargetOf(o.Body())
	target := first
	for err == nil && target.Kind == object.Tag {
		if o, ok = g.find(target.Hash); !ok || o.Kind != object.Tag {
			break
		}
		target, err = object.TargetOf(o.Body())
	}
	if err != nil {
		return fmt.Errorf("Options.Commit %s: %w", g.tip.commit, err)
	}
	return fmt.Errorf("Options.Commit %s is the annotated tag %.200q, of the %s %s: "+
		"give the commit, as git rev-parse 'TAG^{commit}' prints it", g.tip.commit, first.Name, target.Kind, target.Hash)
}

// haves are the commits that are here as this source wants them.
func (g *gathering) haves(ctx context.Context) ([]object.Hash, error) {
	records, err := g.repository.Records(ctx)
	if err != nil {
		return nil, err
	}
	var commits []object.Hash
	scope, here := g.scopeKey(), g.has(g.tip.commit) // and only its tag is not
	for _, r := range records {
		if len(commits) == maxHaves {
			break
		}
		if r.Scope == scope && (r.Commit != g.tip.commit || here) && !slices.Contains(commits, r.Commit) {
			commits = append(commits, r.Commit)
		}
	}
	return commits, nil
}

// maxHaves is how many commits a server is told of.
const maxHaves = 8

// tipFilters are the ways to ask for the tip, of which a server may refuse all but the last one. What a server with filters
// sends at first is the folders that lead to the paths; with a commit that is here, the folders that are new.
func (g *gathering) tipFilters(known bool) []string {
	var filters []string
	if g.part() && g.remote.filters() {
		if len(g.scope) > 0 && !known && !g.is(refusesDepth) {
			filters = append(filters, fmt.Sprintf("combine:blob:none+tree:%d", g.scope.depth()+1))
		}
		if !g.is(refusesBlobNone) {
			filters = append(filters, blobNone)
		}
	}
	return append(filters, "")
}

const (
	blobNone = "blob:none"
	// Manifests are smaller, and come along with their folders. A larger file may turn out to be ignored.
	blobSmall = "blob:limit=64k"
	treeNone  = "tree:0"
)

// bringLacking asks for objects by their hashes, if it may; if the server does not give them so, for everything.
func (g *gathering) bringLacking(ctx context.Context, w *walk, byHash bool) error {
	byHash = byHash && g.part() && g.remote.filters() && !g.is(refusesHashes)
	q := wire.Request{Wants: w.lackedBy(func(l lacked) bool { return l.above })}
	if len(q.Wants) > 0 {
		q.Filter = treeNone // the folders alone that lead to a path
	} else {
		q.Wants = w.lackedBy(func(lacked) bool { return true })
		if q.Filter = blobSmall; g.opts.Ignore != "" {
			q.Filter = blobNone
		}
	}
	if !g.part() {
		q.Filter = ""
	}
	if byHash {
		err := g.bring(ctx, q, true)
		if err == nil && slices.ContainsFunc(q.Wants, g.has) {
			g.grant(refusesHashes)
			return nil
		}
		if err != nil && !refused(err) {
			return err
		}
	}
	g.whole = true
	clear(g.fresh) // it all comes again
	err := g.bring(ctx, wire.Request{Wants: []object.Hash{g.tip.want}, Depth: 1}, g.tip.pinned)
	if err != nil && refused(err) {
		return g.otherwise(ctx, err)
	}
	if err == nil && byHash {
		g.refuse(refusesHashes)
	}
	return err
}

// bring asks for a pack and keeps its objects.
func (g *gathering) bring(ctx context.Context, q wire.Request, hashes bool) error {
	objects, _, err := g.remote.pack(ctx, need{Request: q, hashes: hashes, base: g.find, limits: g.room()})
	if len(g.fresh) == 0 && objects != nil {
		g.fresh = objects
	} else {
		maps.Copy(g.fresh, objects)
	}
	return err
}

// room is what the limits leave for one more pack: those that came before are in memory too. Packs have what is no file of
// the content, such as folders, and what is outside or ignored where the server does not filter: where limits are lower than
// the defaults, only the walk holds the content against them. Packs without blobs have folders that are not wanted, so that
// all together may have more objects than one.
func (g *gathering) room() source.Limits {
	limits := g.opts.Limits
	limits.MaxFiles = max(limits.MaxFiles, source.DefaultMaxFiles)
	limits.MaxFileBytes = max(limits.MaxFileBytes, source.DefaultMaxFileBytes)
	for _, o := range g.fresh {
		limits.MaxBytes -= int64(o.Size())
	}
	limits.MaxBytes = max(limits.MaxBytes, 1) // zero would be the default
	if rest := min(int64(limits.MaxFiles), math.MaxInt64/4)*4 - int64(len(g.fresh)); rest < int64(limits.MaxFiles) {
		limits.MaxFiles = int(max(rest, 1))
	}
	return limits
}

// otherwise is for a server that refuses to hand out a commit. One that was named by its hash may come with a history.
func (g *gathering) otherwise(ctx context.Context, refusal error) error {
	if g.tip.pinned && !g.tip.branch.IsZero() {
		return g.deepen(ctx, refusal)
	}
	return g.describe(refusal)
}

// deepen looks for a pinned commit in the history of what else is named, further and further back.
func (g *gathering) deepen(ctx context.Context, refusal error) error {
	for depth := 64; ; depth *= 8 {
		objects, shallow, err := g.remote.pack(ctx, need{base: g.find, limits: g.room(),
			Request: wire.Request{Wants: []object.Hash{g.tip.branch}, Depth: depth}})
		if err != nil {
			return err
		}
		if _, ok := objects[g.tip.commit]; ok {
			g.whole, g.fresh = true, objects
			return nil
		}
		if len(shallow) == 0 || depth > 1<<24 {
			return fmt.Errorf("commit %s: %w: it is not in the history of %s, and the server does not give it by its hash: %w",
				g.tip.commit, source.ErrNotFound, g.tip.branch, refusal)
		}
	}
}

// describe says more about a refusal to hand out a commit. That the network fails says nothing of the commit.
func (g *gathering) describe(refusal error) error {
	if !g.tip.pinned || errors.As(refusal, new(*net.OpError)) {
		return refusal
	}
	return fmt.Errorf("commit %s: %w: there is none, or the server gives tips of branches and tags only: %w",
		g.tip.commit, source.ErrNotFound, refusal)
}
