package statuspage_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/statuspage"
)

// The page of a group's loops, in the program's own mux.
func Example() {
	var group reconcile.Group // and group.Add, group.Run
	mux := http.NewServeMux()
	mux.Handle("/debug/loops", statuspage.New(&group, statuspage.Options{Title: "fleet"}))

	// What a program that watches this one may ask.
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/debug/loops?state=failing&format=json", nil))
	fmt.Println(answer.Code, answer.Header().Get("Content-Type"))
	// Output:
	// 200 application/json; charset=utf-8
}
