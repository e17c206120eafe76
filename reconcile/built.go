package reconcile

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/source"
)

// A built is what a revision was built to. Its objects do not change.
type built struct {
	revision source.Revision
	objects  []*unstructured.Unstructured
	digest   digest.Digest // of the objects
	artifact digest.Digest // in the Store, that has the content; empty where it is not to be tagged
	proven   bool          // it was applied before, by an earlier process: it asks for no dependency
	took     Durations
}

// newBuilt takes the digest from what was built before, where the objects are the very same. The slice stays the builder's,
// which may use it again.
func newBuilt(revision source.Revision, objects []*unstructured.Unstructured, before ...*built) (*built, error) {
	b := &built{revision: revision, objects: slices.Clone(objects)}
	for _, was := range before {
		if was != nil && slices.Equal(was.objects, objects) {
			b.digest = was.digest
			return b, nil
		}
	}
	sum := sha256.New()
	encoder := json.NewEncoder(sum)
	for _, o := range objects {
		if o == nil {
			return nil, fmt.Errorf("building gave an object that is nil")
		}
		if err := encoder.Encode(o.Object); err != nil {
			return nil, fmt.Errorf("encoding %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	b.digest = digest.NewDigest(digest.SHA256, sum)
	return b, nil
}

// same tells whether other has the same objects.
func (b *built) same(other *built) bool { return b != nil && other != nil && b.digest == other.digest }

// record keeps an outcome, or counts it where it is like the last one.
func (l *Loop) record(c *core, o *Outcome) *Outcome {
	o.Time = time.Now()
	o.Last = o.Time
	if len(c.history) > 0 {
		last := c.history[0]
		if last.repeatedBy(o) {
			last.Revision, last.Last = o.Revision, o.Last
			last.Repeats++
			return last
		}
	}
	most := l.History
	if most == 0 {
		most = 10
	}
	// A new slice: a Status may be made of the old one.
	c.history = slices.Concat([]*Outcome{o}, c.history)
	c.history = c.history[:min(max(most, 0), len(c.history))]
	return o
}

// repeatedBy tells whether nothing of the other is worth to be told beside o.
func (o *Outcome) repeatedBy(other *Outcome) bool {
	quiet := len(o.Changes) == 0 && len(other.Changes) == 0 && o.Health != HealthWaiting && other.Health != HealthWaiting
	if !quiet || o.Digest != other.Digest || o.Stage != other.Stage {
		return false
	}
	if o.Err != nil && other.Err != nil {
		return o.Err.Error() == other.Err.Error() && o.Revision == other.Revision && o.Health == other.Health
	}
	return o.Err == nil && other.Err == nil && (o.Cause == CauseAdvance) == (other.Cause == CauseAdvance) &&
		(o.Revision == other.Revision || o.Cause == CauseAdvance)
}
