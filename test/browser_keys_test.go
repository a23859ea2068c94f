package test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// strike presses keys one after the other, and lets each go.
func (p *page) strike(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

// tabTo presses Tab until the focus is on what a selector names.
func (p *page) tabTo(selector string) {
	p.t.Helper()
	for range 60 {
		var there bool
		p.eval(fmt.Sprintf("document.activeElement.matches(%q)", selector), &there)
		if there {
			return
		}
		p.strike(kb.Tab)
	}
	p.t.Fatalf("Tab does not lead to %s", selector)
}

// focused waits until the focus is on what a selector names.
func (p *page) focused(selector string) {
	p.t.Helper()
	p.until("the focus on "+selector, fmt.Sprintf("document.activeElement.matches(%q)", selector), soon)
}

// talks holds a key until the page transmits, and lets it go by up.
func (p *page) talks(key, code string, up func()) {
	p.t.Helper()
	p.key(input.KeyRawDown, key, code, false)
	p.until("transmitting", "document.documentElement.dataset.transmitting === 'true'", soon)
	up()
	p.until("silence", "document.documentElement.dataset.transmitting === 'false'", soon)
}

// lets returns what lets a key go.
func (p *page) lets(key, code string) func() {
	return func() { p.key(input.KeyUp, key, code, false) }
}

// TestPageByKeys: the keyboard alone does everything, and the focus is never lost.
func TestPageByKeys(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	join(t, r.addr, "room", "--in", "none", "--out", "none", "--name", "bert")
	p := openPage(t, r.page+"room", look{before: `globalThis.said = [];
		new MutationObserver(() => {
			const text = document.querySelector('[aria-live]')?.textContent;
			if (text && text !== said.at(-1)) said.push(text);
		}).observe(document, { subtree: true, childList: true, characterData: true });`})
	p.state("door", soon)
	p.focused("h1") // where there is no mouse, or the input
	p.testsConnection()
	p.tabTo("input[autocomplete=nickname]")
	p.strike("a", "n", "n", "a", kb.Enter)
	p.state("joined", soon)
	p.members(2)
	p.focused(".talk")
	p.until("the room is said", "said.some((text) => text.includes('in the room room'))", soon)
	p.mutesByKeys()
	p.talksByKeys()
	p.opensByKeys()
	p.choosesKey()

	p.plugsIn()

	p.tabTo(".leave")
	p.strike(kb.Enter)
	p.state("ended", soon)
	p.focused("h1")
	p.tabTo("main .button:last-child") // back to the door
	p.strike(kb.Enter)
	p.state("door", soon)
	p.focused("h1")
}

// mutesByKeys mutes with M when hands-free. In radio mode there is nothing to mute, and M says so.
func (p *page) mutesByKeys() {
	p.t.Helper()
	muted := "document.querySelector('.talk').dataset.kind === 'muted'"
	p.strike("m")
	p.until("muted", muted, soon)
	p.strike("m")
	p.until("not muted", "!("+muted+")", soon)
	p.strike("r")
	p.until("radio mode", "document.querySelector('#mode-radio').checked", soon)
	p.strike("m")
	p.until("the words", "document.querySelector('.talk-hint').textContent.includes('unless you hold')", soon)
	p.strike("r")
	p.until("hands-free", "document.querySelector('#mode-open').checked", soon)
	p.until("not muted by that", "!("+muted+")", soon)
	p.strike("r")
	p.until("radio mode", "document.querySelector('#mode-radio').checked", soon)
}

// talksByKeys holds the space bar in the room and in a sheet; when the window loses the focus meanwhile,
// nobody tells the page that the key went up.
func (p *page) talksByKeys() {
	p.t.Helper()
	space := p.lets(" ", "Space")
	p.talks(" ", "Space", space)
	p.talks(" ", "Space", func() { p.eval("window.dispatchEvent(new Event('blur'))", nil) })
	p.talks(" ", "Space", space)
	p.strike("p")
	p.until("the sheet", "document.querySelector('[data-sheet=safety] .number')", soon)
	p.talks(" ", "Space", func() {
		p.until("the sheet says it", "document.querySelector('dialog .talk').dataset.kind === 'live'", soon)
		space()
	})
	p.tabTo("dialog .talk") // it has one of its own
	p.talks(" ", "Space", space)
	p.strike(kb.Escape)
	p.focused(".dock .talk")
}

// opensByKeys opens every sheet, changes a volume, and comes back to where it was.
func (p *page) opensByKeys() {
	p.t.Helper()
	for key, sheet := range map[string]string{"i": "invite", "p": "safety", "?": "keys"} {
		p.strike(key)
		p.until(sheet, fmt.Sprintf("document.querySelector('[data-sheet=%s]')", sheet), soon)
		p.strike(kb.Escape)
		p.focused(".dock .talk")
	}
	p.tabTo(".line")
	p.strike(kb.Enter)
	p.until("connection", "document.querySelector('[data-sheet=connection]')", soon)
	p.strike(kb.Escape)
	p.focused(".line")
	row := "[data-self=false] .person-button"
	p.tabTo(row)
	p.strike(kb.Enter)
	p.until("the person", "document.querySelector('[data-sheet=person]')", soon)
	p.tabTo("#volume")
	p.strike(kb.ArrowLeft)
	p.until("another volume", "document.querySelector('output').textContent === '95%'", soon)
	p.tabTo("#silence")
	note := "document.querySelector('[data-self=false] .person-note').textContent"
	p.strike(kb.Enter)
	p.until("nothing of them is heard", note+".includes('Muted for you')", soon)
	p.strike(kb.Enter)
	p.until("they are heard as before", note+" === '95%'", soon)
	p.strike(kb.Escape)
	p.focused(row)
}

// opensSettings goes there by keys, at the door or in the room.
func (p *page) opensSettings() {
	p.t.Helper()
	p.tabTo("[data-icon=settings]")
	p.strike(kb.Enter)
	p.until("settings", "document.querySelector('[data-sheet=settings]')", soon)
}

// choosesKey gives talking another key: none that does something else already, and it is remembered.
func (p *page) choosesKey() {
	p.t.Helper()
	p.opensSettings()
	p.tabTo("#talk-key-change")
	p.strike(kb.Enter)
	p.until("a question", "document.querySelector('#talk-key-hint').textContent.includes('Esc')", soon)
	p.strike("m")
	p.until("a refusal", "document.querySelector('#talk-key-hint').textContent.includes('something else')",
		soon)
	p.strike(kb.F8)
	p.until("the key", "document.querySelector('.field kbd').textContent === 'F8'", soon)
	p.focused("#talk-key-change")
	p.strike(kb.Escape)
	p.focused("[data-icon=settings]")
	f8 := p.lets("F8", "F8")
	p.talks("F8", "F8", f8)
	p.strike("?")
	p.until("the list has it", "document.querySelector('[data-sheet=keys] kbd')?.textContent.includes('F8')",
		soon)
	p.strike(kb.Escape)
	p.until("no sheet", "!document.querySelector('dialog')", soon)
}

// plugsIn connects a headset while the settings are open: the lists have it at once, and a bar offers it.
func (p *page) plugsIn() {
	p.t.Helper()
	p.opensSettings()
	chosen := func(what string) string {
		return fmt.Sprintf("document.querySelector('#setting-%s')?.selectedOptions[0]?.text", what)
	}
	p.until("settings", "document.querySelector('#setting-microphone')?.options.length > 1", soon)
	p.eval(`(() => {
		const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
		const label = 'Headset X';
		const part = (kind) => ({ kind, deviceId: 'headset ' + kind, groupId: 'headset', label });
		navigator.mediaDevices.enumerateDevices = async () =>
			[...await list(), part('audioinput'), part('audiooutput')];
		navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
	})()`, nil)
	p.until("the list has it",
		"[...document.querySelectorAll('#setting-microphone option')].some(({ text }) => text === 'Headset X')",
		soon)
	p.strike(kb.Escape)
	p.until("it is offered", "document.querySelector('[data-bar=added]')?.innerText.includes('Headset X')", soon)
	p.tabTo("[data-bar=added] .button")
	p.strike(kb.Enter)
	p.until("the offer is taken", "!document.querySelector('[data-bar=added]')", soon)
	p.focused(".dock .talk")
	p.opensSettings()
	p.until("it is used", chosen("microphone")+" === 'Headset X' && "+chosen("loudspeaker")+" === 'Headset X'",
		soon)
	p.strike(kb.Escape)
	p.focused("[data-icon=settings]")
}

// testsConnection asks at the door whether the relay is reached; nobody is in a room by that.
func (p *page) testsConnection() {
	p.t.Helper()
	p.opensSettings()
	p.tabTo("#test-connection")
	p.strike(kb.Enter)
	p.until("an answer",
		"document.querySelector('[data-part=connection]').innerText.includes('Nothing is in the way')", soon)
	p.focused("#test-connection")
	p.strike(kb.Escape)
	p.focused("[data-icon=settings]")
}
