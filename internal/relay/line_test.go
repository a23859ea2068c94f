package relay

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
	"github.com/wzp-voice/wzp/web"
)

// newRecord returns a reach record of somebody, as edit has changed it.
func newRecord(id *identity.Identity, relay identity.PublicKey, edit func(r *wire.Reach)) []byte {
	r := wire.Reach{HomeRelay: relay, StayKey: [32]byte{1}, Sequence: 1,
		Expiry: time.Now().Add(wire.MaxReach).Unix()}
	if edit != nil {
		edit(&r)
	}
	return wire.SignReach(id, r)
}

func TestLineRefusals(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		me, relay := newIdentity(7), l.key.Public()
		for what, record := range map[string][]byte{
			"another identity": newRecord(newIdentity(8), relay, nil),
			"another relay":    newRecord(me, newIdentity(9).Public(), nil),
			"expired":          newRecord(me, relay, func(r *wire.Reach) { r.Expiry -= 500 }),
			"too long":         newRecord(me, relay, func(r *wire.Reach) { r.Expiry += 500 }),
			"signature":        append(newRecord(me, relay, nil)[:wire.ReachSize-1], 0xff),
		} {
			r := l.raw(me)
			r.hello(1)
			r.send(&wire.Available{Record: record})
			switch m := r.read().(type) {
			case *wire.Refused:
				if m.Code != wire.CodeRecord || !strings.Contains(m.Reason, strings.Fields(what)[0]) &&
					what != "too long" {
					t.Errorf("%s: %v", what, m)
				}
			default:
				t.Errorf("%s: %v", what, m)
			}
		}
		if n := l.dropped(drops.Record); n != 5 {
			t.Errorf("%v records were counted as refused", n)
		}
	})
}

// TestLineOrRoom wants a session to be one of both.
func TestLineOrRoom(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		for what, record := range map[string][]byte{
			"a line to call only":       nil,
			"a line to be called, too,": newRecord(newIdentity(7), l.key.Public(), nil),
		} {
			line := l.raw(newIdentity(7))
			line.hello(1)
			line.send(&wire.Available{Record: record})
			if m, ok := line.read().(*wire.Line); !ok {
				t.Fatalf("%s is answered %v", what, m)
			}
			line.send(&wire.Join{Room: "r", Entry: newEntry(t, line.id, "r", l.key.Public())})
			line.wantRefused(wire.CodeProtocol)
		}
		member := l.raw(newIdentity(8))
		member.hello(2)
		member.send(&wire.Join{Room: "r", Entry: newEntry(t, member.id, "r", l.key.Public())})
		member.read()
		member.send(new(wire.Available))
		member.wantRefused(wire.CodeProtocol)
		for _, room := range []string{"_call/00112233445566778899aabbccddeeff", "_r"} {
			stranger := l.raw(newIdentity(9))
			stranger.hello(room[1])
			stranger.write(framedJoin(room))
			stranger.wantRefused(wire.CodeRoomName)
		}
		l.eventually("the member has left", 10*time.Second, func() bool { return l.metric("rooms") == 0 })
		l.want("afterwards", map[string]float64{"joins_total": 1})
	})
}

// TestLastWords has a page take its line back by a request, and nobody else.
func TestLastWords(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		me := newIdentity(7)
		line := l.raw(me)
		line.hello(1)
		line.send(&wire.Available{Record: newRecord(me, l.key.Public(), nil)})
		if m, ok := line.read().(*wire.Line); !ok {
			t.Fatalf("a line is answered %v", m)
		}
		available := func() bool { return l.metric("identities_available") == 1 }
		l.eventually("it can be called", time.Second, available)
		other := l.raw(newIdentity(8))
		other.hello(2) // it is no line
		desk := newLeaveDesk(func(*http.Request) bool { return true }, l.relay)
		post := func(session [16]byte, messages ...[]byte) {
			body := wire.AppendLastWords(nil, &wire.LastWords{Session: session, Messages: messages})
			w := httptest.NewRecorder()
			desk.ServeHTTP(w, httptest.NewRequest(http.MethodPost, web.LeavePath, bytes.NewReader(body)))
			if w.Code != http.StatusNoContent || w.Body.Len() > 0 {
				t.Errorf("%x: %d %s", session, w.Code, w.Body)
			}
		}
		post([16]byte{2})
		post([16]byte{3})
		time.Sleep(time.Second)
		if !available() {
			t.Error("somebody else's words took it back")
		}
		post([16]byte{1}, []byte("no call message"))
		l.eventually("it can be called no more", time.Second, func() bool { return !available() })
	})
}

// framedJoin is a Join of any room, which no program of ours would send.
func framedJoin(room string) []byte {
	text := `{"Join":{"room":"` + room + `","entry":"AQ=="}}`
	return append([]byte{0, 0, 0, byte(len(text))}, text...)
}

// TestRecordFlood wants records to be checked at a bounded rate, which a session that renews does not reach.
func TestRecordFlood(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		p := l.joined("r")
		for n := range 200 {
			record := newRecord(p.id, l.key.Public(), func(r *wire.Reach) { r.Sequence = uint64(n) })
			for p.client.Session().SendUrgent(wire.UrgentAvailable, record) != nil {
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(10 * time.Millisecond)
		}
		l.eventually("all came", time.Minute, func() bool { return p.client.Session().UrgentPending() == 0 })
		if n := l.dropped(drops.Record); n < 180 || n >= 200 {
			t.Errorf("%v of 200 records were refused", n)
		}
		before := l.dropped(drops.Record)
		for range 10 {
			time.Sleep(2 * time.Minute)
			record := newRecord(p.id, l.key.Public(), nil)
			if err := p.client.Session().SendUrgent(wire.UrgentAvailable, record); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if n := l.dropped(drops.Record); n != before {
			t.Errorf("%v renewals were refused", n-before)
		}
	})
}
