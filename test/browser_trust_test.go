package test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// newTab opens another tab of a page's browser.
func (p *page) newTab(address string) *page {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.tab.ctx)
	p.t.Cleanup(cancel)
	tab := &chromium{ctx: ctx}
	q := &page{t: p.t, driver: tab, tab: tab}
	chromedp.ListenTarget(ctx, tab.event)
	q.do(chromedp.Navigate(address))
	return q
}

// click waits for something, and clicks it.
func (p *page) click(selector string) {
	p.t.Helper()
	there := fmt.Sprintf("document.querySelector(%q)", selector)
	p.until("there is "+selector, there+"?.checkVisibility()", soon)
	p.eval(there+".click()", nil)
}

// shows waits until something is there that has a text in it.
func (p *page) shows(selector, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%s shows %q", selector, text),
		fmt.Sprintf("document.querySelector(%q)?.innerText.includes(%q)", selector, text), soon)
}

// says waits until something says so in an expression.
func (p *page) says(what, expression, want string) {
	p.t.Helper()
	p.until(what+" "+want, fmt.Sprintf("(%s).includes(%q)", expression, want), soon)
}

const joinButton = "button[type=submit]"

// join presses the door's button.
func (p *page) join() {
	p.t.Helper()
	p.state("door", soon)
	p.click(joinButton)
	p.state("joined", soon)
}

// breaks has something in the page fail.
func (p *page) breaks() {
	p.t.Helper()
	p.eval("dispatchEvent(new ErrorEvent('error', { message: 'a part is missing' }))", nil)
	p.shows("[data-bar=error]", "a part is missing")
}

// TestPageRemembersMute: who was muted does not transmit when they join again, or after a reload; one tab has
// the call, and says so; going back, and the Reload of a bar, are asked for.
func TestPageRemembersMute(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	join(t, r.addr, "room", "--in", "none", "--out", "none")
	p := openPage(t, r.page+"room", look{})
	p.state("door", soon)
	p.eval("document.querySelector('#join-muted').click()", nil)
	p.shows(joinButton, "Join muted")
	p.breaks()
	p.enter("anna")
	p.until("what broke before is over", "!document.querySelector('[data-bar=error]')", soon)
	quiet := func(q *page) {
		t.Helper()
		// the microphone works: what it hears does not go out
		q.shows(".talk", "You are talking, but nobody hears you")
		if sent := r.metric("media_in_packets_total"); sent != 0 {
			t.Errorf("%v packets left a muted page", sent)
		}
	}
	quiet(p)
	p.says("the tab", "document.title", "Muted - ")
	p.click(".leave")
	p.state("ended", soon)
	p.click("[data-ended] .primary")
	p.state("joined", soon)
	quiet(p)
	p.breaks()
	p.click("[data-bar=error] .button")
	p.click("dialog[data-sheet=leave] .primary")
	p.until("no sheet", "!document.querySelector('dialog')", soon)
	quiet(p)
	p.click("[data-bar=error] .button")
	p.click("dialog[data-sheet=leave] .danger")
	p.until("the door again", "document.querySelector('#join-muted')?.checked", soon)
	p.shows("[data-note=muted]", "You were muted")
	p.join()
	quiet(p)

	q := p.newTab(r.page)
	q.state("door", soon)
	q.shows("[data-part=recent]", "room")
	q.click("[data-part=recent] .icon-button")
	q.shows("[data-part=recent]", "Forgotten")
	q.click("[data-part=recent] .note button")
	q.shows(".room-open", "room")
	q.eval("history.pushState(null, '', '/other'); dispatchEvent(new PopStateEvent('popstate'))", nil)
	q.shows("[data-note=tab]", "room in another tab")
	q.says("the tab", "document.title", "In another tab")
	q.join()
	p.until("the first tab ends", "document.querySelector('[data-ended=tab]')", soon)
	p.says("the first tab", "document.title", "In another tab")
	quiet(q)
	q.eval("document.querySelector('.talk').click()", nil)
	q.says("the tab", "document.title", "Live - ")
	q.says("the icon", "document.querySelector('link[rel=icon]').href", "ffb733")

	q.eval("history.back()", nil)
	q.click("dialog[data-sheet=leave] .primary")
	q.until("back in the call", "!document.querySelector('dialog') && history.state?.call", soon)
	q.state("joined", soon)
	q.eval("history.back()", nil)
	q.click("dialog[data-sheet=leave] .danger")
	q.until("left", "document.querySelector('[data-ended=left]') && location.pathname === '/other'", soon)

	p.click("[data-ended] .primary")
	p.state("joined", soon)
	q.click("[data-ended] .buttons button:last-child")
	q.click("#join-both")
	q.join()
	p.state("joined", soon)
	p.says("the tab", "document.title", "Muted - room")
	q.says("the tab", "document.title", "Muted - other") // as the last one was
}

// TestPageRelayKey: another key of the relay stops a call and whoever wants to join, until the new one is
// accepted by what nobody does by habit.
func TestPageRelayKey(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	p := openPage(t, r.page+"room", look{})
	p.enter("anna")
	http := r.page[len("http://") : len(r.page)-1]
	r.kill()
	other := startRelayAt(t, r.addr, filepath.Join(t.TempDir(), "other"), "--http", http)
	refused := func() {
		t.Helper()
		p.until("the relay is another one", "document.querySelector('[data-ended=relay_key]')", soon)
		p.says("the known key", "document.querySelector('[data-key=known]').innerText.replaceAll(/\\s+/g, ':')", r.fingerprint)
		p.says("the new key", "document.querySelector('[data-key=shown]').innerText.replaceAll(/\\s+/g, ':')", other.fingerprint)
	}
	refused()
	p.shows(".primary", "Back to the door")
	p.click(".primary")
	p.state("door", soon)
	p.click(joinButton)
	refused()
	p.do(chromedp.Navigate(r.page + "another"))
	p.state("door", soon)
	p.click(joinButton)
	refused()
	p.click("summary")
	p.until("the way is shut", "document.querySelector('#relay-key + *, button.danger').disabled", soon)
	p.do(chromedp.Focus("#relay-key", chromedp.ByQuery), input.InsertText(other.fingerprint[:4]))
	p.until("the way is open", "!document.querySelector('button.danger').disabled", soon)
	if other.logged(0, `"msg":"joined"`) {
		t.Error("the page joined before that")
	}
	p.click("button.danger")
	p.state("joined", soon)
	p.do(chromedp.Reload())
	p.join()
}

// TestPageLacksKey: in a room whose people have its key, a link without it says so and nothing else, and
// takes the key. A link with it keeps it when it is loaded again before one has joined, until it is
// forgotten.
func TestPageLacksKey(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	secret := newSecret(t)
	join(t, r.addr, "room", "--in", "none", "--out", "none", "--secret", secret, "--name", "Ben")
	p := openPage(t, r.page+"room", look{})
	p.enter("anna")
	p.shows("[data-warning=lacks_key]", "This link lacks its key")
	p.shows(".lock", "No key")
	p.until("nothing else is said of it", `document.querySelectorAll('.warning').length === 1 &&
		!document.querySelector('.alone').checkVisibility()`, soon)
	p.do(chromedp.Focus("#paste-invite", chromedp.ByQuery), input.InsertText(r.page+"room#k="+secret))
	p.until("in the room", "document.querySelector('.lock')?.innerText === 'Private'", soon)
	p.members(2)
	p.until("nothing is wrong", "!document.querySelector('.warning')", soon)
	p.remembersBen()
	p.click(".leave")
	p.click("[data-ended] .buttons button:last-child")
	p.click("[data-part=forget]")
	p.shows("[data-note=forgotten]", "forgotten")
	p.until("nobody joins by habit", "!document.querySelector('button[type=submit]').checkVisibility()", soon)
	p.click("[data-note=forgotten] button")
	p.join()
	p.shows(".lock", "Private")
	p.remembersByLink(r.page, secret)

	q := openPage(t, r.page+"room#k="+secret, look{})
	q.state("door", soon)
	q.says("the address", "location.href", r.page+"room")
	q.do(chromedp.Reload())
	q.state("door", soon)
	q.shows(".lock", "Private room")
	q.click("[data-part=forget]")
	q.shows("[data-note=forgotten]", "forgotten")
	q.do(chromedp.Reload())
	q.state("door", soon)
	q.shows(".lock", "You join without a key")
}

// contactAna is what follows #c= in a contact link of testdata/vectors.
const contactAna = "AdM1MBhW3F92P7cfvslyiEDT_rB4hV4YTc5bB2n82gS8QW5he4XyZg"

// remembersBen remembers who is in the room, forgets and remembers them again, and is asked by a contact link
// that comes into the call, which goes on.
func (p *page) remembersBen() {
	p.t.Helper()
	p.click(".people li:nth-child(2) button")
	p.click("[data-sheet=person] [data-part=contact] button")
	p.shows("[data-part=contact]", "You remember Ben.")
	p.shows("[data-sheet=person] .known", "Same key as last time")
	p.click("[data-part=contact] .quiet")
	p.shows("[data-part=contact]", "Remember them")
	p.click("[data-part=contact] button")
	p.shows("[data-part=contact]", "You remember Ben.")
	p.eval("location.hash = 'c="+contactAna+"'", nil)
	p.shows("[data-sheet=contact-link]", "9983")
	p.until("the call goes on, and the address says nothing", `document.documentElement.dataset.state === 'joined' &&
		location.hash === ''`, soon)
	p.click("[data-sheet=contact-link] .quiet")
	p.until("no sheet", "!document.querySelector('dialog')", soon)
}

// remembersByLink finds Ben at the first door, compares his key, and remembers who made a contact link that
// came with an invite.
func (p *page) remembersByLink(address, secret string) {
	p.t.Helper()
	p.do(chromedp.Navigate(address + "room#k=" + secret + "&c=" + contactAna))
	p.shows("[data-sheet=contact-link]", "9983")
	p.do(chromedp.Reload()) // it was not answered
	p.shows("[data-sheet=contact-link]", "9983")
	p.shows(".lock", "Private room")
	p.until("the name is theirs", "document.querySelector('#contact-name').value === 'Ana'", soon)
	p.click("[data-sheet=contact-link] [type=submit]")
	p.shows("[data-sheet=contact]", "Remembered, on this device only")
	p.click("[data-sheet=contact] [data-icon=close]")
	p.do(chromedp.Navigate(address))
	p.shows("[data-part=recent] h2", "Rooms and people")
	p.until("two people and a room are there, and nothing is asked", `!document.querySelector('dialog') &&
		document.querySelectorAll('[data-person]').length === 2 && document.querySelector('[data-room=room]')`, soon)
	const ben = "[data-person]:not([data-person^='9983'])"
	p.shows(ben, "Ben\nKey not compared")
	p.eval(fmt.Sprintf("document.querySelector(%q).focus()", ben+" button"), nil)
	p.click(ben + " button")
	p.click("[data-sheet=contact] [data-part=compare] button")
	p.shows("[data-sheet=contact] .known", "You compared this key")
	p.eval(`document.querySelector('#contact-name').select()`, nil)
	p.do(input.InsertText("Benni"))
	p.strike("\r")
	p.shows("[data-sheet=contact] h2", "Benni")
	p.click("[data-sheet=contact] [data-icon=close]")
	p.shows(ben, "Benni\nKey compared")
	p.until("his row has the focus again", "document.activeElement.innerText.includes('Key compared')", soon)
	p.click("[data-person^='9983'] button")
	p.click("[data-sheet=contact] [data-part=contact] .quiet")
	p.shows("[data-sheet=contact]", "Forgotten.")
	p.click("[data-sheet=contact] [data-icon=close]")
	p.until("one person is left", "document.querySelectorAll('[data-person]').length === 1", soon)
}
