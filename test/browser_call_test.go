package test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
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

// enter joins the room at whose door the page is.
func (p *page) enter(name string) {
	p.t.Helper()
	p.state("door", soon)
	p.press(name)
	p.state("joined", soon)
}

// press types a name at the door, and presses Join.
func (p *page) press(name string) {
	p.t.Helper()
	p.eval(fmt.Sprintf(`(() => {
		document.querySelector('input[autocomplete=nickname]').value = %q;
		document.querySelector('button[type=submit]').click();
	})()`, name), nil)
}

// Chromium's own fake microphone beeps each second.

// loud returns how much of pcm, in steps of 10 ms, is louder than -50 dBFS.
func loud(pcm []float32) (d time.Duration) {
	const step = audio.SampleRate / 100
	for ; len(pcm) >= step; pcm = pcm[step:] {
		if audio.Level(pcm[:step]) > -50 {
			d += 10 * time.Millisecond
		}
	}
	return d
}

// hears waits until the page has played so much that is not silence.
func (p *page) hears(least time.Duration) {
	p.t.Helper()
	var heard time.Duration
	for deadline := time.Now().Add(patience); heard < least; time.Sleep(100 * time.Millisecond) {
		if heard += loud(p.recorded()); time.Now().After(deadline) {
			p.t.Fatalf("the page played only %v of sound", heard)
		}
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
	p.until("a path", "document.documentElement.dataset.path", soon)
	p.eval("document.documentElement.dataset.path", &path)
	return path
}

// TestPageTalks: what a browser's microphone picks up is heard at a native client, and what is said there is
// heard in the browser.
func TestPageTalks(t *testing.T) {
	for carrier, start := range carriers {
		t.Run(carrier, func(t *testing.T) {
			r := start(t)
			p := openPage(t, r.page+"room", look{})
			talkWith(t, r, carrier, p)
			if carrier == "websocket" {
				join(t, r.addr, "room", "--in", "tone", "--no-dtx", "--out", "none")
				p.playsMoreQuietly()
			}
		})
	}
}

// talkWith goes in and has the page and a native client hear each other.
func talkWith(t *testing.T, r *relay, carrier string, p *page) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "heard.wav")
	ear := newTap(t, r.addr)
	client := startJoin(t, ear.addr(), "room", "--in", "tone", "--no-dtx", "--name", "bert", "--out", out)
	client.await("joined", soon)
	p.enter("anna")
	if path := p.path(); path != carrier {
		t.Errorf("the page takes %s", path)
	}
	client.hears("anna")
	p.hears(time.Second)
	flows(t, ear, time.Now(), 100, patience) // some beeps
	if got := client.leave().talker(t, "anna"); got.Received == 0 || got.Forged != 0 {
		t.Errorf("heard %+v", got)
	}
	if loud(heard(t, out)) == 0 {
		t.Error("the recording has nothing but silence")
	}
}

// playsMoreQuietly sets the volume of everybody to a half: that is heard, and remembered.
func (p *page) playsMoreQuietly() {
	p.t.Helper()
	const slider = "document.querySelector('#setting-volume')"
	last := audio.Silence
	before := p.level(func(level float64) bool { // of a tone that has begun
		steady := math.Abs(level-last) < 0.5
		last = level
		return steady
	})
	half := func(level float64) bool { return math.Abs(level-(before-6)) < 1.5 }
	p.click("[data-icon=settings]")
	p.until("the volume", slider+"?.value === '100'", soon)
	p.eval("{ const s = "+slider+"; s.value = '50'; s.dispatchEvent(new Event('input')); }", nil)
	p.level(half)
	p.reload()
	p.enter("anna")
	p.level(half)
	p.click("[data-icon=settings]")
	p.until("the volume", slider+"?.value === '50'", soon)
}

// level waits until the page plays something loud enough, and returns how loud that is, in dBFS.
func (p *page) level(enough func(float64) bool) float64 {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		p.recorded() // what was played before
		time.Sleep(300 * time.Millisecond)
		level := audio.Silence
		const step = audio.SampleRate / 50
		for pcm := p.recorded(); len(pcm) >= step; pcm = pcm[step:] {
			level = max(level, audio.Level(pcm[:step]))
		}
		if level > -50 && enough(level) {
			return level
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the page plays at %.1f dBFS", level)
		}
	}
}

// TestPageSpeech: what the page's encoder makes of speech is whole when its decoder has read it. Neither has
// a clock; how the page's jitter buffer plays speech is tested in virtual time, in web/jitter.
func TestPageSpeech(t *testing.T) {
	t.Parallel()
	said := speech.Must(t, speech.Keywords, 0)
	p := openPage(t, sources(t)+"/page/scenes.test.html", look{})
	bytes := make([]byte, 4*len(said))
	for i, v := range said {
		binary.LittleEndian.PutUint32(bytes[4*i:], math.Float32bits(v))
	}
	var result struct {
		PCM              string
		Packets, Size    int
		Uneven, Failures int
	}
	p.eval(fmt.Sprintf(`(async () => {
		const { Encoder } = await import('/audio/encoder.js');
		const { Decoder } = await import('/audio/decoder.js');
		const pcm = new Float32Array(Uint8Array.from(atob(%q), (c) => c.charCodeAt(0)).buffer);
		const packets = [], heard = [];
		let answers = 0;
		const decoder = new Decoder({
			onpcm: (pcm) => { answers++; heard.push(...(pcm ?? new Float32Array(960))); },
		});
		const encoder = new Encoder({ onpacket: (packet) => packets.push(packet) });
		for (let at = 0; at + 960 <= pcm.length; at += 960) {
			encoder.encode(pcm.subarray(at, at + 960), at);
			if (at %% 19200 === 0) await encoder.flush(); // it takes 50 frames at a time
		}
		await encoder.flush();
		for (const packet of packets) {
			const before = answers;
			decoder.decode(packet);
			while (answers === before) await new Promise((resolve) => setTimeout(resolve, 0));
		}
		const all = Int16Array.from(heard, (v) => Math.max(-1, Math.min(1, v)) * 32767);
		let text = '';
		const bytes = new Uint8Array(all.buffer);
		for (let i = 0; i < bytes.length; i += 0x8000) {
			text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
		}
		return { PCM: btoa(text), Packets: packets.length, Size: encoder.packetSize, Uneven: encoder.uneven,
			Failures: encoder.failures + encoder.dropped + decoder.failures };
	})()`, base64.StdEncoding.EncodeToString(bytes)), &result)
	if result.Packets < len(said)/960-1 || result.Size != 60 || result.Uneven > 0 || result.Failures > 0 {
		t.Errorf("%d packets of %d bytes, %d uneven, %d failures", result.Packets, result.Size, result.Uneven,
			result.Failures)
	}
	got, err := samplesOf(result.PCM)
	if err != nil {
		t.Fatal(err)
	}
	report := speech.Compare(said, got)
	t.Logf("%d of %d spoken frames are missing; correlation %.2f", len(report.Missing), report.Active,
		report.Correlation)
	if report.Active < 50 || len(report.Missing) > report.Active/50 { // it is another encoder than ours
		t.Errorf("%d of %d spoken frames are missing: %v", len(report.Missing), report.Active, report.Missing)
	}
}

// TestPagesTalk: two pages at relays that share the room hear each other, and say at which relay the other
// is.
func TestPagesTalk(t *testing.T) {
	u := federate(t, 2, chain(2), "delay=20ms")
	a := openPage(t, u.relays[0].page+"room", look{})
	a.enter("anna")
	b := openPage(t, u.relays[1].page+"room", look{})
	b.enter("bert")
	a.members(2)
	b.members(2)
	a.until("where bert is", "document.body.innerText.includes('on relay1')", soon)
	b.until("where anna is", "document.body.innerText.includes('on relay0')", soon)
	a.hears(300 * time.Millisecond)
	b.hears(300 * time.Millisecond)
	raiseHands(t, a, b, u.relays[1].addr)
}

// raiseHands has two pages raise their hands, one after the other, each in another way: both show who was
// first, and say so of the other; who joins at addr then is told of both. One is lowered again.
func raiseHands(t *testing.T, a, b *page, addr string) {
	t.Helper()
	const button, own, other = "[data-icon=hand]", ".person[data-self=true]", ".person[data-self=false]"
	hand := func(p *page, of, n, says string) {
		t.Helper()
		p.until("a hand", fmt.Sprintf("document.querySelector('%s').dataset.hand === '%s'", of, n), soon)
		p.says("the row", fmt.Sprintf("document.querySelector('%s').textContent", of), says)
	}
	a.key(input.KeyRawDown, "h", "KeyH", false)
	a.key(input.KeyUp, "h", "KeyH", false)
	hand(a, own, "1", "Hand raised")
	hand(b, other, "1", "Hand raised")
	b.says("its tab", "document.title", "✋ 1 · ")
	b.says("it", "document.querySelector('.room > [aria-live]').textContent", "anna raised a hand")
	b.tap(button)
	hand(b, own, "2", "Hand raised, number 2 in line")
	hand(a, other, "2", "Hand raised, number 2 in line")
	hand(a, own, "1", "Hand raised, number 1 in line")
	late := join(t, addr, "room", "--in", "none", "--out", "none")
	for _, name := range []string{"anna", "bert"} {
		if _, ok := late.find(soon, func(e event) bool {
			return e.Event == "hand" && e.Name == name && e.Raised != nil && *e.Raised
		}); !ok {
			t.Errorf("who came later is not told that %s has a hand up", name)
		}
	}
	late.leave()
	a.tap(button)
	hand(b, other, "0", "")
	hand(b, own, "1", "Hand raised")
	a.says("the button", "document.querySelector('"+button+"').ariaPressed", "false")
}

// hold presses the talk button in a way that people do, and returns how to release it.
var hold = map[string]func(p *page) (release func()){
	"mouse": func(p *page) func() {
		x, y := p.middle(".talk")
		p.mouse(input.MousePressed, x, y)
		return func() { p.mouse(input.MouseReleased, x, y) }
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

// TestPagePushToTalk: nothing of a page's sound leaves it while the button is up, and what was said just
// before it went down is not lost.
func TestPagePushToTalk(t *testing.T) {
	r := startRelay(t)
	for way, press := range hold {
		t.Run(way, func(t *testing.T) {
			// Chromium's own fake microphone beeps each second
			p := openPage(t, r.page+way, look{phone: way == "touch", before: watchTalk})
			p.enter("anna")
			holdToTalk(t, r, way, p, press)
		})
	}
}

// holdToTalk has a page that is alone in a room talk by holding the button.
func holdToTalk(t *testing.T, r *relay, room string, p *page, press func(*page) (release func())) {
	t.Helper()
	listener := join(t, r.addr, room, "--in", "none", "--out", "none")
	p.members(2)
	p.key(input.KeyRawDown, "r", "KeyR", false)
	p.key(input.KeyUp, "r", "KeyR", false)
	p.until("radio mode", "document.querySelector('#mode-radio').checked", soon)
	before := r.settled("media_in_packets_total")
	time.Sleep(2 * time.Second)
	if sent := r.metric("media_in_packets_total") - before; sent != 0 {
		t.Errorf("%v packets left the page before the button was pressed", sent)
	}
	release := press(p)
	p.until("transmitting", "document.documentElement.dataset.transmitting === 'true'", soon)
	listener.hears("anna")
	release()
	p.until("silence", "document.documentElement.dataset.transmitting === 'false'", soon)
	during := r.settled("media_in_packets_total") - before // the end is told, too
	// Besides the time of the press there are 200 ms of pre-roll, and 80 ms of the end, if the
	// browser has time for all of it: web/call/publish.test.js has the pre-roll.
	var held float64
	p.eval("wzpHeld", &held)
	t.Logf("%v packets left the page in %.0f ms", during, held)
	time.Sleep(2 * time.Second)
	if sent := r.metric("media_in_packets_total") - before - during; sent != 0 {
		t.Errorf("%v packets left the page after the button was released", sent)
	}
	if s := listener.leave().talker(t, "anna"); s.Received == 0 || s.Forged > 0 {
		t.Errorf("heard %+v", s)
	}
}
