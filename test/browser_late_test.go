package test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wzp-voice/wzp"
)

// lateSite is a relay's page whose files come when the test lets them; browsers keep nothing of it.
type lateSite struct {
	*httptest.Server
	mu         sync.Mutex // guards what follows
	held, gone []string   // beginnings of paths
	asked      map[string]bool
}

func newLateSite(t *testing.T, r *relay) *lateSite {
	t.Helper()
	to, err := url.Parse(r.page)
	if err != nil {
		t.Fatal(err)
	}
	s := &lateSite{asked: make(map[string]bool)}
	pass := &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(to)
			request.Out.Host = request.In.Host
		},
		ModifyResponse: func(response *http.Response) error {
			response.Header.Set("Cache-Control", "no-store")
			return nil
		},
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		for s.is(&s.held, q.URL.Path) {
			select {
			case <-q.Context().Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
		if s.is(&s.gone, q.URL.Path) {
			http.NotFound(w, q)
			return
		}
		pass.ServeHTTP(w, q)
	}))
	t.Cleanup(s.CloseClientConnections)
	s.gone = []string{"/sw.js"}
	return s
}

// is reports whether a path begins as one of a list.
func (s *lateSite) is(list *[]string, path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{"/room-", "/sheets-", "/worker-"} {
		s.asked[name] = s.asked[name] || strings.HasPrefix(path, name)
	}
	for _, begin := range *list {
		if strings.HasPrefix(path, begin) {
			return true
		}
	}
	return false
}

// hold holds back the files whose paths begin so, from now on, and no others.
func (s *lateSite) hold(begin ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = begin
	clear(s.asked)
}

// await waits until somebody asks for a file whose path begins so.
func (s *lateSite) await(t *testing.T, begin string) {
	t.Helper()
	for deadline := time.Now().Add(soon); ; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		asked := s.asked[begin]
		s.mu.Unlock()
		if asked {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody asks for %s", begin)
		}
	}
}

// TestPageWithLateParts: who does something before the parts of the page are there gets what they wanted when
// they are, unless they went elsewhere meanwhile. What one has typed, the key of an invite, and the focus
// stay.
func TestPageWithLateParts(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	s := newLateSite(t, r)
	all := []string{"/room-", "/worker-", "/sheets-"}
	s.hold(all...)
	p := openPage(t, s.URL+"/tea", look{
		flags: []string{"autoplay-policy=document-user-activation-required"},
		before: `globalThis.wzpContexts = [];
			const Real = AudioContext;
			globalThis.AudioContext = class extends Real {
				constructor(...args) { super(...args); wzpContexts.push(this); }
			};`})
	check := func(what, script string) {
		t.Helper()
		var ok bool
		if p.eval("Boolean("+script+")", &ok); !ok {
			t.Error(what)
		}
	}
	to := func(path string) {
		t.Helper()
		p.do(chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL+path))
		p.state("door", soon)
	}

	// The way in, given up: the door of another room stays.
	p.state("door", soon)
	p.eval("document.querySelector('[data-part=have]').click(); document.querySelector('#name').focus()", nil)
	p.press("anna")
	p.state("joining", soon)
	p.until("it is said that the page is loading", "document.querySelector('.bar')", soon)
	s.hold("/worker-", "/sheets-")
	p.until("the field for an invite", "document.querySelector('#paste-invite')", soon)
	check("the focus went from what is typed to what came late", "document.activeElement?.id === 'name'")
	check("the microphone is asked for while one joins", "!document.querySelector('.mic-check')")
	p.eval("document.querySelector('.door-foot .link').click()", nil)
	p.state("door", soon)
	s.hold("/sheets-")
	s.await(t, "/sheets-")
	p.eval("new Promise((resolve) => setTimeout(resolve))", nil)
	check("who went to another door is in a room", "document.documentElement.dataset.state === 'door'"+
		"&& !document.querySelector('.room') && !document.querySelector('.bar')")

	// A sheet that was asked for at the door does not follow into the room.
	p.eval(`document.querySelector('#name').value = 'anna';
		document.querySelector('#room').value = 'coffee';
		document.querySelector('[data-icon=settings]').click();
		document.querySelector('[type=submit]').click();`, nil)
	p.until("the room", "document.querySelector('.room')", soon)
	p.eval("new Promise((resolve) => setTimeout(resolve, 600))", nil) // after what it may take until that is said
	check("what is said of a sheet of the door stays", "!document.querySelector('[data-bar=sheet]')")
	p.state("joined", soon)

	// The 24 words do not come up later, unasked: their sheet waits for them.
	s.hold("/mnemonic-")
	p.eval("document.querySelector('[data-icon=settings]').click()", nil)
	p.until("the settings", "document.querySelector('[data-part=identity] .buttons .button')", soon)
	p.eval(`[...document.querySelectorAll('[data-part=identity] .buttons .button')].at(-1).click();
		document.querySelector('#import-words').value = 'these are not 24 words';
		document.querySelector('[data-sheet=import] [type=submit]').click()`, nil)
	p.until("that the words are looked at", "document.querySelector('[data-sheet=import] [type=submit]:disabled')",
		soon)
	p.strike(kb.Escape)
	p.until("the settings again", "document.querySelector('[data-part=identity] .buttons .button')", soon)
	p.eval("document.querySelector('[data-part=identity] .buttons .button').click()", nil)
	p.until("the sheet of the words", "document.querySelector('[data-sheet=words] [role=status]')", soon)
	s.hold()
	p.until("the words", "document.querySelectorAll('[data-sheet=words] li').length === 24", soon)

	// A new private room, wanted twice: one is made, and its sound begins in the first click.
	s.hold(all...)
	to("/tea")
	p.eval(`addEventListener('hashchange', () => document.querySelector('.door-foot .link').click(),
			{ once: true });
		location.hash = 'k=some'; // an invite is checked for 100 ms
		new Promise((resolve) => setTimeout(resolve, 400))`, nil)
	check("the door is not the one that was chosen last",
		"location.pathname === '/' && document.querySelector('#room')")
	p.eval("document.querySelector('#name').value = 'anna'; globalThis.wzpBefore = history.length; "+
		"document.querySelector('.door-foot .button').scrollIntoView()", nil)
	p.tap(".door-foot .button")
	p.tap(".door-foot .button")
	p.state("joining", soon)
	s.hold()
	p.state("joined", patience)
	p.until("sound", "wzpContexts.length === 1 && wzpContexts[0].state === 'running'", soon)
	check("there are more ways back than one to the door and one out of the call",
		"history.length - wzpBefore === 2")
	check("the room is not private", "document.querySelector('.room .lock, .room [data-private=true]')")

	// Another language at the door of an invite: its key, and what is typed, stay.
	secret := wzp.NewSecret().Text()
	s.hold("/room-")
	to("/cup#k=" + secret)
	const join = "document.querySelector('[type=submit]').getBoundingClientRect().y"
	p.eval("globalThis.wzpBefore = "+join, nil)
	s.hold()
	p.until("the check of the microphone", "document.querySelector('[data-mic=on]')", soon)
	check("Join moves when that comes", join+" === wzpBefore")
	p.eval("document.querySelector('#name').value = 'ben'; "+
		"document.querySelector('[data-icon=settings]').click()", nil)
	p.until("the settings", "document.querySelector('#setting-language')", soon)
	s.hold("/words-")
	p.eval(`(() => {
		const language = document.querySelector('#setting-language');
		language.value = 'es';
		language.dispatchEvent(new Event('change'));
	})()`, nil)
	p.until("it is said that the words are loading", "document.querySelector('[data-bar=sheet]') && "+
		"!document.querySelector('dialog')", soon)
	s.hold()
	p.until("Spanish", "document.documentElement.lang === 'es' && "+
		"document.querySelector('dialog[open] #setting-language')", soon)
	check("the key of the invite is lost", "document.querySelector('.lock').dataset.private === 'true'")
	check("the name is lost", "document.querySelector('#name').value === 'ben'")

	// A key that cannot be one is not kept, although one joined with it before that was known.
	s.hold(all...)
	to("/pot#k=wzp-short")
	p.press("ben")
	p.state("joining", soon)
	s.hold("/worker-")
	p.until("it is said that the key is wrong", "document.querySelector('[data-note=secret]')", soon)
	check("the wrong key was kept", "!document.querySelector('.lock')")
	check("one is on the way in", "document.documentElement.dataset.state === 'door'")
	s.hold()

	// A page of before an update, whose parts are not there any more: there is a door, and Join says it.
	s.mu.Lock()
	s.gone = append(s.gone, "/room-")
	s.mu.Unlock()
	to("/pot#k=" + secret)
	p.press("ben")
	p.until("the page is old", "document.querySelector('[data-ended=old]')", soon)
	check("something else is said", "!document.querySelector('.bar')")
}
