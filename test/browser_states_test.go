package test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/wzp-voice/wzp/internal/simnet"
)

// gate passes TCP on, unless it is closed: then nothing gets through, and nothing is lost.
type gate struct {
	listener net.Listener
	to       string
	shut     sync.RWMutex // held for writing while it is closed
}

// newGate opens a gate to an address.
func newGate(t *testing.T, to string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: listener, to: to}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go g.pass(conn)
		}
	}()
	return g
}

func (g *gate) pass(here net.Conn) {
	there, err := net.Dial("tcp", g.to)
	if err != nil {
		here.Close()
		return
	}
	go g.copy(there, here)
	g.copy(here, there)
}

func (g *gate) copy(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		g.shut.RLock()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		g.shut.RUnlock()
		if err != nil {
			return
		}
	}
}

// beside opens another tab of a page's browser, with another profile.
func (p *page) beside(address, before string) *page {
	p.t.Helper()
	whole := cdp.WithExecutor(p.tab.ctx, chromedp.FromContext(p.tab.ctx).Browser)
	profile, err := target.CreateBrowserContext().Do(whole)
	if err != nil {
		p.t.Fatal(err)
	}
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(whole)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(p.tab.ctx, chromedp.WithTargetID(id))
	p.t.Cleanup(cancel)
	tab := &chromium{ctx: ctx}
	q := &page{t: p.t, driver: tab, tab: tab}
	chromedp.ListenTarget(ctx, tab.event)
	q.do(emulation.SetFocusEmulationEnabled(true),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := cdppage.AddScriptToEvaluateOnNewDocument(before).Do(ctx)
			return err
		}), chromedp.Navigate(address))
	return q
}

// watchLines keeps what the three lines of a room say, since when (ms since 1970), and for how long at most
// the page did not get the processor.
const watchLines = `(() => {
	globalThis.wzpLines = [];
	globalThis.wzpStall = 0;
	const texts = () => {
		const [heard, hear] = document.querySelectorAll('.line .answer');
		if (!hear) return null;
		const label = document.querySelector('.talk-label').textContent;
		return [heard.textContent, hear.hidden ? 'nothing' : hear.textContent,
			/ (is|are) talking$/.test(label) ? 'Somebody is talking' : label];
	};
	new MutationObserver(() => {
		const now = texts();
		const before = wzpLines.at(-1)?.texts.join();
		if (now && now.join() !== before) wzpLines.push({ at: Date.now(), texts: now });
	}).observe(document, { subtree: true, childList: true, characterData: true, attributes: true,
		attributeFilter: ['hidden'] });
	let last = Date.now();
	setInterval(() => {
		const now = Date.now();
		wzpStall = Math.max(wzpStall, now - last - 50);
		last = now;
	}, 50);
})()`

// said is what a page said from a time on.
type said struct {
	At    int64     `json:"at"` // ms since 1970
	Texts [3]string `json:"texts"`
}

// stateRow is a row of the tables in docs/page-states.md.
type stateRow struct {
	network string
	after   time.Duration
	answers map[string][3][]string // by column: what each line may say
}

// allows reports whether a page in a situation may say this.
func (r *stateRow) allows(situation string, texts [3]string) bool {
	for i, text := range texts {
		if !slices.Contains(r.answers[situation][i], text) {
			return false
		}
	}
	return true
}

// readStates reads docs/page-states.md.
func readStates(t *testing.T) (columns []string, rows []*stateRow) {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "docs", "page-states.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, table := range strings.Split(string(doc), "\n## ")[1:] {
		n := 0
		for l := range strings.Lines(table) {
			cells := strings.Split(strings.Trim(l, "|\n "), "|")
			for j := range cells {
				cells[j] = strings.TrimSpace(cells[j])
			}
			switch {
			case !strings.HasPrefix(l, "|") || strings.HasPrefix(l, "| ---"):
			case cells[0] == "network":
				columns = cells[2:]
			default:
				if i == 0 {
					after, err := time.ParseDuration(strings.ReplaceAll(cells[1], " ", ""))
					if err != nil {
						t.Fatal(err)
					}
					rows = append(rows, &stateRow{cells[0], after, map[string][3][]string{}})
				}
				for j, column := range columns {
					answers := rows[n].answers[column]
					answers[i] = strings.Split(cells[j+2], "; ")
					rows[n].answers[column] = answers
				}
				n++
			}
		}
	}
	return columns, rows
}

// patchy is the network on which QUIC itself, which carries what pages send, stops for seconds at times, or
// does not get through for so long that the page goes on over TCP.
const patchy = "60 % lost"

// calm are networks on which all gets better.
var calm = map[string]bool{"good": true, "dead for 2 s: back": true, "relay restarted: back": true,
	"dead for 60 s: back": true}

// statePages are a relay behind a network that can be made bad, and a page in each column's situation.
type statePages struct {
	t       *testing.T
	relay   *relay
	road    *simnet.Proxy // UDP
	gate    *gate         // TCP
	columns []string
	rows    []*stateRow
	pages   map[string]*page
}

// openStates joins with a page in each situation.
func openStates(t *testing.T) *statePages {
	t.Helper()
	r := startRelay(t)
	address, road := pageBehind(t, r, true)
	g := newGate(t, strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/"))
	s := &statePages{t: t, relay: r, road: road, gate: g, pages: map[string]*page{}}
	if s.columns, s.rows = readStates(t); !measuring { // each takes a good part of a core
		s.columns = []string{"alone", "others", "muted", "held"}
	}
	for _, room := range []string{"others", "outside"} {
		if room == "others" || slices.Contains(s.columns, room) {
			startJoin(t, r.addr, room, "--in", "tone", "--out", "none", "--no-dtx", "--name", "bert")
		}
	}
	home := "http://" + g.listener.Addr().String() + "/"
	first := openPage(t, "about:blank", look{}) // a door would draw its own level
	secret := newSecret(t)
	for _, column := range s.columns {
		to := map[string]string{"alone": home + "alone", "outside": home + "outside#k=" + secret}[column]
		if to == "" {
			to = home + "others"
		}
		p := first.beside(to, watchLines)
		s.pages[column] = p
		p.enter(column)
		stroke := func(key, code string) { p.key(input.KeyRawDown, key, code, false) }
		switch column {
		case "muted":
			stroke("m", "KeyM")
		case "radio":
			stroke("r", "KeyR")
		case "held":
			stroke("r", "KeyR")
			p.key(input.KeyUp, "r", "KeyR", false)
			stroke(" ", "Space")
		}
	}
	return s
}

// follow changes the network, and waits until all pages have said what the rows of that network want, in that
// order. It returns when that was changed.
func (s *statePages) follow(network string, change func()) time.Time {
	s.t.Helper()
	rows := s.rowsOf(network)
	var longer []*stateRow
	if strings.HasPrefix(network, "dead") && !calm[network] { // as it was for a page that was slow to see it
		longer = s.rowsOf("dead for 60 s")
	}
	from := time.Now()
	change()
	for _, column := range s.columns {
		took := s.await(column, rows, longer, from)
		s.t.Logf("%s, %s: %v", network, column, took)
	}
	return from
}

// rowsOf returns what the tables have of a network.
func (s *statePages) rowsOf(network string) (rows []*stateRow) {
	s.t.Helper()
	for _, row := range s.rows {
		if row.network == network {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		s.t.Fatalf("docs/page-states.md has no rows for %q", network)
	}
	return rows
}

// await waits until a page has said what the rows want, or what longer has, and returns after how long it
// did.
func (s *statePages) await(column string, rows, longer []*stateRow, from time.Time) (took []time.Duration) {
	s.t.Helper()
	p := s.pages[column]
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		var history []said
		p.eval("wzpLines", &history)
		if took = match(column, rows, longer, history, from); len(took) == len(rows) {
			break
		}
		if rows[0].network == patchy && p.path() != "webtransport" {
			s.t.Logf("%s, %s: it went where nothing is lost", patchy, column)
			return took
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s, %s: after %v the page does not say what it should: %v", rows[0].network, column,
				rows[len(took)].after, history[max(0, len(history)-4):])
		}
	}
	var stall float64
	p.eval("wzpStall", &stall)
	slack := 2*time.Second + 5*time.Duration(stall)*time.Millisecond
	for i, row := range rows { // how long the others take, the real network decides
		decided := !calm[row.network] && row.network != patchy && row.after < 8*time.Second
		if decided && took[i] > row.after+slack {
			s.t.Errorf("%s, %s: right after %v, want %v (the page stood still for %.0f ms)", row.network,
				column, took[i], row.after, stall)
		}
	}
	return took
}

// match returns when each of the rows came true, as far as they did. One that was skipped came true with a
// later one, or one of longer.
func match(column string, rows, longer []*stateRow, history []said, from time.Time) (took []time.Duration) {
	at := from
	for i, row := range rows {
		if !calm[row.network] {
			at = latest(at, from.Add(row.after))
		}
		found := false
		for j, line := range history {
			until := time.Now()
			if j+1 < len(history) {
				until = time.UnixMilli(history[j+1].At)
			}
			since := latest(at, time.UnixMilli(line.At))
			right := func(r *stateRow) bool { return r.allows(column, line.Texts) }
			skipped := time.UnixMilli(line.At).After(from) &&
				(slices.ContainsFunc(rows[i+1:], right) || slices.ContainsFunc(longer, right))
			if until.After(since) && (right(row) || skipped) {
				at, found = since, true
				break
			}
		}
		if !found {
			return took
		}
		took = append(took, at.Sub(from).Round(time.Millisecond))
	}
	return took
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// notHeard fails the test if a page said after a time that it is heard, or hears.
func (s *statePages) notHeard(from time.Time) {
	s.t.Helper()
	for column, p := range s.pages {
		var history []said
		p.eval("wzpLines", &history)
		for _, line := range history {
			text := strings.Join(line.Texts[:], "; ")
			wrong := []string{"Heard ", "Transmitting", "You hear well", "You hear with gaps"}
			if at := time.UnixMilli(line.At); at.After(from) &&
				slices.ContainsFunc(wrong, func(part string) bool { return strings.Contains(text, part) }) {
				s.t.Errorf("%s: without a network for %v the page said %q", column, at.Sub(from), line.Texts)
			}
		}
	}
}

// lose makes the network lose packets in both directions.
func (s *statePages) lose(share float64) func() {
	return func() {
		profile := simnet.Profile{Loss: share, Delay: 20 * time.Millisecond, Seed: 1}
		if err := s.road.SetProfile(profile, profile); err != nil {
			s.t.Fatal(err)
		}
	}
}

// die ends the network, or lets it live again.
func (s *statePages) die(on bool) func() {
	return func() {
		s.road.Block(simnet.Both, on)
		if on {
			s.gate.shut.Lock()
		} else {
			s.gate.shut.Unlock()
		}
	}
}

// outage ends the network, until all pages have said so, and for so long at least. It returns when it ended.
func (s *statePages) outage(network string, least time.Duration) time.Time {
	s.t.Helper()
	from := s.follow(network, s.die(true))
	time.Sleep(time.Until(from.Add(least)))
	return from
}

// restart starts the relay again, where it was.
func (s *statePages) restart() {
	http := strings.TrimSuffix(strings.TrimPrefix(s.relay.page, "http://"), "/")
	s.relay = startRelayAt(s.t, s.relay.addr, s.relay.data, "--http", http)
}

// TestPageStates: pages say what docs/page-states.md has, while their network gets bad, dies and comes back.
// With WZP_MEASURE=1 there are pages in all situations, and it is dead for a minute. The tables have times of
// a machine that is not busy; web/page/states.test.js compares them exactly, and here there is some slack.
// Where all gets better, what is said in the end counts, and not when.
//
// Nothing runs beside it: on a machine that others keep busy the page is not heard well, and says so.
func TestPageStates(t *testing.T) {
	s := openStates(t)
	s.follow("good", s.lose(0))
	if measuring {
		s.follow("30 % lost", s.lose(0.3))
	}
	s.follow(patchy, s.lose(0.6))
	s.follow("good", s.lose(0))
	for _, p := range s.pages { // where UDP did not get through for long enough, pages went elsewhere
		p.until("WebTransport", "document.documentElement.dataset.path === 'webtransport'", patience)
	}
	time.Sleep(5 * time.Second) // the loss is forgotten, and pages have pings to spare again
	s.follow("UDP blocked", func() { s.road.Block(simnet.Both, true) })
	s.follow("relay restarted: gone", func() { s.relay.signal(syscall.SIGTERM) })
	s.relay.wait(soon)
	s.follow("relay restarted: back", s.restart)
	// Not at first: round trips differ while four pages are opened, and who cannot tell a late answer from
	// none is right to be sure later.
	s.outage("dead for 2 s", 2*time.Second)
	s.follow("dead for 2 s: back", s.die(false))
	least := time.Duration(0)
	if measuring {
		least = time.Minute
	}
	dead := s.outage("dead for 60 s", least)
	s.notHeard(dead.Add(5 * time.Second))
	s.follow("dead for 60 s: back", s.die(false))
}
