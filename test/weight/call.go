package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// call is a relay with a page and a wzp join in one room.
type call struct {
	relay, join *exec.Cmd
	browser     context.Context // of the tab
	close       func()
}

// startCall starts all three, in a home directory of its own. Nobody looks at the page of a quiet call.
func startCall(ctx context.Context, program, home string, with sounds, quiet bool) (c *call, err error) {
	c = &call{close: func() {}}
	defer func() {
		if err != nil {
			c.end()
		}
	}()
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	addr, page, err := c.startRelay(ctx, program, home)
	if err != nil {
		return nil, err
	}
	mic, in := with.pauses, with.speech
	if quiet {
		mic, in = with.silence, "none"
	}
	c.join = command(ctx, home, program, "join", "room", "--relay", addr, "--name", "bert", "--in", in,
		"--out", "none", "--json")
	if err := c.join.Start(); err != nil {
		return nil, err
	}
	return c, c.open(ctx, page+"room", mic, quiet)
}

func command(ctx context.Context, home, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"),
		"XDG_DATA_HOME="+filepath.Join(home, "data"))
	return cmd
}

// startRelay returns the relay's address and that of its page.
func (c *call) startRelay(ctx context.Context, program, home string) (addr, page string, err error) {
	c.relay = command(ctx, home, program, "relay", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
		"--admin", "127.0.0.1:0", "--data", filepath.Join(home, "relay"), "--log-json")
	out, err := c.relay.StderrPipe()
	if err != nil {
		return "", "", err
	}
	if err := c.relay.Start(); err != nil {
		return "", "", err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var log struct{ Msg, UDP, HTTP string }
		if json.Unmarshal(lines.Bytes(), &log) == nil && log.Msg == "listening" {
			return log.UDP, "http://" + log.HTTP + "/", nil
		}
	}
	return "", "", errors.New("the relay does not start")
}

// open joins with a page.
func (c *call) open(ctx context.Context, address, mic string, hidden bool) error {
	ctx, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox,
		chromedp.Flag("headless", "new"),
		chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-audio-capture", mic),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("mute-audio", false))...)
	tab, leave := chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	c.browser, c.close = tab, func() { leave(); stop() }
	err := chromedp.Run(tab, chromedp.Navigate(address),
		chromedp.Poll("document.documentElement.dataset.state === 'door'", nil),
		chromedp.Evaluate(`document.querySelector('input[autocomplete=nickname]').value = 'anna';
			document.querySelector('button[type=submit]').click()`, nil),
		chromedp.Poll("document.documentElement.dataset.members === '2'", nil))
	if err != nil || !hidden {
		return err
	}
	whole := cdp.WithExecutor(tab, chromedp.FromContext(tab).Browser)
	if _, err := target.CreateTarget("about:blank").Do(whole); err != nil { // it lies over the page
		return err
	}
	return chromedp.Run(tab, chromedp.Poll("document.hidden", nil, chromedp.WithPollingInterval(time.Second)))
}

// rest ends the service worker.
func (c *call) rest() error {
	return chromedp.Run(c.browser, serviceworker.Enable(), serviceworker.StopAllWorkers(),
		serviceworker.Disable())
}

// end ends all three.
func (c *call) end() {
	c.close()
	for _, cmd := range []*exec.Cmd{c.join, c.relay} {
		if cmd != nil && cmd.Process != nil {
			_ = cmd.Process.Kill() // or it has ended
			_ = cmd.Wait()
		}
	}
}

// cost is what a call has cost so far.
type cost struct {
	at     time.Time
	cpu    map[string]time.Duration
	memory map[string]int // bytes
}

// cost measures it, after the page has collected its garbage.
func (c *call) cost() (cost, error) {
	made := cost{time.Now(), map[string]time.Duration{}, map[string]int{}}
	var used float64
	err := chromedp.Run(c.browser, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		if err = heapprofiler.CollectGarbage().Do(ctx); err == nil {
			used, _, _, _, err = runtime.GetHeapUsage().Do(ctx)
		}
		return err
	}))
	if err != nil {
		return made, err
	}
	made.memory["page's objects"] = int(used)
	for what, cmd := range map[string]*exec.Cmd{"relay": c.relay, "wzp join": c.join} {
		if err := made.add(what, cmd.Process.Pid, false); err != nil {
			return made, err
		}
	}
	return made, made.addBrowser(chromedp.FromContext(c.browser).Browser.Process().Pid)
}

// addBrowser adds the processes of a Chromium, by their kind.
func (c *cost) addBrowser(pid int) error {
	pids, err := descendants(pid)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			return err
		}
		kind := "browser"
		between := func(r rune) bool { return r == 0 || r == ' ' }
		for _, arg := range strings.FieldsFunc(string(line), between) {
			if value, ok := strings.CutPrefix(arg, "--type="); ok {
				kind = value
			}
			if value, ok := strings.CutPrefix(arg, "--utility-sub-type="); ok {
				kind = value
			}
		}
		if err := c.add("chromium, "+kind, pid, kind == "renderer"); err != nil {
			return err
		}
	}
	return nil
}
