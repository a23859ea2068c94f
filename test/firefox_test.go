package test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/coder/websocket"
)

// firefox drives a tab of a real Firefox by WebDriver BiDi, which that speaks itself.
type firefox struct {
	soundCard
	process *process
	conn    *websocket.Conn
	tab     string // its browsing context

	mu      sync.Mutex // guards all below
	last    int        // number of the last command
	waiting map[int]chan bidiMessage
	console []string
	err     error // why nothing more is answered
}

// bidiMessage is an answer to a command, or an event, which has no id.
type bidiMessage struct {
	ID      int             `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   string          `json:"error"`
	Message string          `json:"message"`
	Params  struct {
		Level string `json:"level"`
		Text  string `json:"text"`
	} `json:"params"`
}

// firefoxPrefs say what a user would by clicks, that the microphone may be used and sound may begin, and keep
// the browser small and from going out for things of its own.
const firefoxPrefs = `user_pref("media.navigator.permission.disabled", true);
user_pref("media.navigator.streams.fake", false);
user_pref("media.autoplay.default", 0);
user_pref("media.autoplay.blocking_policy", 0);
user_pref("browser.startup.page", 0);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("dom.ipc.processCount", 1);
user_pref("dom.ipc.processPrelaunch.enabled", false);
user_pref("fission.autostart", false);
`

// openFirefox opens a page in a Firefox of its own, with a sound server of its own.
func openFirefox(t *testing.T, address string, how look) *page {
	t.Helper()
	f := &firefox{soundCard: soundCard{dir: t.TempDir()}, waiting: make(map[int]chan bidiMessage)}
	if !how.mute {
		f.plugIn(t)
	}
	f.start(t, how)
	p := &page{t: t, driver: f}
	t.Cleanup(func() {
		if t.Failed() {
			p.show()
		}
	})
	f.must(t, "script.addPreloadScript", "functionDeclaration", "() => {"+how.before+"\n}")
	f.must(t, "browsingContext.navigate", "context", f.tab, "url", address, "wait", "interactive")
	return p
}

// start runs the browser, and attaches to its tab.
func (f *firefox) start(t *testing.T, how look) {
	t.Helper()
	profile := filepath.Join(f.dir, "profile")
	if err := os.Mkdir(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	prefs := firefoxPrefs
	for _, flag := range how.flags {
		prefs += "user_pref(" + flag + ");\n"
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs), 0o600); err != nil {
		t.Fatal(err)
	}
	name, err := exec.LookPath("firefox-esr")
	if err != nil {
		name = "firefox"
	}
	cmd := exec.Command(name, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0")
	cmd.Env = append(f.environment(), "MOZ_CRASHREPORTER_DISABLE=1")
	f.process = launch(t, cmd)
	const says = "WebDriver BiDi listening on "
	listens := func(line string) bool { return strings.Contains(line, says) }
	n, ok := f.process.stderr.after(0, listens, f.process.done, patience)
	if !ok {
		t.Fatal("Firefox does not listen")
	}
	_, at, _ := strings.Cut(f.process.stderr.line(n), says)
	f.attach(t, strings.TrimSpace(at)+"/session")
}

// attach begins a session, and finds the tab.
func (f *firefox) attach(t *testing.T, address string) {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 26)
	f.conn = conn
	done := make(chan struct{})
	go func() { defer close(done); f.read() }()
	t.Cleanup(func() { conn.CloseNow(); <-done })
	f.must(t, "session.new", "capabilities", map[string]any{})
	f.must(t, "session.subscribe", "events", []string{"log.entryAdded"})
	var tree struct {
		Contexts []struct{ Context string }
	}
	if err := json.Unmarshal(f.must(t, "browsingContext.getTree"), &tree); err != nil || len(tree.Contexts) == 0 {
		t.Fatalf("Firefox has no tab: %v", err)
	}
	f.tab = tree.Contexts[0].Context
}

// read hands out what comes, until the connection ends.
func (f *firefox) read() {
	for {
		_, b, err := f.conn.Read(context.Background())
		var m bidiMessage
		if err == nil {
			err = json.Unmarshal(b, &m)
		}
		f.mu.Lock()
		if err != nil {
			f.err = err
			for _, answer := range f.waiting {
				close(answer)
			}
			f.mu.Unlock()
			return
		}
		if answer := f.waiting[m.ID]; answer != nil {
			delete(f.waiting, m.ID)
			answer <- m
		} else if m.Params.Text != "" {
			f.console = append(f.console, m.Params.Level+": "+m.Params.Text)
		}
		f.mu.Unlock()
	}
}

// command sends a command, whose parameters are names and values in turn, and waits for the answer.
func (f *firefox) command(method string, params ...any) (json.RawMessage, error) {
	named := make(map[string]any)
	for i := 0; i < len(params); i += 2 {
		named[params[i].(string)] = params[i+1]
	}
	answer := make(chan bidiMessage, 1)
	f.mu.Lock()
	f.last++
	id := f.last
	f.waiting[id] = answer
	err := f.err
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(map[string]any{"id": id, "method": method, "params": named})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := f.conn.Write(ctx, websocket.MessageText, b); err != nil {
		return nil, err
	}
	select {
	case m, ok := <-answer:
		switch {
		case !ok:
			return nil, errors.New("Firefox is gone")
		case m.Error != "":
			return nil, fmt.Errorf("%s: %s: %s", method, m.Error, m.Message)
		}
		return m.Result, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// must is command, of which the test needs an answer.
func (f *firefox) must(t *testing.T, method string, params ...any) json.RawMessage {
	t.Helper()
	result, err := f.command(method, params...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (f *firefox) evaluate(script string, result any) error {
	b, err := f.command("script.evaluate", "target", map[string]any{"context": f.tab}, "awaitPromise", true,
		"expression", "Promise.resolve("+script+").then((v) => JSON.stringify(v) ?? 'null')")
	if err != nil {
		return err
	}
	var said struct {
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return err
	}
	if said.ExceptionDetails.Text != "" {
		return errors.New(said.ExceptionDetails.Text)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal([]byte(said.Result.Value), result)
}

// perform does things with the keyboard or the mouse.
func (f *firefox) perform(source map[string]any) error {
	_, err := f.command("input.performActions", "context", f.tab, "actions", []any{source})
	return err
}

func (f *firefox) stroke(kind input.KeyType, key, _ string, _ bool) error {
	return f.perform(keyActions(kind, key))
}

func (f *firefox) pointer(kind input.MouseType, x, y float64) error {
	return f.perform(mouseActions(kind, x, y))
}

// keyActions is a key going down or up, as both kinds of WebDriver say it.
func keyActions(kind input.KeyType, key string) map[string]any {
	what := "keyDown"
	if kind == input.KeyUp {
		what = "keyUp"
	}
	return map[string]any{"type": "key", "id": "keys", "actions": []any{
		map[string]any{"type": what, "value": key},
	}}
}

// mouseActions is its left button going down or up at a place.
func mouseActions(kind input.MouseType, x, y float64) map[string]any {
	what := "pointerDown"
	if kind == input.MouseReleased {
		what = "pointerUp"
	}
	return map[string]any{"type": "pointer", "id": "mouse", "actions": []any{
		map[string]any{"type": "pointerMove", "x": math.Round(x), "y": math.Round(y)},
		map[string]any{"type": what, "button": 0},
	}}
}

func (f *firefox) screenshot() ([]byte, error) {
	b, err := f.command("browsingContext.captureScreenshot", "context", f.tab)
	var shot struct{ Data string }
	if err == nil {
		err = json.Unmarshal(b, &shot)
	}
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(shot.Data)
}

func (f *firefox) said() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.console...)
}
