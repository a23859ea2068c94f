package test

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// The tests of sound in pages run one at a time: a browser takes a core.

// A browser takes some seconds to start and to join, and its microphone plays meanwhile: what is said comes after them.
const browserLead = 8 * time.Second

// enter joins the room at whose door the page is.
func (p *page) enter(name string) {
	p.t.Helper()
	p.state("door", 30*time.Second)
	p.eval(fmt.Sprintf(`(() => {
		document.querySelector('input[autocomplete=nickname]').value = %q;
		document.querySelector('button[type=submit]').click();
	})()`, name), nil)
	p.state("joined", 30*time.Second)
}

// late returns a recording with silence before it, as a file, and the recording.
func late(t *testing.T, recording string, limit time.Duration) (path string, said []float32) {
	t.Helper()
	_, said = sound(t, recording, limit)
	path = filepath.Join(t.TempDir(), "late.wav")
	w, err := audio.CreateWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, pcm := range [][]float32{make([]float32, int(browserLead.Seconds())*audio.SampleRate), said, make([]float32, audio.SampleRate)} {
		if err := w.WriteFrame(pcm); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path, said
}

// understood fails the test unless what was said is all there: but for one frame in fifty, for the browser's echo
// canceller, noise suppression and gain control have changed how it sounds, and for what a busy machine spoils.
func understood(t *testing.T, said, heard []float32, load contention) {
	t.Helper()
	excuses := load.stop(t)
	report := speech.Compare(said, heard)
	t.Logf("%d of %d spoken frames are missing; correlation %.2f", len(report.Missing), report.Active, report.Correlation)
	if report.Active < 50 {
		t.Fatalf("only %d frames of the recording are speech", report.Active)
	}
	if len(report.Missing) > report.Active/50+excuses(report.Active) {
		t.Errorf("%d of %d spoken frames are missing: %v", len(report.Missing), report.Active, report.Missing)
	}
}

// blockUDP starts a relay that UDP does not reach from its page: packets to the page's host vanish.
func blockUDP(t *testing.T, args ...string) *relay {
	t.Helper()
	hole, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hole.Close() })
	port := hole.LocalAddr().(*net.UDPAddr).Port
	listen := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), uint16(port))
	return startRelayAt(t, listen.String(), filepath.Join(t.TempDir(), "relay"), args...)
}

// carriers are the ways in which a page may reach its relay.
var carriers = map[string]func(*testing.T) *relay{
	"webtransport": func(t *testing.T) *relay { return startRelay(t) },
	"websocket":    func(t *testing.T) *relay { return blockUDP(t) },
}

// path tells which way the page takes.
func (p *page) path() (path string) {
	p.t.Helper()
	p.until("a path", "document.documentElement.dataset.path", 10*time.Second)
	p.eval("document.documentElement.dataset.path", &path)
	return path
}

// TestPageIsHeard: what is said into a browser arrives whole at a native client.
func TestPageIsHeard(t *testing.T) {
	for carrier, start := range carriers {
		t.Run(carrier, func(t *testing.T) {
			r := start(t)
			in, said := late(t, speech.Keywords, 0)
			out := filepath.Join(t.TempDir(), "heard.wav")
			load := measureContention()
			listener := join(t, r.addr, "room", "--in", "none", "--out", out)
			p := openPage(t, r.page+"room", look{say: in})
			p.enter("anna")
			if path := p.path(); path != carrier {
				t.Errorf("the page takes %s", path)
			}
			time.Sleep(browserLead + time.Duration(len(said))*time.Second/audio.SampleRate)
			got := listener.leave().talker(t, "anna")
			if got.Lost != 0 || got.Forged != 0 {
				t.Errorf("%d packets are lost, %d forged", got.Lost, got.Forged)
			}
			understood(t, said, heard(t, out), load)
		})
	}
}

// TestPageHears: what is said into a native client is heard in a browser.
func TestPageHears(t *testing.T) {
	for carrier, start := range carriers {
		t.Run(carrier, func(t *testing.T) {
			r := start(t)
			in, said := sound(t, speech.Keywords, 0)
			p := openPage(t, r.page+"room", look{})
			p.enter("anna")
			load := measureContention()
			talking := startJoin(t, r.addr, "room", "--in", in, "--out", "none", "--name", "bert")
			talking.finish(time.Minute)
			time.Sleep(time.Second)
			understood(t, said, p.recorded(), load)
		})
	}
}

// TestPagesTalk: two pages at relays that share the room hear each other, and say at which relay the other is.
func TestPagesTalk(t *testing.T) {
	u := federate(t, 2, chain(2), "delay=20ms")
	inA, saidA := late(t, speech.Keywords, 8*time.Second)
	inB, saidB := late(t, speech.MoreInfo, 8*time.Second)
	load := measureContention()
	a := openPage(t, u.relays[0].page+"room", look{say: inA})
	a.enter("anna")
	b := openPage(t, u.relays[1].page+"room", look{say: inB})
	b.enter("bert")
	a.members(2)
	b.members(2)
	a.until("where bert is", "document.body.innerText.includes('on relay1')", 5*time.Second)
	b.until("where anna is", "document.body.innerText.includes('on relay0')", 5*time.Second)
	time.Sleep(browserLead + 8*time.Second)
	understood(t, saidA, b.recorded(), load)
	understood(t, saidB, a.recorded(), load)
}

// hold presses the talk button in a way that people do, and returns how to release it.
var hold = map[string]func(p *page) (release func()){
	"mouse": func(p *page) func() {
		x, y := p.middle(".talk")
		p.do(input.DispatchMouseEvent(input.MousePressed, x, y).WithButton(input.Left).WithClickCount(1))
		return func() {
			p.do(input.DispatchMouseEvent(input.MouseReleased, x, y).WithButton(input.Left).WithClickCount(1))
		}
	},
	"touch": func(p *page) func() {
		x, y := p.middle(".talk")
		p.do(input.DispatchTouchEvent(input.TouchStart, []*input.TouchPoint{{X: x, Y: y}}))
		return func() { p.do(input.DispatchTouchEvent(input.TouchEnd, []*input.TouchPoint{})) }
	},
	"space": func(p *page) func() {
		p.key(input.KeyRawDown, " ", "Space", false)
		for range 3 {
			p.key(input.KeyRawDown, " ", "Space", true)
		}
		return func() { p.key(input.KeyUp, " ", "Space", false) }
	},
}

// watchTalk counts for how many milliseconds a page transmits.
const watchTalk = `globalThis.wzpHeld = 0;
	let since = 0;
	new MutationObserver(() => {
		const on = document.documentElement.dataset.transmitting === 'true';
		if (on && !since) since = performance.now();
		if (!on && since) wzpHeld += performance.now() - since, since = 0;
	}).observe(document, { subtree: true, attributes: true, attributeFilter: ['data-transmitting'] });`

// TestPagePushToTalk: nothing of a page's sound leaves it while the button is up, and what was said just before it
// went down is not lost.
func TestPagePushToTalk(t *testing.T) {
	r := startRelay(t)
	for way, press := range hold {
		t.Run(way, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "heard.wav")
			listener := join(t, r.addr, way, "--in", "none", "--out", out)
			p := openPage(t, r.page+way, look{phone: way == "touch", before: watchTalk}) // Chromium's own fake microphone beeps each second
			p.enter("anna")
			p.key(input.KeyRawDown, "r", "KeyR", false)
			p.key(input.KeyUp, "r", "KeyR", false)
			p.until("radio mode", "document.querySelector('#mode-radio').checked", 5*time.Second)
			time.Sleep(time.Second)
			before := r.metric("media_in_packets_total")
			time.Sleep(2 * time.Second)
			if sent := r.metric("media_in_packets_total") - before; sent != 0 {
				t.Errorf("%v packets left the page before the button was pressed", sent)
			}
			release := press(p)
			p.until("transmitting", "document.documentElement.dataset.transmitting === 'true'", 5*time.Second)
			time.Sleep(2 * time.Second)
			release()
			p.until("silence", "document.documentElement.dataset.transmitting === 'false'", 5*time.Second)
			time.Sleep(time.Second) // the end is told
			during := r.metric("media_in_packets_total") - before
			// Besides the time of the press there are 200 ms of pre-roll, and 80 ms of the end: fewer than 150 would say that there
			// was no pre-roll.
			var held float64
			if p.eval("wzpHeld", &held); during*20 < held+150 {
				t.Errorf("%v packets left the page in %.0f ms", during, held)
			}
			time.Sleep(2 * time.Second)
			if sent := r.metric("media_in_packets_total") - before - during; sent != 0 {
				t.Errorf("%v packets left the page after the button was released", sent)
			}
			s := listener.leave().talker(t, "anna")
			if s.Received < 100 {
				t.Errorf("%d packets came", s.Received)
			}
		})
	}
}
