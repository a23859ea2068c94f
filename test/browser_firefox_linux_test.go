package test

import (
	"syscall"
	"testing"
	"time"
)

// TestFirefoxLosesTime: a Firefox that did not get the processor hands out what the microphone gave meanwhile
// up to 200 ms late, from then on. The page opens the microphone anew, and is heard again.
func TestFirefoxLosesTime(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	p := openFirefox(t, r.page+"room", look{before: `globalThis.wzpOpened = 0;
		const media = navigator.mediaDevices, open = media.getUserMedia.bind(media);
		media.getUserMedia = (...args) => { wzpOpened++; return open(...args); };`})
	browser := p.driver.(*firefox).process
	p.enter("anna")
	p.eval("globalThis.wzpBefore = wzpOpened", nil)
	time.Sleep(2 * time.Second) // until it is known how its clock goes
	for range 3 {
		browser.signal(syscall.SIGSTOP)
		time.Sleep(200 * time.Millisecond)
		browser.signal(syscall.SIGCONT)
		time.Sleep(time.Second)
	}
	p.until("the microphone is opened anew", "wzpOpened > wzpBefore", soon)
	listener := join(t, r.addr, "room", "--in", "none", "--out", "none")
	listener.hears("anna")
	p.until("no fault", "document.querySelector('[data-bar]') === null", soon)
}
