package relay

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// heardKey is a key that a client got.
type heardKey struct {
	sender wire.MemberID
	number uint32
	wrap   string
	at     time.Time
}

// hearKey notes a message about keys. The caller holds e.mu.
func (e *ears) hearKey(kind wire.UrgentKind, body []byte) {
	switch kind {
	case wire.UrgentKey:
		if k, err := wire.Parse[wire.Key](body); err == nil {
			e.keys = append(e.keys, heardKey{k.Sender, k.Key.Number, string(k.Wrap), time.Now()})
		}
	case wire.UrgentKeysWanted:
		ids, _ := wire.ParseKeysWanted(body)
		e.wanted = append(e.wanted, ids...)
	case wire.UrgentKeyDelivered:
		if n, err := wire.Parse[wire.KeyDelivered](body); err == nil {
			e.told = append(e.told, n.Number)
		}
	}
}

// keysOf returns the numbers of the keys of a talker that came, in order.
func (e *ears) keysOf(talker wire.MemberID) (numbers []uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, k := range e.keys {
		if k.sender == talker {
			numbers = append(numbers, k.number)
		}
	}
	return numbers
}

// keyMessage is a sender key that looks like a real one.
func keyMessage(number, recipients uint32) []byte {
	k := wire.SenderKey{Recipients: recipients, Key: wire.SignedKey{
		KeyHeader: wire.KeyHeader{Suite: 2, Number: number, FirstCTR: 1000},
		Signature: bytes.Repeat([]byte{0xd1}, identity.SignatureSize),
	}}
	copy(k.Key.Hash[:], bytes.Repeat([]byte{0xe1}, 32))
	k.Key.Signed = wire.AppendKeyHeader(nil, &k.Key.KeyHeader)
	return wire.Append(nil, &k)
}

// wrapFor is a talker's wrap for somebody.
func wrapFor(number uint32, to wire.MemberID) []byte {
	return bytes.Repeat([]byte{0xc1, byte(number), to[0], to[1]}, wire.WrapFresh/4)
}

// urge sends an urgent message, as soon as the link takes it.
func (p *person) urge(kind wire.UrgentKind, body []byte) {
	for p.client.Session().SendUrgent(kind, body) != nil {
		time.Sleep(20 * time.Millisecond)
	}
}

func (p *person) announce(number uint32, recipients int) {
	p.urge(wire.UrgentSenderKey, keyMessage(number, uint32(recipients)))
}

func (p *person) wraps(number uint32, to ...wire.MemberID) {
	const perMessage = (wire.MaxUrgent - 5) / (6 + wire.WrapFresh)
	for len(to) > 0 {
		n := min(perMessage, len(to))
		msg := wire.AppendKeyWraps(nil, number, wire.WrapFresh)
		for _, id := range to[:n] {
			msg = wire.AppendWrap(msg, id, wrapFor(number, id))
		}
		p.urge(wire.UrgentKeyWraps, msg)
		to = to[n:]
	}
}

func (p *person) wants(talkers ...wire.MemberID) {
	p.urge(wire.UrgentKeysWanted, wire.AppendKeysWanted(nil, talkers...))
}

func (p *person) delivered(number uint32) bool {
	p.ears.mu.Lock()
	defer p.ears.mu.Unlock()
	for _, n := range p.ears.told {
		if n == number {
			return true
		}
	}
	return false
}

// knows reports whether a client was told of a member.
func (p *person) knows(id wire.MemberID) bool {
	p.ears.mu.Lock()
	defer p.ears.mu.Unlock()
	for _, m := range p.ears.joined {
		if m == id {
			return true
		}
	}
	return false
}

// wantKeys wants each of the listeners to have got these keys of a talker, each once, with their own wraps.
func wantKeys(t *testing.T, what string, talker *person, listeners []*person, numbers ...uint32) {
	t.Helper()
	for i, p := range listeners {
		count := make(map[uint32]int)
		p.ears.mu.Lock()
		for _, k := range p.ears.keys {
			if k.sender != talker.member {
				continue
			}
			if count[k.number]++; k.wrap != string(wrapFor(k.number, p.member)) {
				t.Errorf("%s: listener %d got another's wrap", what, i)
			}
		}
		p.ears.mu.Unlock()
		for _, n := range numbers {
			if count[n] != 1 {
				t.Errorf("%s: listener %d got key %d %d times", what, i, n, count[n])
			}
		}
		if len(count) != len(numbers) {
			t.Errorf("%s: listener %d got %v", what, i, count)
		}
		if !p.knows(talker.member) {
			t.Errorf("%s: listener %d was not told who talks", what, i)
		}
	}
}

func ids(list []*person) (ids []wire.MemberID) {
	for _, p := range list {
		ids = append(ids, p.member)
	}
	return ids
}

// party returns a talker, and n listeners of whom one joined before it.
func (l *lab) party(n int) (talker *person, listeners []*person) {
	l.t.Helper()
	listeners = append(listeners, l.joined("r"))
	talker = l.joined("r")
	for len(listeners) < n {
		listeners = append(listeners, l.joined("r"))
	}
	time.Sleep(time.Second)
	return talker, listeners
}

func TestKeysArePassedOn(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		talker, listeners := l.party(20)
		start := time.Now()
		talker.announce(1, len(listeners))
		talker.wraps(1, ids(listeners)...)
		l.eventually("delivered", 10*time.Second, func() bool { return talker.delivered(1) })
		t.Logf("20 listeners: delivered after %v", time.Since(start))
		wantKeys(t, "20 listeners", talker, listeners, 1)
		l.want("one key", map[string]float64{
			"sender_keys_total": 1, "keys_passed_total": 20, "keys_introduced_total": 19,
			"keys_delivered_total": 1, "key unusable": 0,
		})
	})
}

func TestKeysUnderLoss(t *testing.T) {
	for _, loss := range []float64{0.3, 0.6} {
		inLab(t, Config{}, func(l *lab) {
			talker, listeners := l.party(5)
			profile := simnet.Profile{Delay: 50 * time.Millisecond, Loss: loss, Reorder: 0.3, Duplicate: 0.1,
				Seed: 7}
			if err := l.net.SetDefault(profile); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			for n := uint32(1); n <= 4; n++ { // as many as a relay keeps, in whatever order they come
				talker.wraps(n, ids(listeners[:2])...) // before what they belong to
				talker.announce(n, len(listeners))
				talker.wraps(n, ids(listeners[2:])...)
			}
			for n := uint32(1); n <= 4; n++ {
				l.eventually(fmt.Sprintf("key %d", n), 30*time.Second,
					func() bool { return talker.delivered(n) })
			}
			t.Logf("%v lost: four keys for five after %v", loss, time.Since(start))
			wantKeys(t, "loss", talker, listeners, 1, 2, 3, 4)
		})
	}
}

// answering returns a talker that makes a key for everybody of whom it is told.
func (l *lab) answering() *person {
	l.t.Helper()
	p := l.joined("r")
	time.Sleep(time.Second)
	var number uint32 // urgent messages come one at a time
	p.ears.mu.Lock()
	defer p.ears.mu.Unlock()
	p.ears.news = func(kind wire.UrgentKind, body []byte) {
		entries, _ := wire.ParseMembersJoined(body)
		if kind != wire.UrgentMembersJoined {
			return
		}
		for _, e := range entries {
			number++
			p.announce(number, 1)
			p.wraps(number, wire.EntryID(e))
		}
	}
	return p
}

// TestNewcomerGetsKeyAtOnce wants nothing between a join and the talker's key to wait for the control stream,
// or for a tick: 10 ms to the talker, 10 ms back, 10 ms to the newcomer.
func TestNewcomerGetsKeyAtOnce(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		talker := l.answering()
		newcomer := l.joined("r")
		start := time.Now()
		l.eventually("the key", time.Second,
			func() bool { return len(newcomer.ears.keysOf(talker.member)) > 0 })
		if took := time.Since(start); took > 60*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if !newcomer.knows(talker.member) {
			t.Error("the newcomer was not told whose key it is")
		}
	})
}

// TestNewcomerUnderLoss is the same with 60 % of all packets lost, many times.
func TestNewcomerUnderLoss(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		talker := l.answering()
		var worst time.Duration
		for i := range 12 {
			newcomer := l.joined("r")
			start := time.Now()
			profile := simnet.Profile{Delay: 10 * time.Millisecond, Loss: 0.6, Seed: uint64(i)}
			if err := l.net.SetDefault(profile); err != nil {
				t.Fatal(err)
			}
			l.eventually("the key", 10*time.Second, func() bool {
				return len(newcomer.ears.keysOf(talker.member)) > 0 && newcomer.knows(talker.member)
			})
			worst = max(worst, time.Since(start))
			if err := l.net.SetDefault(simnet.Profile{Delay: 10 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
			newcomer.client.Close()
			time.Sleep(time.Second)
		}
		t.Logf("60 %% lost: the slowest of 12 newcomers had the key after %v", worst)
	})
}

func TestWrapsOvertakeTheirKey(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		talker, listeners := l.party(3)
		talker.wraps(1, ids(listeners)...)
		time.Sleep(3 * time.Second)
		wantKeysNone(t, listeners)
		if n := talker.client.Session().UrgentPending(); n != 1 {
			t.Errorf("%d messages wait, want the wraps", n)
		}
		talker.announce(1, len(listeners))
		l.eventually("delivered", time.Second, func() bool { return talker.delivered(1) })
		wantKeys(t, "late key", talker, listeners, 1)
	})
}

func wantKeysNone(t *testing.T, listeners []*person) {
	t.Helper()
	for _, p := range listeners {
		p.ears.mu.Lock()
		if len(p.ears.keys) > 0 {
			t.Error("a wrap without its key was passed on")
		}
		p.ears.mu.Unlock()
	}
}

// TestKeysAfterRelayRestart wants a relay that knows nothing of keys to begin anew, when the talker does.
func TestKeysAfterRelayRestart(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		talker, listeners := l.party(3)
		talker.announce(1, len(listeners))
		talker.wraps(1, ids(listeners)...)
		l.eventually("delivered", time.Second, func() bool { return talker.delivered(1) })
		fresh := make(chan struct{}, 10)
		for _, p := range append(listeners, talker) {
			p.ears.mu.Lock()
			p.ears.joined = nil
			p.ears.mu.Unlock()
			p.ears.attached = func(anew bool) {
				if anew {
					fresh <- struct{}{}
				}
			}
		}
		l.stop()
		l.start(Config{})
		for range 4 {
			<-fresh
		}
		talker.wraps(1, ids(listeners)...) // of the time before: the relay does not have the key
		time.Sleep(time.Second)
		wantKeys(t, "restarted", talker, nil)
		talker.announce(2, len(listeners))
		talker.wraps(2, ids(listeners)...)
		l.eventually("delivered again", 2*time.Second, func() bool { return talker.delivered(2) })
		wantKeys(t, "afterwards", talker, listeners, 1, 2)
	})
}

// TestSilentListener wants a talker to wait for who is gone without a word, but not for long.
func TestSilentListener(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		talker, listeners := l.party(3)
		listeners[1].conn.Close()
		start := time.Now()
		talker.announce(1, len(listeners))
		talker.wraps(1, ids(listeners)...)
		l.eventually("delivered", 10*time.Second, func() bool { return talker.delivered(1) })
		if took := time.Since(start); took < time.Second || took > 4500*time.Millisecond {
			t.Errorf("delivered after %v, want about 4 s since it was heard last", took)
		}
	})
}

// TestDeafListener wants a listener that acknowledges nothing, but lives, to keep nobody from their keys.
func TestDeafListener(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		talker, listeners := l.party(3)
		deaf := listeners[1]
		deaf.ears.mu.Lock()
		deaf.ears.deaf = true
		deaf.ears.mu.Unlock()
		l.fill(deaf)
		n := uint32(0)
		for range 20 {
			n++
			talker.announce(n, len(listeners))
			talker.wraps(n, ids(listeners)...)
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		for i, p := range []*person{listeners[0], listeners[2]} {
			if got := len(p.ears.keysOf(talker.member)); got != int(n) {
				t.Errorf("listener %d got %d of %d keys", i, got, n)
			}
		}
		if waiting := talker.client.Session().UrgentPending(); waiting > 0 {
			t.Errorf("%d of the talker's messages wait", waiting)
		}
		if l.metric("key unusable") == 0 {
			t.Error("nothing was dropped")
		}
	})
}

// fill leaves no room for urgent messages to somebody.
func (l *lab) fill(p *person) {
	for _, s := range l.relay.endpoint.Sessions() {
		for s.Identity() == p.id.Public() && s.SendUrgent(99, nil) == nil {
		}
	}
}

// TestKeyFloods wants floods to reach nobody as such, and media and others' keys to get through meanwhile.
func TestKeyFloods(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		talker, listeners := l.party(3)
		mallory, victim := l.joined("r"), listeners[0]
		time.Sleep(time.Second)
		many := make([]wire.MemberID, 2000)
		for i := range many {
			many[i] = []wire.MemberID{victim.member, mallory.member, {1, 2, 3, byte(i), byte(i >> 8)}}[i%3]
		}
		mallory.announce(1, 1<<32-1)
		mallory.wraps(1, many...)
		for range 100 {
			mallory.wants(talker.member, mallory.member, wire.MemberID{9})
			mallory.urge(wire.UrgentSenderKey, []byte("no key"))
			mallory.urge(wire.UrgentKey, []byte("not for relays"))
		}
		talker.announce(1, len(listeners))
		talker.wraps(1, ids(listeners)...)
		talker.say(talker.kid(0), 0, 0, 50)
		l.eventually("delivered", 5*time.Second, func() bool { return talker.delivered(1) })
		l.eventually("the flood is over", time.Minute,
			func() bool { return mallory.client.Session().UrgentPending() == 0 })
		wantKeys(t, "flood", talker, listeners, 1)
		if got := victim.ears.keysOf(mallory.member); len(got) != 1 {
			t.Errorf("the victim got %v", got)
		}
		if n := victim.ears.heard(talker.kid(0)); n != 50 {
			t.Errorf("the victim heard %d of 50 frames", n)
		}
		talker.ears.mu.Lock()
		defer talker.ears.mu.Unlock()
		if n := len(talker.ears.wanted); n == 0 || n > 40 {
			t.Errorf("the talker was asked %d times", n)
		}
		if mallory.delivered(1) {
			t.Error("delivered to four thousand millions")
		}
	})
}

// TestTooManyKeys wants keys beyond two a second to be put off, and none to be lost.
func TestTooManyKeys(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		talker, listeners := l.party(1)
		start := time.Now()
		for n := uint32(1); n <= 12; n++ {
			talker.announce(n, 0)
		}
		l.eventually("all", 10*time.Second, func() bool {
			return talker.delivered(12) &&
				talker.client.Session().UrgentPending() == 0
		})
		if took := time.Since(start); took < 1500*time.Millisecond {
			t.Errorf("12 keys were taken within %v", took)
		}
		if l.metric("key rate") == 0 {
			t.Error("none was put off")
		}
		wantKeys(t, "for nobody", talker, nil)
		_ = listeners
	})
}

func TestKeysWantedAreTold(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		talker, listeners := l.party(4)
		for _, p := range listeners {
			p.wants(talker.member)
		}
		asked := func() int {
			talker.ears.mu.Lock()
			defer talker.ears.mu.Unlock()
			return len(talker.ears.wanted)
		}
		l.eventually("asked", 300*time.Millisecond, func() bool { return asked() == len(listeners) })
		for _, p := range listeners {
			if !talker.knows(p.member) {
				t.Error("the talker does not know who asks")
			}
		}
	})
}

// TestKeysBeforeJoin wants what overtakes a Join to come again.
func TestKeysBeforeJoin(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		for _, kind := range []wire.UrgentKind{wire.UrgentSenderKey, wire.UrgentKeyWraps,
			wire.UrgentKeysWanted} {
			if l.relay.key(nil, kind, keyMessage(1, 1)) {
				t.Errorf("%v of no member was taken", kind)
			}
		}
	})
}

// TestNoKeysInLog looks for keys in all that a relay may log.
func TestNoKeysInLog(t *testing.T) {
	var log safeBuilder
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	inLab(t, Config{Log: logger}, func(l *lab) {
		talker, listeners := l.party(3)
		talker.announce(1, len(listeners))
		talker.wraps(1, ids(listeners)...)
		l.eventually("delivered", time.Second, func() bool { return talker.delivered(1) })
	})
	text := log.String()
	for _, word := range []string{"sender key", "key wraps"} {
		if !strings.Contains(text, word) {
			t.Errorf("no %s in the log", word)
		}
	}
	for _, secret := range [][]byte{bytes.Repeat([]byte{0xd1}, 6), bytes.Repeat([]byte{0xe1}, 6), {0xc1, 1}} {
		forms := []string{string(secret), hex.EncodeToString(secret), fmt.Sprint(secret[:2]),
			fmt.Sprintf("%q", secret)}
		if len(secret) > 2 {
			forms = append(forms, base64.StdEncoding.EncodeToString(secret))
		} else {
			forms = forms[:1] // two bytes in hexadecimal are anywhere
		}
		for _, form := range forms {
			if strings.Contains(text, form) {
				t.Errorf("%q is in the log", form)
			}
		}
	}
}

// safeBuilder is a strings.Builder for many goroutines.
type safeBuilder struct {
	mu sync.Mutex // guards b
	b  strings.Builder
}

func (s *safeBuilder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuilder) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
