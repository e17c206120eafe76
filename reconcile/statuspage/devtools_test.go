package statuspage_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// A browser is a Chromium without a window, told what to do by the DevTools protocol over a pair of pipes.
type browser struct {
	t       testing.TB
	to      *os.File
	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
	events  map[string][]reply // of a session
	gone    bool
}

// A reply is the answer to a command, or an event.
type reply struct {
	ID        int             `json:"id"`
	SessionID string          `json:"sessionId"`
	Method    string          `json:"method"`
	Params    json.RawMessage `json:"params"`
	Result    json.RawMessage `json:"result"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// browse starts a browser that ends with the test.
func browse(t testing.TB) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && program == "" {
			program = path
		}
	}
	if program == "" {
		t.Skip("chromium, chromium-browser or google-chrome is not installed")
	}
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, theirsToo, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "statuspage")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-extensions", "--hide-scrollbars", "--user-data-dir="+profile, "--remote-debugging-pipe")
	cmd.ExtraFiles = []*os.File{theirs, theirsToo}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	theirsToo.Close()
	b := &browser{t: t, to: to, waiting: make(map[int]chan reply), events: make(map[string][]reply)}
	done := make(chan struct{})
	go b.read(from, done)
	t.Cleanup(func() {
		b.send("", "Browser.close", nil)
		ended := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		ended.Stop()
		<-done
		to.Close()
		from.Close()
		for range 100 { // processes of the browser's own may write for a little longer
			if os.RemoveAll(profile) == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return b
}

func (b *browser) read(from *os.File, done chan<- struct{}) {
	defer close(done)
	for in := bufio.NewReaderSize(from, 1<<16); ; {
		message, err := in.ReadBytes(0)
		b.mu.Lock()
		if err != nil {
			b.gone = true
			for _, c := range b.waiting {
				close(c)
			}
			b.mu.Unlock()
			return
		}
		var r reply
		_ = json.Unmarshal(message[:len(message)-1], &r)
		if c := b.waiting[r.ID]; c != nil {
			delete(b.waiting, r.ID)
			c <- r
		} else {
			b.events[r.SessionID] = append(b.events[r.SessionID], r)
		}
		b.mu.Unlock()
	}
}

// send sends a command without waiting for its answer, which is on the channel.
func (b *browser) send(session, method string, params any) <-chan reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	answer := make(chan reply, 1)
	if b.gone {
		close(answer)
		return answer
	}
	b.waiting[b.last] = answer
	command := map[string]any{"id": b.last, "method": method}
	if params != nil {
		command["params"] = params
	}
	if session != "" {
		command["sessionId"] = session
	}
	text, err := json.Marshal(command)
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	if err != nil {
		b.t.Errorf("%s: %v", method, err)
	}
	return answer
}

// A tab shows one page.
type tab struct {
	*browser
	t       testing.TB
	session string
}

// params are those of a command.
type params map[string]any

// open returns a tab of its own, with a window of this size.
func (b *browser) open(test testing.TB, width, height int) *tab {
	test.Helper()
	t := &tab{browser: b, t: test}
	var target struct{ TargetID string }
	t.do("Target.createTarget", params{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	t.do("Target.attachToTarget", params{"targetId": target.TargetID, "flatten": true}, &attached)
	t.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		t.do(domain+".enable", nil, nil)
	}
	t.do("Emulation.setDeviceMetricsOverride",
		params{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	return t
}

// do gives a command and waits for its result.
func (t *tab) do(method string, p params, result any) {
	t.t.Helper()
	var r reply
	select {
	case told, ok := <-t.send(t.session, method, p):
		if r = told; !ok {
			t.t.Fatalf("%s: the browser is gone", method)
		}
	case <-time.After(30 * time.Second):
		t.t.Fatalf("%s: the browser does not answer", method)
	}
	if r.Error != nil {
		t.t.Fatalf("%s: %s", method, r.Error.Message)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(r.Result, result); err != nil {
		t.t.Fatalf("%s: %v in %s", method, err, r.Result)
	}
}

// visit loads a page in full.
func (t *tab) visit(address string) {
	t.t.Helper()
	t.do("Page.navigate", params{"url": address}, nil)
	t.until("location.href === " + quote(address))
}

// eval returns what an expression of the page's is, which is awaited.
func eval[T any](t *tab, expression string) T {
	t.t.Helper()
	var told struct {
		Result           struct{ Value T }
		ExceptionDetails any
	}
	t.do("Runtime.evaluate", params{"expression": expression, "returnByValue": true, "awaitPromise": true}, &told)
	if told.ExceptionDetails != nil {
		t.t.Fatalf("%s: %v", expression, told.ExceptionDetails)
	}
	return told.Result.Value
}

// until waits for a page that is there in full to be so. It asks again and again, for it may be a new one meanwhile.
func (t *tab) until(condition string) {
	t.t.Helper()
	for range 1500 {
		if eval[bool](t, "document.readyState === 'complete' && !!("+condition+")") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.t.Fatalf("the page has not become %s:\n%.2000s", condition, eval[string](t, "document.body.outerHTML"))
}

// press presses a key, which is called so in KeyboardEvent.key.
func (t *tab) press(key string, shift bool) {
	t.t.Helper()
	codes := map[string]int{"Tab": 9, "Enter": 13, " ": 32}
	p := params{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
	switch key {
	case "Enter":
		p["text"] = "\r"
	case " ":
		p["text"], p["code"] = " ", "Space"
	}
	if shift {
		p["modifiers"] = 8
	}
	t.do("Input.dispatchKeyEvent", p, nil)
	p["type"] = "keyUp"
	delete(p, "text")
	t.do("Input.dispatchKeyEvent", p, nil)
}

// complaints are what the browser has logged as wrong: scripts that failed, and what the policy has stopped. A page that is
// not found is none.
func (t *tab) complaints() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for _, e := range t.events[t.session] {
		if strings.Contains(string(e.Params), "status of 404") {
			continue
		}
		switch e.Method {
		case "Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled":
			all = append(all, fmt.Sprintf("%s: %s", e.Method, e.Params))
		}
	}
	return all
}

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}
