package test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// page is a tab of a real browser, in a process of its own: each has a microphone that plays one file.
//
//	file.wav ──> fake microphone ──> page ──> relay ──> page or wzp join
//	                                  '── what it plays ──> ear (ear.js) ──> heard
type page struct {
	t *testing.T
	driver
	tab *chromium // null in Firefox
}

// driver drives the tab of a page: by Chromium's own protocol, or by WebDriver BiDi.
type driver interface {
	// evaluate runs a script, and waits for the promise that it returns, if it does.
	evaluate(script string, result any) error
	stroke(kind input.KeyType, key, code string, repeat bool) error
	pointer(kind input.MouseType, x, y float64) error
	// played returns what was heard since the last call, at 48 kHz.
	played() ([]float32, error)
	screenshot() ([]byte, error)
	// said returns what was said in the console.
	said() []string
}

// chromium is a driver.
type chromium struct {
	ctx context.Context
	log []string // of the console: errors and warnings
}

// ear records what a page plays, before any script of the page runs.
const ear = `(() => {
	const chunks = [];
	let rate = 0;
	const taps = new Map(); // by context
	const connect = AudioNode.prototype.connect;
	AudioNode.prototype.connect = function (to, ...rest) {
		if (to === this.context.destination) {
			let tap = taps.get(this.context);
			if (!tap) {
				tap = this.context.createScriptProcessor(1024, 1, 1);
				taps.set(this.context, tap);
				rate = this.context.sampleRate;
				tap.onaudioprocess = (e) => deaf || chunks.push(e.inputBuffer.getChannelData(0).slice());
				connect.call(tap, to);
			}
			connect.call(this, tap);
		}
		return connect.call(this, to, ...rest);
	};
	let deaf = false;
	globalThis.wzpEar = {
		stop() {
			deaf = true;
			chunks.length = 0;
		},
		take() {
			const all = new Int16Array(chunks.reduce((n, c) => n + c.length, 0));
			let at = 0;
			for (const c of chunks) for (const v of c) all[at++] = Math.max(-1, Math.min(1, v)) * 32767;
			chunks.length = 0;
			let text = '';
			const bytes = new Uint8Array(all.buffer);
			for (let i = 0; i < bytes.length; i += 0x8000) {
				text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
			}
			return { rate, pcm: btoa(text) };
		},
	};
})()`

// look is how a page is opened.
type look struct {
	say    string   // Chromium: WAV file of the microphone; "": beeps
	phone  bool     // Chromium: a small screen with touch
	before string   // script that runs before those of the page
	flags  []string // of Chromium; of Firefox preferences, as `"name", value`
	mute   bool     // Firefox: there is no sound device
}

// openPage opens a page in a browser of its own.
func openPage(t *testing.T, address string, how look) *page {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox,
		chromedp.Flag("headless", "new"),
		chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("mute-audio", false),
		chromedp.WindowSize(1280, 800),
	)
	if how.say != "" {
		options = append(options, chromedp.Flag("use-file-for-fake-audio-capture", how.say+"%noloop"))
	}
	for _, flag := range how.flags {
		name, value, _ := strings.Cut(flag, "=")
		options = append(options, chromedp.Flag(name, value))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	// it is about events that it does not know
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(cancel)
	tab := &chromium{ctx: ctx}
	p := &page{t: t, driver: tab, tab: tab}
	chromedp.ListenTarget(ctx, tab.event)
	actions := []chromedp.Action{chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := cdppage.AddScriptToEvaluateOnNewDocument(ear + ";" + how.before).Do(ctx)
		return err
	})}
	if how.phone {
		actions = append(actions, emulation.SetDeviceMetricsOverride(390, 844, 2, true),
			emulation.SetTouchEmulationEnabled(true))
	}
	p.do(append(actions, chromedp.Navigate(address))...)
	t.Cleanup(func() {
		if t.Failed() {
			p.show()
		}
	})
	return p
}

// event keeps what the page says in its console.
func (c *chromium) event(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		c.log = append(c.log, "exception: "+e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		line := string(e.Type) + ":"
		for _, arg := range e.Args {
			line += " " + string(arg.Value) + arg.Description
		}
		c.log = append(c.log, line)
	}
}

// show logs what a failed test's page looked like.
func (p *page) show() {
	var text string
	if err := p.evaluate(
		`JSON.stringify(document.documentElement.dataset) + "\n" + document.body.innerText`, &text); err != nil {
		text = err.Error()
	}
	p.t.Logf("the page shows: %s\nconsole: %s", text, strings.Join(p.said(), "\n"))
	if dir := os.Getenv("WZP_SCREENSHOTS"); dir != "" {
		if shot, err := p.screenshot(); err == nil {
			name := strings.ReplaceAll(p.t.Name(), "/", "-") + ".png"
			os.WriteFile(filepath.Join(dir, name), shot, 0o600)
		}
	}
}

// do runs actions, which may take a while on a busy machine.
func (p *page) do(actions ...chromedp.Action) {
	p.t.Helper()
	if err := p.tab.run(actions...); err != nil {
		p.t.Fatal(err)
	}
}

// run is do.
func (c *chromium) run(actions ...chromedp.Action) error {
	// The first Run starts the browser, and its context ends it: that one must not time out.
	if err := chromedp.Run(c.ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

func (c *chromium) evaluate(script string, result any) error {
	type params = runtime.EvaluateParams
	wait := func(p *params) *params { return p.WithAwaitPromise(true) }
	return c.run(chromedp.Evaluate(script, result, wait))
}

func (c *chromium) stroke(kind input.KeyType, key, code string, repeat bool) error {
	event := input.DispatchKeyEvent(kind).WithKey(key).WithCode(code).WithAutoRepeat(repeat)
	return c.run(event.WithWindowsVirtualKeyCode(int64(key[0])))
}

func (c *chromium) pointer(kind input.MouseType, x, y float64) error {
	return c.run(input.DispatchMouseEvent(kind, x, y).WithButton(input.Left).WithClickCount(1))
}

func (c *chromium) screenshot() (shot []byte, err error) {
	return shot, c.run(chromedp.CaptureScreenshot(&shot))
}

func (c *chromium) said() []string { return c.log }

// eval returns what a script returns, or what the promise that it returns is resolved with.
func (p *page) eval(script string, result any) {
	p.t.Helper()
	if err := p.evaluate(script, result); err != nil {
		p.t.Fatal(err)
	}
}

// until waits until a script returns true. While a page goes to another one it cannot say anything.
func (p *page) until(what, script string, timeout time.Duration) {
	p.t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		var ok bool
		err := p.evaluate("Boolean("+script+")", &ok)
		if ok {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: not within %v (%v)", what, timeout, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// state waits until the page says that it is in a state.
func (p *page) state(want string, timeout time.Duration) {
	p.t.Helper()
	p.until("state "+want, fmt.Sprintf("document.documentElement.dataset.state === %q", want), timeout)
}

// members waits until the page shows so many, itself included.
func (p *page) members(n int) {
	p.t.Helper()
	p.until(fmt.Sprintf("%d members", n), fmt.Sprintf("document.documentElement.dataset.members === '%d'", n),
		soon)
}

// recorded returns what the page has played so far, at 48 kHz.
func (p *page) recorded() []float32 {
	p.t.Helper()
	pcm, err := p.played()
	if err != nil {
		p.t.Fatal(err)
	}
	return pcm
}

func (c *chromium) played() ([]float32, error) {
	var sound struct {
		Rate float64 `json:"rate"`
		PCM  string  `json:"pcm"`
	}
	if err := c.evaluate("wzpEar.take()", &sound); err != nil {
		return nil, err
	}
	if sound.Rate != 48_000 {
		return nil, fmt.Errorf("the page plays at %v Hz", sound.Rate)
	}
	return samplesOf(sound.PCM)
}

// samplesOf reads 16 bit samples in base64.
func samplesOf(text string) ([]float32, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	pcm := make([]float32, len(b)/2)
	for i := range pcm {
		pcm[i] = float32(int16(binary.LittleEndian.Uint16(b[2*i:]))) / math.MaxInt16
	}
	return pcm, err
}

// key presses or releases a key.
func (p *page) key(kind input.KeyType, key, code string, repeat bool) {
	p.t.Helper()
	if err := p.stroke(kind, key, code, repeat); err != nil {
		p.t.Fatal(err)
	}
}

// mouse presses or releases its left button at a place of the window.
func (p *page) mouse(kind input.MouseType, x, y float64) {
	p.t.Helper()
	if err := p.pointer(kind, x, y); err != nil {
		p.t.Fatal(err)
	}
}

// middle returns the middle of an element, in CSS pixels of the window.
func (p *page) middle(selector string) (x, y float64) {
	p.t.Helper()
	var at [2]float64
	p.eval(fmt.Sprintf(`(() => {
		const r = document.querySelector(%q).getBoundingClientRect();
		return [r.x + r.width / 2, r.y + r.height / 2];
	})()`, selector), &at)
	return at[0], at[1]
}
