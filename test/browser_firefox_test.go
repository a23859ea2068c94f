package test

import (
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
			p := openFirefox(t, r.page+"room", look{before: watchTalk})
			talkWith(t, r, carrier, p)
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
			p.reload()
			p.enter("anna")
			p.key(input.KeyRawDown, "r", "KeyR", false) // it remembers the mode
			p.key(input.KeyUp, "r", "KeyR", false)
			p.muteIsSilence(r)
		})
	}
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
	p.until("transmitting", "document.documentElement.dataset.transmitting === 'true'", patience)
	p.key(input.KeyRawDown, "m", "KeyM", false)
	p.key(input.KeyUp, "m", "KeyM", false)
	p.until("muted", "document.querySelector('.talk').dataset.kind === 'muted'", soon)
	before := r.settled("media_in_packets_total")
	time.Sleep(2 * time.Second) // two beeps
	if sent := r.metric("media_in_packets_total") - before; sent != 0 {
		p.t.Errorf("%v packets left the page while it was muted", sent)
	}
}
