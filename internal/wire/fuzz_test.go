package wire

import (
	"bytes"
	"errors"
	"testing"
)

// fuzzLayout checks of one binary layout: parsing never panics, fails with a FormatError, and what it
// returns means the same when it is written and parsed again.
func fuzzLayout(f *testing.F, name string) {
	l := layouts[name]
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := l.parse(b)
		if err != nil {
			var format *FormatError
			if name != "media" && !errors.As(err, &format) {
				t.Errorf("%v is no FormatError", err)
			}
			return
		}
		out := l.append(nil, v)
		again, err := l.parse(out)
		if d := diff(v, again); d != "" || err != nil {
			t.Errorf("written as %x: %v\n%s", out, err, d)
		}
	})
}

func FuzzMedia(f *testing.F)         { fuzzLayout(f, "media") }
func FuzzReport(f *testing.F)        { fuzzLayout(f, "report") }
func FuzzUrgent(f *testing.F)        { fuzzLayout(f, "urgent") }
func FuzzUrgentAck(f *testing.F)     { fuzzLayout(f, "urgent ack") }
func FuzzAliasAck(f *testing.F)      { fuzzLayout(f, "alias ack") }
func FuzzEcho(f *testing.F)          { fuzzLayout(f, "echo") }
func FuzzClose(f *testing.F)         { fuzzLayout(f, "close") }
func FuzzMembersJoined(f *testing.F) { fuzzLayout(f, "joined") }
func FuzzMembersLeft(f *testing.F)   { fuzzLayout(f, "left") }
func FuzzRelays(f *testing.F)        { fuzzLayout(f, "relays") }
func FuzzMediaDropped(f *testing.F)  { fuzzLayout(f, "media dropped") }
func FuzzSenderKey(f *testing.F)     { fuzzLayout(f, "sender key") }
func FuzzKeyWraps(f *testing.F)      { fuzzLayout(f, "key wraps") }
func FuzzKey(f *testing.F)           { fuzzLayout(f, "key") }
func FuzzKeysWanted(f *testing.F)    { fuzzLayout(f, "keys wanted") }
func FuzzKeyDelivered(f *testing.F)  { fuzzLayout(f, "key delivered") }
func FuzzView(f *testing.F)          { fuzzLayout(f, "view") }
func FuzzKeyReceived(f *testing.F)   { fuzzLayout(f, "key received") }
func FuzzPayload(f *testing.F)       { fuzzLayout(f, "payload") }

func FuzzFederationRoom(f *testing.F)    { fuzzLayout(f, "federation room") }
func FuzzFederationLeave(f *testing.F)   { fuzzLayout(f, "federation leave") }
func FuzzFederationWant(f *testing.F)    { fuzzLayout(f, "federation want") }
func FuzzFederationFetch(f *testing.F)   { fuzzLayout(f, "federation fetch") }
func FuzzFederationMembers(f *testing.F) { fuzzLayout(f, "federation members") }
func FuzzFederationMessage(f *testing.F) { fuzzLayout(f, "federation message") }

func FuzzPresenceHome(f *testing.F)     { fuzzLayout(f, "presence home") }
func FuzzPresenceGone(f *testing.F)     { fuzzLayout(f, "presence gone") }
func FuzzPresenceNews(f *testing.F)     { fuzzLayout(f, "presence news") }
func FuzzPresenceCompare(f *testing.F)  { fuzzLayout(f, "presence compare") }
func FuzzPresenceContents(f *testing.F) { fuzzLayout(f, "presence contents") }

func FuzzRouteWanted(f *testing.F)   { fuzzLayout(f, "route wanted") }
func FuzzRoute(f *testing.F)         { fuzzLayout(f, "route") }
func FuzzRouteQuery(f *testing.F)    { fuzzLayout(f, "route query") }
func FuzzRouteResponse(f *testing.F) { fuzzLayout(f, "route response") }

func FuzzCallForward(f *testing.F) { fuzzLayout(f, "call forward") }
func FuzzCallState(f *testing.F)   { fuzzLayout(f, "call state") }
func FuzzCallMessage(f *testing.F) { fuzzLayout(f, "call message") }
func FuzzCallEnd(f *testing.F)     { fuzzLayout(f, "call end") }
func FuzzCallMedia(f *testing.F)   { fuzzLayout(f, "call media") }
func FuzzKeptWanted(f *testing.F)  { fuzzLayout(f, "kept wanted") }
func FuzzKeptCall(f *testing.F)    { fuzzLayout(f, "kept call") }

func FuzzRecordRefused(f *testing.F) { fuzzLayout(f, "record refused") }

func FuzzSignal(f *testing.F) { fuzzLayout(f, "signal") }

func FuzzCallEntry(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseCallEntry(b)
		if err != nil {
			var format *FormatError
			if !errors.As(err, &format) {
				t.Errorf("%v is no FormatError", err)
			}
			return
		}
		if _, err := ParseEntry(b); err == nil {
			t.Errorf("an entry of %q is good for a room", e.Room)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHeader(b)
		if err != nil {
			if h != (Header{}) || n != 0 {
				t.Errorf("%+v, %d beside %v", h, n, err)
			}
			return
		}
		if h.Reset {
			id, token, err := ParseReset(b)
			if err == nil && !bytes.Equal(AppendReset(nil, id, token), b) {
				t.Errorf("reset %v, %x", id, token)
			}
			return
		}
		if out := AppendHeader(nil, h.ConnID, uint64(h.Counter), h.Long); !bytes.Equal(out, b[:n]) {
			t.Errorf("%+v: written as %x", h, out)
		}
	})
}

func FuzzDecodeCounter(f *testing.F) {
	f.Fuzz(func(t *testing.T, truncated uint32, long bool, next uint64) {
		bits := 16
		if long {
			bits = 32
		}
		truncated &= 1<<bits - 1
		got := DecodeCounter(truncated, bits, next)
		if got&(1<<bits-1) != uint64(truncated) {
			t.Errorf("%x does not end in %x", got, truncated)
		}
		// Another one window up or down is not nearer, if there is such a number.
		distance := func(v uint64) uint64 { return max(v, next) - min(v, next) }
		win := uint64(1) << bits
		if up := got + win; up > got && distance(up) < distance(got) {
			t.Errorf("%x is nearer to %x than %x", up, next, got)
		}
		if down := got - win; down < got && distance(down) < distance(got) {
			t.Errorf("%x is nearer to %x than %x", down, next, got)
		}
	})
}

// FuzzFrames feeds whole packets to every parser that a receiver has.
func FuzzFrames(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		used := 0
		for rest := b; len(rest) > 0; {
			frame, r, err := NextFrame(rest)
			if err != nil {
				if r != nil {
					t.Error("there is a rest beside an error")
				}
				return
			}
			if used += 1 + len(frame.Body); used > len(b) {
				t.Fatal("more came out than went in")
			}
			rest = r
			if !frame.IsMedia() {
				for _, l := range layouts {
					_, _ = l.parse(frame.Body)
				}
				continue
			}
			if m, err := ParseMedia(frame); err == nil {
				_, _ = ParsePayload(m.Ciphertext)
			}
		}
	})
}

// FuzzEntry parses what comes, and the same with a valid signature: then an entry has one form only.
func FuzzEntry(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = ParseEntry(b)
		b = resign(b)
		e, err := ParseEntry(b)
		if err != nil {
			return
		}
		if out, err := SignEntry(filled(0x2a), *e); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%+v: written as %x, %v", e, out, err)
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, json string) {
		m, err := read(json)
		if err != nil {
			return
		}
		if _, ok := m.(*UnknownMessage); ok {
			return
		}
		b, err := AppendMessage(nil, m)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", m, err)
		}
		again, err := ReadMessage(bytes.NewReader(b))
		if d := diff(m, again); d != "" || err != nil {
			t.Errorf("written as %s: %v\n%s", b, err, d)
		}
	})
}

// FuzzStream reads a control stream to its first error.
func FuzzStream(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		for r := bytes.NewReader(b); ; {
			before := r.Len()
			if _, err := ReadMessage(r); err != nil {
				return
			}
			if r.Len() >= before {
				t.Fatal("nothing was read")
			}
		}
	})
}

func FuzzText(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		if checkRoom("room name", s) == nil && CheckName(s) != nil {
			t.Error("a room name that is no name")
		}
		if m := (MemberID{}); decodeHex(m[:], s) && m.String() != s {
			t.Errorf("member id %v", m)
		}
	})
}
