package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
)

// webkit drives a real WebKitGTK by classic WebDriver, on a screen that nobody sees.
//
//	webkit ── HTTP ──> WebKitWebDriver ──> MiniBrowser ──> Xvfb
type webkit struct {
	soundCard
	session string // its URL
}

// openWebKit opens a page in a WebKitGTK of its own, with a sound server of its own.
func openWebKit(t *testing.T, address string) *page {
	t.Helper()
	w := &webkit{soundCard: soundCard{dir: t.TempDir()}}
	w.plugIn(t)
	screen := launch(t, exec.Command("Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"))
	n, ok := screen.stdout.after(0, func(line string) bool { return line != "" }, screen.done, soon)
	if !ok {
		t.Fatal("there is no screen")
	}
	w.start(t, ":"+screen.stdout.line(n))
	p := &page{t: t, driver: w}
	t.Cleanup(func() {
		if t.Failed() {
			p.show()
		}
	})
	if err := w.ask(http.MethodPost, w.session+"/url", map[string]any{"url": address}, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// start runs the driver, and has it start the browser.
func (w *webkit) start(t *testing.T, display string) {
	t.Helper()
	programs, _ := filepath.Glob("/usr/lib/*/webkit2gtk-4.?/MiniBrowser")
	if len(programs) == 0 {
		t.Fatal("there is no WebKitGTK: run `make test`, which installs it")
	}
	port := freePort(t)
	at := net.JoinHostPort("127.0.0.1", port)
	cmd := exec.Command("WebKitWebDriver", "--host=127.0.0.1", "--port="+port)
	cmd.Env = append(w.environment(), "DISPLAY="+display)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its browser, which would survive it
	driver := launch(t, cmd)
	t.Cleanup(func() { syscall.Kill(-driver.cmd.Process.Pid, syscall.SIGKILL) })
	for deadline := time.Now().Add(soon); w.ask(http.MethodGet, "http://"+at+"/status", nil, nil) != nil; {
		if time.Sleep(10 * time.Millisecond); time.Now().After(deadline) {
			t.Fatal("the driver of WebKitGTK does not answer")
		}
	}
	options := map[string]any{"binary": programs[0], "args": []string{"--automation"}}
	match := map[string]any{"webkitgtk:browserOptions": options}
	var made struct{ SessionID string }
	ask := map[string]any{"capabilities": map[string]any{"alwaysMatch": match}}
	if err := w.ask(http.MethodPost, "http://"+at+"/session", ask, &made); err != nil {
		t.Fatal(err)
	}
	w.session = "http://" + at + "/session/" + made.SessionID
	t.Cleanup(func() { w.ask(http.MethodDelete, w.session, nil, nil) })
}

// ask has the driver do something.
func (w *webkit) ask(method, url string, body, result any) error {
	var b []byte
	if body != nil {
		b, _ = json.Marshal(body)
	}
	request, err := http.NewRequest(method, url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Value)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, result)
}

func (w *webkit) evaluate(script string, result any) error {
	text := "const done = arguments[0]; Promise.resolve(" + script + `).then(
		(v) => done({ value: JSON.stringify(v) ?? 'null' }), (e) => done({ error: String(e) }))`
	var said struct{ Value, Error string }
	ask := map[string]any{"script": text, "args": []any{}}
	if err := w.ask(http.MethodPost, w.session+"/execute/async", ask, &said); err != nil {
		return err
	}
	if said.Error != "" {
		return errors.New(said.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal([]byte(said.Value), result)
}

func (w *webkit) perform(source map[string]any) error {
	return w.ask(http.MethodPost, w.session+"/actions", map[string]any{"actions": []any{source}}, nil)
}

func (w *webkit) stroke(kind input.KeyType, key, _ string, _ bool) error {
	return w.perform(keyActions(kind, key))
}

func (w *webkit) pointer(kind input.MouseType, x, y float64) error {
	return w.perform(mouseActions(kind, x, y))
}

func (w *webkit) screenshot() ([]byte, error) {
	var shot string
	if err := w.ask(http.MethodGet, w.session+"/screenshot", nil, &shot); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(shot)
}

func (w *webkit) said() []string { return nil } // the driver does not tell
