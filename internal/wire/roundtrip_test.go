package wire

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
)

// random makes valid values, small and large ones alike.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, seed+1))} }

func (r random) varint() uint64 { return r.Uint64() >> (2 + r.IntN(62)) }

func (r random) bytes(low, high int) []byte {
	b := make([]byte, low+r.IntN(high-low+1))
	r.fill(b)
	return b
}

func (r random) fill(b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

func (r random) units() time.Duration {
	return time.Duration(r.Uint32()>>r.IntN(32)) * ReportUnit
}

func (r random) member() (m MemberID) { r.fill(m[:]); return m }

// text is up to n bytes of what is allowed everywhere, and has to be escaped in JSON or not.
func (r random) text(low, n int) string {
	var b strings.Builder
	for b.Len() < low || b.Len()+4 <= n && r.IntN(20) > 0 {
		b.WriteString([]string{"a", "Z", "\"", "\\", "/", "<", "é", "日", "\u2028", "🎤"}[r.IntN(10)])
	}
	return b.String()
}

func (r random) features() (list []string) {
	for range r.IntN(MaxFeatures + 1) {
		list = append(list, r.text(0, MaxFeature))
	}
	return list
}

func (r random) media() Media {
	m := Media{Layer: uint8(r.IntN(2)), Alias: uint16(r.IntN(MaxAliases) >> r.IntN(12)),
		Ciphertext: r.bytes(1, MaxCiphertext)}
	if m.Long = r.IntN(2) == 0; m.Long {
		m.KID, m.CTR = KID(r.Uint64()), r.varint()
		if m.Tagged = r.IntN(2) == 0; m.Tagged {
			r.fill(m.Room[:])
		}
	} else {
		m.CTR = uint64(uint16(r.Uint32()))
	}
	return m
}

func (r random) report() Report {
	p := Report{Highest: r.varint(), Received: r.varint(), Lost: uint16(r.Uint32()), Age: r.units()}
	r.fill(p.Bursts[:])
	for left := p.Highest; p.N < r.IntN(MaxSamples+1) && left > 0; p.N++ {
		back := 1 + r.Uint64N(left)
		left -= back
		p.Samples[p.N] = Sample{back, r.units()}
	}
	return p
}

func (r random) urgent() Urgent {
	u := Urgent{Number: r.varint(), Kind: UrgentKind(r.Uint32()), Message: r.bytes(0, MaxUrgent)}
	if u.Kind >= UrgentRefetch && u.Kind <= UrgentLeave || u.Kind == UrgentMembersWanted {
		u.Message = u.Message[:0]
	}
	return u
}

func (r random) signedKey() SignedKey {
	k := SignedKey{KeyHeader: KeyHeader{Suite: 2 + uint8(r.IntN(2)), Number: r.Uint32(),
		Epoch: uint8(r.Uint32()), FirstCTR: r.varint()}}
	r.fill(k.Hash[:])
	r.fill(k.Members[:])
	k.Signed = AppendKeyHeader(nil, &k.KeyHeader)
	k.Signature = r.bytes(identity.SignatureSize, identity.SignatureSize)
	return k
}

func (r random) eight() (b [8]byte) { r.fill(b[:]); return b }

// entries are up to three, no longer than a message that has left bytes takes.
func (r random) entries(left int) (list [][]byte) {
	for range r.IntN(4) {
		entry := r.bytes(1, MaxEntry)
		if left -= 2 + len(entry); left < 0 {
			break
		}
		list = append(list, entry)
	}
	return list
}

func (r random) federationRoom() *FederationRoom {
	m := &FederationRoom{Serial: r.varint(), Label: r.text(0, MaxName), Base: r.varint(), Record: RoomRecord{
		Room: r.text(1, MaxRoomName), Boot: r.Uint64(), Sequence: 1 | r.varint(), Members: r.Uint32(),
		Signature: r.bytes(identity.SignatureSize, identity.SignatureSize)}}
	r.fill(m.Record.Home[:])
	r.fill(m.Record.Digest[:])
	for range 1 + r.IntN(MaxHops) {
		m.Path = append(m.Path, r.eight())
	}
	for range r.IntN(30) {
		m.Left = append(m.Left, r.member())
	}
	m.Joined = r.entries(MaxUrgent - Size(m))
	return m
}

func (r random) federationMembers() *FederationMembers {
	m := &FederationMembers{Home: r.eight(), Room: r.eight(), Boot: r.Uint64(), Sequence: 1 | r.varint(),
		First: r.Uint32() >> 1}
	m.Entries = append(r.entries(MaxUrgent-2*MaxEntry), r.bytes(1, MaxEntry))
	m.Total = m.First + uint32(len(m.Entries)) + uint32(r.IntN(3))
	return m
}

func (r random) federationMessage() *FederationMessage {
	kinds := [...]UrgentKind{UrgentKey, UrgentKeysWanted, UrgentKeyReceived}
	return &FederationMessage{uint8(1 + r.IntN(MaxHops)), r.eight(), r.member(), kinds[r.IntN(3)],
		r.bytes(0, maxFederationBody)}
}

// signal is one of every type in turn, by chance.
func (r random) signal() Signal {
	s := Signal{Type: SignalType(1 + r.IntN(int(SignalConsent)))}
	switch s.Type {
	case SignalAnswer:
		s.Entry = r.bytes(1, MaxEntry)
	case SignalConfirm:
		r.fill(s.Chosen[:])
	case SignalHangUp:
		s.Reason = HangUpReason(r.IntN(256))
	case SignalTransfer:
		r.fill(s.Person[:])
		s.Consent = r.consent()
	case SignalTransferAck:
		s.Accepted = r.IntN(2) == 0
	case SignalKey:
		s.Key, s.Wrap = r.signedKey(), r.bytes(WrapFresh, WrapFresh)
	case SignalAlive:
		s.Generation = r.varint()
	case SignalKeyReceived:
		s.Number = r.Uint32()
	case SignalConsentWanted:
		r.fill(s.Person[:])
		r.fill(s.Call[:])
	case SignalConsent:
		if s.Accepted = r.IntN(2) == 0; s.Accepted {
			s.Consent = r.consent()
		}
	}
	return s
}

func (r random) consent() (c Consent) {
	c.Expiry = r.Uint64()
	r.fill(c.Signature[:])
	return c
}

func (r random) message() Message {
	switch r.IntN(8) {
	case 0:
		h := &Hello{Name: r.text(0, MaxName), Client: r.text(0, MaxName), ConnID: 1 +
			ConnID(r.IntN(int(MaxConnID))), Features: r.features()}
		r.fill(h.Identity[:])
		r.fill(h.Session[:])
		r.fill(h.Signature[:])
		return h
	case 1:
		w := &Welcome{ConnID: 1 + ConnID(r.IntN(int(MaxConnID))), Relay: r.text(0, MaxName),
			Features: r.features()}
		r.fill(w.ResetToken[:])
		r.fill(w.Incarnation[:])
		return w
	case 2:
		return &Join{Room: r.text(1, MaxRoomName), Entry: r.bytes(1, MaxEntry)}
	case 3:
		return &Joined{Room: r.text(1, MaxRoomName), Member: r.member(), Members: 1 + r.Uint32N(1<<32-1)}
	case 4:
		p := &MemberPage{}
		for range r.IntN(MaxPage - 10) {
			p.Entries = append(p.Entries, r.bytes(1, MaxEntry))
		}
		if r.IntN(2) == 0 {
			m := r.member()
			p.Next = &m
		}
		return p
	case 5:
		return &Goodbye{Code: CodeReplaced, Reason: r.text(0, maxReason)}
	case 6:
		return &Available{Record: r.bytes(ReachSize, ReachSize)}
	default:
		m := r.member()
		return &Members{After: &m}
	}
}

func TestRoundTripLayouts(t *testing.T) {
	r := random{rand.New(rand.NewPCG(3, 4))}
	for name, generate := range map[string]func() any{
		"media":      func() any { return r.media() },
		"report":     func() any { return r.report() },
		"urgent":     func() any { return r.urgent() },
		"urgent ack": func() any { return UrgentAck{r.varint(), r.Uint64()} },
		"alias ack": func() any {
			var p []AliasPair
			for range 1 + r.IntN(20) {
				p = append(p, AliasPair{uint16(r.IntN(MaxAliases)), KID(r.Uint64())})
			}
			return p
		},
		"joined": func() any { return [][]byte{r.bytes(1, MaxEntry), r.bytes(1, MaxEntry)} },
		"media dropped": func() any {
			sent := uint64(r.Uint32())
			return MediaDropped{DropReason(r.IntN(256)), r.Uint64N(sent + 1), sent}
		},
		"relays": func() any {
			return []RelayLabel{{r.eight(), r.text(0, MaxName)}, {r.eight(), r.text(0, MaxName)}}
		},
		"left":       func() any { return []MemberID{r.member(), r.member(), r.member()} },
		"sender key": func() any { return SenderKey{r.Uint32(), r.signedKey()} },
		"key wraps": func() any {
			w := wraps{Number: r.Uint32()}
			size := []int{WrapFresh, WrapRatcheted}[r.IntN(2)]
			for range 1 + r.IntN(11) {
				w.To, w.Wraps = append(w.To, r.member()), append(w.Wraps, r.bytes(size, size))
			}
			return w
		},
		"key": func() any {
			return Key{r.member(), r.signedKey(),
				r.bytes(WrapRatcheted, WrapRatcheted)}
		},
		"keys wanted":   func() any { return []MemberID{r.member(), r.member()} },
		"key delivered": func() any { return KeyDelivered{r.Uint32()} },
		"view":          func() any { return View{[32]byte(r.bytes(32, 32)), Hand(r.IntN(3))} },

		"federation room": func() any { return *r.federationRoom() },
		"federation leave": func() any {
			return FederationLeave{r.varint(), RelayID(r.eight()),
				RoomHash(r.eight())}
		},
		"federation want": func() any {
			return FederationWant{r.varint(), RelayID(r.eight()), RoomHash(r.eight()), r.IntN(2) == 0}
		},
		"federation fetch":   func() any { return FederationFetch{RelayID(r.eight()), RoomHash(r.eight())} },
		"federation members": func() any { return *r.federationMembers() },
		"federation message": func() any { return *r.federationMessage() },
		"key received":       func() any { return KeyReceived{r.member(), r.Uint32()} },
		"presence home":      func() any { return r.presence("presence home") },
		"presence gone":      func() any { return r.presence("presence gone") },
		"presence news":      func() any { return r.presence("presence news") },
		"presence compare":   func() any { return r.presence("presence compare") },
		"presence contents":  func() any { return r.presence("presence contents") },
		"route wanted":       func() any { return RouteWanted{[16]byte(r.bytes(16, 16))} },
		"route":              func() any { return Route{[16]byte(r.bytes(16, 16)), r.location()} },
		"route query": func() any {
			return RouteQuery{r.eight(), 1 + uint8(r.IntN(MaxHops)), r.relays(), [16]byte(r.bytes(16, 16))}
		},
		"route response": func() any { return RouteResponse{r.eight(), r.location()} },
		"call forward":   func() any { return r.callForward() },
		"call state": func() any {
			return CallState{r.pathID(), 1 | r.varint(), CallCode(r.IntN(256))}
		},
		"call message":   func() any { return CallMessage{r.pathID(), r.bytes(1, MaxCallMessage)} },
		"call end":       func() any { return CallEnd{r.pathID(), 1 | r.varint(), EndReason(r.IntN(256))} },
		"call media":     func() any { return r.callMedia() },
		"kept wanted":    func() any { return r.keptWanted() },
		"kept call":      func() any { return r.keptCall() },
		"record refused": func() any { return RecordRefused{RecordReason(1 + r.IntN(255))} },
		"signal":         func() any { return r.signal() },
		"payload": func() any {
			p := Payload{Timestamp: uint16(r.Uint32()), Codec: r.bytes(1, 300)}
			p.Codec[0] &^= 4 // mono
			return p
		},
	} {
		l := layouts[name]
		for range 500 {
			want := generate()
			b := l.append(nil, want)
			got, err := l.parse(b)
			if d := diff(want, got); d != "" || err != nil {
				t.Fatalf("%s %x: %v %s", name, b, err, d)
			}
		}
	}
}

// A packet of frames, some unknown, comes apart as it was put together.
func TestRoundTripFrames(t *testing.T) {
	r := random{rand.New(rand.NewPCG(5, 6))}
	for range 500 {
		var b []byte
		var want []Frame
		n := 1 + r.IntN(8)
		for i := range n {
			f := Frame{Kind(r.IntN(4)), FrameType(r.IntN(32)), r.bytes(0, 100)}
			last := i == n-1 && r.IntN(2) == 0
			b = append(appendFrameStart(b, f.Kind, f.Type, len(f.Body), last), f.Body...)
			want = append(want, f)
		}
		got, err := collect(b)
		if d := diff(want, got); d != "" || err != nil {
			t.Fatalf("%x: %v %s", b, err, d)
		}
	}
}

func TestRoundTripMessages(t *testing.T) {
	r := random{rand.New(rand.NewPCG(7, 8))}
	for range 300 {
		want := r.message()
		b, err := AppendMessage(nil, want)
		if err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		got, err := ReadMessage(bytes.NewReader(b))
		if d := diff(want, got); d != "" || err != nil {
			t.Fatalf("%s: %v %s", b, err, d)
		}
	}
}
