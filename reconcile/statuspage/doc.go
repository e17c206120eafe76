// Package statuspage shows how loops stand: a page for a browser, and the same as JSON, for a program's own mux.
//
//	page := statuspage.New(&group, statuspage.Options{Title: "fleet"})
//	mux.Handle("/loops", page)
//
// One page lists the loops, those that need a look first, with a search and a filter by state; one page for each loop tells
// all of it: its revisions and why they differ, its errors in full, drift, dependencies, and the outcomes of its last rounds
// with their changes and durations. Everything is in the address, so that a view can be kept and sent on:
//
//	?q=words        loops that have all the words in their name, source, revisions or errors
//	?state=failing  loops in this state
//	?sort=name      or state, since, took; with a minus in front for the other way round
//	?page=2         of those, Options.PageSize on each
//	?loop=name      one loop
//	?format=json    the same as JSON, and so does a request that accepts application/json before text/html
//
// Since only the query counts and all addresses are relative, the handler works at any path, with or without StripPrefix.
//
// # JSON
//
// A list is a [Report], of all loops that q and state leave, not of one page; one loop is a [Loop]. Times are as in RFC
// 3339, durations are seconds, revisions are as source.Revision prints them. Fields without a value are left out.
//
// # In the browser
//
// Without scripts all of it works. A script of some eighty lines, in the page itself, searches while one types and keeps the
// page fresh; it stops while the page is hidden, while text is marked, and on demand. There is no other file: style and
// script come with the page, and its Content-Security-Policy lets nothing else run or load. Light or dark is the browser's
// choice. Names and errors from elsewhere are escaped, and so are characters that would reorder or hide text.
//
// # What it never does
//
// It changes nothing: it answers GET and HEAD only, and calls nothing but Status. It shows no object and no setting of a
// loop but its interval and its dependencies. Errors are shown as the stages gave them, which keep secrets out; should one
// have a URL with a user, a password or a signature all the same, these are masked. But it asks nobody who they are: where
// not everybody may see the names of objects and the errors, the program has to put its own check in front, as with pprof.
package statuspage
