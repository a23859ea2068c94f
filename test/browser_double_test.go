package test

import (
	"encoding/json"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"

	"github.com/wzp-voice/wzp/internal/simnet"
)

// lossyTCP passes connections on as TCP does over a path that loses packets, once it is told to: of what is
// sent each segment may be lost, and then all that follows waits for it to be sent again, longer each time.
//
//	browser ── segments ──> lossyTCP ── as they get through ──> server
type lossyTCP struct {
	ln   net.Listener
	to   string
	loss atomic.Uint64 // in 1000

	mu     sync.Mutex // guards what follows
	random *rand.Rand
	conns  []net.Conn
	wg     sync.WaitGroup
}

const (
	segment     = 1460
	segmentTime = 20 * time.Millisecond // one way
	// resendAfter is for the first time: RFC 6298 says 1 s, systems take 200 ms and a round trip.
	resendAfter = 240 * time.Millisecond
)

func newLossyTCP(t *testing.T, to string) *lossyTCP {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &lossyTCP{ln: ln, to: to, random: rand.New(rand.NewPCG(1, 2))}
	l.wg.Go(l.accept)
	t.Cleanup(func() {
		ln.Close()
		l.mu.Lock()
		for _, conn := range l.conns {
			conn.Close()
		}
		l.mu.Unlock()
		l.wg.Wait()
	})
	return l
}

func (l *lossyTCP) accept() {
	for {
		near, err := l.ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil {
			near.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, near, far)
		l.mu.Unlock()
		l.wg.Go(func() {
			l.cross() // its SYN
			l.pass(far, near)
		})
		l.wg.Go(func() { l.pass(near, far) })
	}
}

// pass passes on one direction to its end.
func (l *lossyTCP) pass(to, from net.Conn) {
	b := make([]byte, segment)
	for {
		n, err := from.Read(b)
		if n > 0 {
			l.cross()
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			to.(*net.TCPConn).CloseWrite()
			return
		}
	}
}

// cross waits until a segment has got through.
func (l *lossyTCP) cross() {
	loss := float64(l.loss.Load()) / 1000
	if loss == 0 {
		return
	}
	wait := resendAfter
	for l.lost(loss) {
		time.Sleep(wait)
		wait *= 2
	}
	time.Sleep(segmentTime)
}

func (l *lossyTCP) lost(loss float64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.Float64() < loss
}

// seenStay is a stay of the device as another member is told of it.
type seenStay struct {
	member     string
	came, went time.Time // zero: it is still seen
}

// sightings returns the stays of who has a name, and fails if two are ever seen at once.
func (c *client) sightings(name string) (list []seenStay) {
	c.t.Helper()
	for _, line := range c.stdout.lines() {
		var e event
		if json.Unmarshal([]byte(line), &e) != nil || e.Name != name {
			continue
		}
		seen := slices.IndexFunc(list, func(s seenStay) bool { return s.went.IsZero() })
		switch {
		case e.Event == "member_joined" && seen >= 0:
			c.t.Errorf("%s is seen as %s beside %s", name, e.Member, list[seen].member)
		case e.Event == "member_joined":
			list = append(list, seenStay{member: e.Member, came: e.TS})
		case e.Event == "member_left" && seen >= 0:
			list[seen].went = e.TS
		}
	}
	return list
}

// seesAgain waits until somebody is seen whose stay is not one of those before, and returns it.
func (c *client) seesAgain(name string, before []seenStay) string {
	c.t.Helper()
	e, ok := c.find(soon, func(e event) bool {
		return e.Event == "member_joined" && e.Name == name &&
			!slices.ContainsFunc(before, func(s seenStay) bool { return s.member == e.Member })
	})
	if !ok {
		c.t.Fatalf("%s is not seen again", name)
	}
	return e.Member
}

// TestPageIsSeenOnce: somebody reloads the page, goes elsewhere, closes the tab or has the browser killed,
// over a network that loses 30 % of all packets, and joins again. Nobody ever sees them twice, and who closes
// the page is gone without coming back, by a word of its own, also when UDP gets nothing out just then.
func TestPageIsSeenOnce(t *testing.T) {
	t.Parallel()
	rounds := 1
	if measuring {
		rounds = 20
	}
	r := startRelay(t)
	address, road := slowPage(t, r)
	plain, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	tcp := newLossyTCP(t, plain.Host)
	address = "http://" + tcp.ln.Addr().String() + "/room"
	bad := simnet.Profile{Loss: 0.3, Delay: segmentTime, Seed: 7}
	if err := road.SetProfile(bad, bad); err != nil {
		t.Fatal(err)
	}
	other := join(t, r.addr, "room", "--in", "none", "--out", "none", "--name", "bert")
	device := &device{t: t, address: address, profile: t.TempDir()}
	p := device.open()
	p.enter("anna")
	other.seesAgain("anna", nil)
	tcp.loss.Store(300)
	took := make(map[string][]time.Duration)
	for round := range rounds {
		for _, how := range []string{"reload", "elsewhere", "close", "kill"} {
			before := other.sightings("anna")
			stay := before[len(before)-1].member
			ended := time.Now()
			road.Block(simnet.Up|simnet.Down, how == "close")
			p = device.leaves(p, how, func() { // once the page is gone, and before it is back
				if how != "kill" && round%2 == 0 && !r.logged(soon, `"msg":"left"`, `"member":"`+stay+`"`) {
					t.Errorf("%s: %s does not leave", how, stay)
				}
				road.Block(simnet.Up|simnet.Down, false)
			})
			p.enter("anna")
			other.seesAgain("anna", before)
			for _, s := range other.sightings("anna") {
				if s.member == stay {
					took[how] = append(took[how], s.went.Sub(ended).Round(time.Millisecond))
				}
			}
		}
	}
	for _, line := range r.stderr.lines() {
		if strings.Contains(line, `"msg":"lost"`) {
			t.Errorf("a member was lost: %s", line)
		}
	}
	t.Logf("%d stays; from the end of each to its leave: %v", len(other.sightings("anna")), took)
	if n := len(other.sightings("anna")); n != 1+4*rounds {
		t.Errorf("%d stays were seen, want %d", n, 1+4*rounds)
	}
}

// device is a browser with a profile that outlives it.
type device struct {
	t       *testing.T
	address string
	profile string
	browser *page // a tab that stays
}

// open opens the page in a tab, and the browser if need be.
func (d *device) open() *page {
	d.t.Helper()
	if d.browser == nil {
		d.browser = openPage(d.t, "about:blank", look{flags: []string{"user-data-dir=" + d.profile}})
	}
	ctx, cancel := chromedp.NewContext(d.browser.tab.ctx)
	d.t.Cleanup(cancel)
	tab := &chromium{ctx: ctx}
	p := &page{t: d.t, driver: tab, tab: tab}
	p.do(chromedp.Navigate(d.address))
	return p
}

// leaves has the page go away, calls gone, and opens it again.
func (d *device) leaves(p *page, how string, gone func()) *page {
	d.t.Helper()
	switch how {
	case "reload":
		p.do(chromedp.Reload())
		gone()
		return p
	case "elsewhere":
		p.do(chromedp.Navigate("about:blank"))
		gone()
		p.do(chromedp.Navigate(d.address))
		return p
	case "close":
		if err := chromedp.Run(p.tab.ctx, cdppage.Close()); err != nil {
			d.t.Fatal(err)
		}
		gone()
		return d.open()
	default:
		browser := chromedp.FromContext(d.browser.tab.ctx).Browser
		if err := browser.Process().Kill(); err != nil {
			d.t.Fatal(err)
		}
		select {
		case <-browser.LostConnection:
		case <-time.After(soon):
			d.t.Fatal("the browser does not die")
		}
		d.browser = nil
		gone()
		return d.open()
	}
}

// muteLeaving keeps a page's session from saying that it leaves.
const muteLeaving = `const post = Worker.prototype.postMessage;
	Worker.prototype.postMessage = function (message, ...rest) {
		if (message?.type !== 'leave') post.call(this, message, ...rest);
	};`

// TestOwnPageLeaves: a page that wzp page serves is of another origin than its relay, which hears from it all
// the same when it goes away; also when its service worker has nothing to do, and sleeps.
func TestOwnPageLeaves(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	const open = "Open in a browser: "
	server := launch(t, command(t, "", "page", "--relay", strings.TrimSuffix(r.page, "/"), "--listen",
		"127.0.0.1:0"))
	isOpen := func(line string) bool { return strings.HasPrefix(line, open) }
	n, ok := server.stdout.after(0, isOpen, server.done, soon)
	if !ok {
		t.Fatalf("there is no page:\n%s", server.stderr.tail(10))
	}
	address := strings.TrimPrefix(server.stdout.line(n), open)
	p := openPage(t, address+"room", look{before: muteLeaving})
	for _, asleep := range []bool{false, true} {
		p.enter("anna")
		if asleep {
			p.until("the page is kept", "navigator.serviceWorker.controller", patience)
			p.do(serviceworker.Enable(), serviceworker.StopAllWorkers())
		}
		stay := r.newestStay("anna")
		p.do(chromedp.Navigate("about:blank"))
		if !r.logged(soon, `"msg":"left"`, `"member":"`+stay+`"`) {
			t.Errorf("it does not leave; asleep: %t", asleep)
		}
		p.do(chromedp.Navigate(address + "room"))
	}
	for _, line := range p.said() {
		if strings.Contains(line, "Content Security Policy") {
			t.Error(line)
		}
	}
}
