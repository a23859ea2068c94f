package test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestPageCalls: people at pages of two relays remember each other, and call: it rings, is answered, held,
// hung up, declined and missed. A stranger with the program does not ring until they are remembered; then the
// program calls the page, and the page calls it.
func TestPageCalls(t *testing.T) {
	u := federate(t, 2, chain(2), "delay=20ms")
	ann, bob := openPage(t, u.relays[0].page, look{}), openPage(t, u.relays[1].page, look{})
	own := bob.takesCalls()
	ann.meets(own)
	bob.meets(ann.takesCalls())

	other := bob.newTab(u.relays[1].page)
	other.shows(".line-word", "Reachable") // somebody looks at it
	bob.shows(".line-word", "Calls ring in another tab")
	bob.do(cdppage.BringToFront())
	bob.shows(".line-word", "Reachable")
	other.shows(".line-word", "Calls ring in another tab")
	ann.calls()
	bob.rings("Same key as in")
	other.until("one tab rings", "!document.querySelector('.call-over')", soon)
	bob.click("[data-call=answer]")
	other.shows(".lock, [data-note=tab]", "a call with Friend")
	ann.talksWith(bob)
	bob.click(".dock [data-icon=hold]")
	ann.shows("[data-strip=theyHold]", "holds the call")
	ann.shows(".talk", "They hold the call")
	bob.shows(".talk", "On hold")
	bob.click(".talk")
	ann.until("it is not held", "!document.querySelector('[data-strip=theyHold]')", soon)
	ann.hears(time.Second)
	ann.click(".leave")
	ann.shows("[data-ended=hung_up_here]", "The call has ended")
	bob.shows("[data-ended=hung_up]", "hung up")
	bob.click("[data-ended] .button:last-child")

	ann.click("[data-ended] .primary") // again
	bob.rings("Same key as in")
	bob.click("[data-call=decline]")
	ann.shows("[data-ended=declined]", "cannot talk now")
	ann.click("[data-ended] .primary")
	bob.rings("Same key as in")
	ann.shows(".phase", "It rings at their side")
	ann.click("[data-call=hangUp]")
	bob.shows("[data-news=missed]", "called")
	bob.click("[data-news=missed] [data-icon=close]")

	bob.callsWithProgram(ann, u.relays[0].addr, u.relays[1].page+"#"+own)
}

// TestPageMissedCalls: somebody has missed calls kept and closes the page; who calls is told that they are
// not here, and when they open the page again, it says who called.
func TestPageMissedCalls(t *testing.T) {
	u := federate(t, 2, chain(2), "delay=20ms")
	ann, bob := openPage(t, u.relays[0].page, look{}), openPage(t, u.relays[1].page, look{})
	own := bob.takesCalls()
	ann.meets(own)
	bob.meets(ann.takesCalls())
	bob.click("[data-icon=settings]")
	bob.click("#setting-keepMissed")
	bob.eval(stayStored, nil)
	bob.do(chromedp.Navigate(u.relays[1].page)) // from its beginning, the next stay has them kept
	bob.shows(".line-word", "Reachable")
	bob.do(chromedp.Navigate("about:blank"))

	ann.calls()
	ann.until("the call is over", "document.querySelector('[data-ended]')", time.Minute)
	for range 3 { // the relay may not know yet that the page is gone: then nobody answers
		var outcome string
		ann.eval("document.querySelector('[data-ended]').dataset.ended", &outcome)
		if outcome == "away" {
			break
		}
		ann.click("[data-ended] .primary")
		ann.until("the call begins", "!document.querySelector('[data-ended]')", soon)
		ann.until("the call is over", "document.querySelector('[data-ended]')", time.Minute)
	}
	ann.shows("[data-ended=away]", "Friend is not here")

	bob.do(chromedp.Navigate(u.relays[1].page))
	bob.shows("[data-news=missed]", "Friend called")
	bob.until("nothing rings", "!document.querySelector('.call-over')", soon)
}

// stayStored waits until the browser has stored the key of a stay.
const stayStored = `new Promise((resolve) => {
	const ask = () => {
		indexedDB.open('wzp').onsuccess = ({ target: { result: db } }) => {
			const stays = db.transaction('settings').objectStore('settings').get('stays');
			stays.onsuccess = ({ target: { result } }) => {
				db.close();
				if (result?.length > 0) resolve();
				else setTimeout(ask, 100);
			};
		};
	};
	ask();
})`

// takesCalls has a page take calls, and returns the contact link's part that says who it is.
func (p *page) takesCalls() (contact string) {
	p.t.Helper()
	p.state("door", soon)
	p.click("[data-icon=settings]")
	p.click("#setting-takeCalls")
	p.shows("[data-part=calls]", "Reachable")
	p.click("[data-sheet=settings] [data-icon=close]")
	p.click("[data-icon=settings]") // now there is an identity
	p.click("#own-contact")
	p.until("a link", "document.querySelector('[id^=invite-]')?.value", soon)
	p.eval("document.querySelector('[id^=invite-]').value.replace(/.*#/, '')", &contact)
	p.click("[data-sheet=own-contact] [data-icon=close]")
	p.click("[data-sheet=settings] [data-icon=close]")
	return contact
}

// meets remembers who made a contact link.
func (p *page) meets(contact string) { p.remembers("Friend", contact) }

// remembers is meets with a name.
func (p *page) remembers(name, contact string) {
	p.t.Helper()
	p.eval(fmt.Sprintf("location.hash = %q", contact), nil)
	p.until("the name is asked for", "document.querySelector('#contact-name')", soon)
	p.eval(fmt.Sprintf("document.querySelector('#contact-name').value = %q", name), nil)
	p.click("[data-sheet=contact-link] [type=submit]")
	p.click("[data-sheet=contact] [data-icon=close]")
}

// calls calls the first who is remembered.
func (p *page) calls() {
	p.t.Helper()
	p.click("[data-person] [data-icon=call]")
}

// rings waits until somebody calls: no key answers that, and the tab says it.
func (p *page) rings(known string) {
	p.t.Helper()
	p.shows(".call-over", known)
	p.strike(kb.Enter, " ")
	p.until("it rings on, and the focus is on the name", `document.querySelector('.call-over') &&
		document.activeElement.matches('.call-over h1') && document.title.includes('is calling')`, soon)
}

// talksWith waits until the two of a call hear each other.
func (p *page) talksWith(q *page) {
	p.t.Helper()
	for _, one := range []*page{p, q} {
		one.state("joined", soon)
		one.members(2)
		one.shows(".lock", "Private")
	}
	for _, one := range []*page{p, q} {
		one.hears(time.Second)
	}
}

// callsWithProgram has a stranger with the program call, who is remembered then, calls again, and is called.
func (p *page) callsWithProgram(ann *page, addr, contact string) {
	t := p.t
	t.Helper()
	file := filepath.Join(t.TempDir(), "identity")
	program := func(args ...string) *client {
		all := append(args, "--relay", addr, "--identity", file, "--name", "cleo", "--json",
			"--in", "tone", "--no-dtx", "--out", "none")
		return &client{launch(t, command(t, "", all...))}
	}
	stranger := program("call", contact)
	p.shows("[data-news=stranger]", "Somebody you have not met called")
	stranger.kill()
	p.until("it did not ring", "!document.querySelector('.call-over')", soon)
	p.click("[data-news=stranger] .link")
	p.shows("[data-news=stranger]", "They call themselves cleo.")
	p.click("[data-news=stranger] .news-more .button")
	p.shows("[data-sheet=contact]", "Remembered")
	p.click("[data-sheet=contact] [data-icon=close]")

	caller := program("call", contact)
	p.rings("Same key as in")
	p.click("[data-call=answer]")
	p.state("joined", soon)
	caller.await("call_up", soon)
	caller.hears("")
	p.hears(time.Second)
	p.click(".leave")
	caller.finish(soon)
	p.click("[data-ended] .button:last-child")

	called := program("answer", "--auto", "--anybody")
	called.await("line", soon)
	p.click("[data-person]:first-child [data-icon=call]")
	p.state("joined", soon)
	p.hears(time.Second)
	p.hasTwo(ann, called)
	p.do(chromedp.Navigate("about:blank")) // who closes the page hangs up
	called.await("call_ended", soon)
	ann.shows("[data-ended=hung_up]", "hung up")
}

// hasTwo has the page call ann while it talks with the program, which waits then, and is not handed over, for
// she does not want that.
func (p *page) hasTwo(ann *page, program *client) {
	p.t.Helper()
	p.click(".room-title [data-icon=call]")
	p.click("[data-sheet=call-people] .button")
	ann.rings("Same key as in")
	ann.click("[data-call=answer]")
	program.await("held", soon)
	p.shows("h1", "Friend")
	p.talksWith(ann)
	p.click("[data-call=swap]")
	p.shows("h1", "cleo")
	ann.shows("[data-strip=theyHold]", "holds the call")
	p.recorded()
	p.hears(time.Second)
	p.click("[data-call=handOver]")
	ann.shows("[data-strip=question]", "May they call you?")
	ann.click("[data-strip=question] [data-call=no]")
	p.shows("[data-strip=transfer]", "did not come to that")
}
