// Package sourcetest is the contract of [source.Source] as a test, for whoever writes one.
//
//	func TestConformance(t *testing.T) {
//		sourcetest.Test(t, func(t *testing.T) sourcetest.Origin {
//			store := newStore(t)
//			return sourcetest.Origin{
//				New:   func() (source.Source, error) { return mine.New(store.URL) },
//				Write: store.Write,
//			}
//		})
//	}
//
// Each of its checks gets an origin of its own, writes files into it, and looks at what a Source makes of them: that content
// is whole and is what was written, when a revision changes and when not, that a snapshot outlives later fetches and ends with
// Close, that the identities which a snapshot tells, if it does, are those of the content, that fetching at once from many
// goroutines works, and that a context which has ended is heeded.
//
// It cannot see how many requests a fetch costs, what happens to hostile content, and whether credentials leak: those tests
// are each Source's own.
package sourcetest
