package test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
)

// TestFirefox: a real Firefox with real sound does what Chromium does. Two visits, for it starts slowly.
func TestFirefox(t *testing.T) {
	t.Parallel()
	for carrier, start := range carriers {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			how := look{before: watchTalk}
			if carrier == "websocket" { // in a private window, where browsers keep less
				how.flags = []string{`"browser.privatebrowsing.autostart", true`}
			}
			p := openFirefox(t, r.page+"room", how)
			talkWith(t, r, carrier, p)
			p.until("no fault", "document.querySelector('[data-bar=error]') === null", time.Second)
			if carrier != "webtransport" {
				return
			}
			other := openPage(t, r.page+"room", look{})
			other.enter("cleo")
			p.members(2)
			p.recorded() // what was heard of others
			other.recorded()
			other.hears(300 * time.Millisecond)
			p.hears(300 * time.Millisecond)
			other.eval("document.querySelector('.leave').click()", nil)
			p.members(1)
			holdToTalk(t, r, "room", p, hold["space"])
			stay := r.newestStay("anna")
			p.reload()
			if !r.logged(soon, `"msg":"left"`, `"member":"`+stay+`"`) {
				t.Error("it does not leave when it is reloaded")
			}
			p.enter("anna")
			p.key(input.KeyRawDown, "r", "KeyR", false) // it remembers the mode
			p.key(input.KeyUp, "r", "KeyR", false)
			p.muteIsSilence(r)
		})
	}
}

// TestFirefoxWithoutSound: a browser that has no loudspeaker plays and records nothing. The page says so.
// (That there is one later Firefox learns only when it is started again.)
func TestFirefoxWithoutSound(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	fake := []string{`"media.navigator.streams.fake", true`} // a microphone, of a browser without sound
	p := openFirefox(t, r.page+"room", look{mute: true, flags: fake})
	p.state("door", soon)
	p.eval("document.querySelector('input[autocomplete=nickname]').value = 'anna'", nil)
	p.tap("button[type=submit]") // a real one: else the browser may wait for that
	p.state("joined", soon)
	begin := time.Now()
	p.until("why there is no sound", "document.documentElement.dataset.sound === 'clock'", soon)
	t.Logf("it is said %v after joining", time.Since(begin))
	p.until("words for it", "document.querySelector('[data-bar=sound]').innerText.includes('loudspeaker')", soon)
	join(t, r.addr, "room", "--in", "none", "--out", "none")
	p.members(2)
	p.until("that nobody hears", "/Nobody hears/.test(document.querySelector('.talk').innerText)", soon)
	var transmitting string
	if p.eval("document.documentElement.dataset.transmitting", &transmitting); transmitting != "false" {
		t.Error("the page says that it transmits")
	}
}

// TestPageSoundStops: sound that the browser holds back, or whose clock stands still, is said to have
// stopped, and begins again when people ask for it.
func TestPageSoundStops(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	p := openPage(t, r.page+"room", look{before: `const Real = AudioContext;
		globalThis.AudioContext = class extends Real {
			constructor(...args) { super(...args); globalThis.wzpContext = this; }
			get currentTime() { return this.stands ? 1 : super.currentTime; }
		};`})
	p.enter("anna")
	listener := join(t, r.addr, "room", "--in", "none", "--out", "none")
	listener.hears("anna")
	listener.leave()
	for cause, stop := range map[string]string{"paused": "wzpContext.suspend()", "clock": "wzpContext.stands = true"} {
		p.eval(stop, nil)
		p.until(cause+" said", fmt.Sprintf("document.documentElement.dataset.sound === %q", cause), soon)
		p.tap("[data-bar=sound] button")
		p.until("sound", "document.documentElement.dataset.sound === ''", soon)
		listener := join(t, r.addr, "room", "--in", "none", "--out", "none")
		listener.hears("anna")
		listener.leave()
	}
}

// tap clicks on an element as people do.
func (p *page) tap(selector string) {
	p.t.Helper()
	x, y := p.middle(selector)
	p.mouse(input.MousePressed, x, y)
	p.mouse(input.MouseReleased, x, y)
}

// reload loads the page anew.
func (p *page) reload() {
	p.t.Helper()
	p.eval("setTimeout(() => location.reload(), (globalThis.wzpOld = 0))", nil)
	p.until("the page is another one", "globalThis.wzpOld === undefined", soon)
}

// muteIsSilence mutes a page that was talking: nothing more leaves it.
func (p *page) muteIsSilence(r *relay) {
	p.t.Helper()
	listener := join(p.t, r.addr, "room", "--in", "none", "--out", "none")
	p.until("transmitting", "document.documentElement.dataset.transmitting === 'true'", patience)
	p.key(input.KeyRawDown, "m", "KeyM", false)
	p.key(input.KeyUp, "m", "KeyM", false)
	p.until("muted", "document.querySelector('.talk').dataset.kind === 'muted'", soon)
	before := r.settled("media_in_packets_total")
	time.Sleep(2 * time.Second) // two beeps
	if sent := r.metric("media_in_packets_total") - before; sent != 0 {
		p.t.Errorf("%v packets left the page while it was muted", sent)
	}
	listener.leave()
}
