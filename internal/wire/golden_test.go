package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// diff says how want and got differ, "" if they do not. It asks reflect first, which is far faster.
func diff(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return "(-want +got):\n" + cmp.Diff(want, got)
}

// format is one binary layout: how what parse returns is written again.
type format struct {
	parse  func(b []byte) (any, error)
	append func(dst []byte, v any) []byte
}

// body makes a format of a frame's body from the frame's encoder.
func body[T any](parse func([]byte) (T, error), app func([]byte, T, bool) []byte) format {
	return format{
		func(b []byte) (any, error) { return parse(b) },
		func(dst []byte, v any) []byte {
			f, _, err := NextFrame(app(nil, v.(T), true))
			if err != nil {
				panic(err)
			}
			return append(dst, f.Body...)
		},
	}
}

// structure makes a format of an urgent message that is a struct.
func structure[T any, M interface {
	*T
	UrgentMessage
}]() format {
	return format{
		func(b []byte) (any, error) { return Parse[T, M](b) },
		func(dst []byte, v any) []byte { m := v.(T); return Append(dst, M(&m)) },
	}
}

var layouts = map[string]format{
	"media": {
		func(b []byte) (any, error) {
			f, rest, err := NextFrame(b)
			if err != nil {
				return nil, err
			}
			if len(rest) > 0 {
				return nil, errors.New("more frames")
			}
			return ParseMedia(f)
		},
		func(dst []byte, v any) []byte { m := v.(Media); return AppendMedia(dst, &m, true) },
	},
	"report": body(ParseReport, func(d []byte, r Report, last bool) []byte {
		return AppendReport(d, &r, last)
	}),
	"urgent": body(ParseUrgent, func(d []byte, u Urgent, last bool) []byte {
		return AppendUrgent(d, &u, last)
	}),
	"urgent ack": body(ParseUrgentAck, AppendUrgentAck),
	"alias ack": body(func(b []byte) ([]AliasPair, error) { return ParseAliasAck(nil, b) },
		func(d []byte, p []AliasPair, last bool) []byte { return AppendAliasAck(d, p, last) }),
	"echo": body(ParseEcho, func(d []byte, e [8]byte, last bool) []byte {
		return AppendEcho(d, FramePing, e, last)
	}),
	"close": body(ParseClose, AppendClose),
	"joined": {
		func(b []byte) (any, error) { return ParseMembersJoined(b) },
		func(dst []byte, v any) []byte {
			for _, e := range v.([][]byte) {
				dst = AppendMembersJoined(dst, e)
			}
			return dst
		},
	},
	"left": {
		func(b []byte) (any, error) { return ParseMembersLeft(b) },
		func(dst []byte, v any) []byte { return AppendMembersLeft(dst, v.([]MemberID)...) },
	},
	"relays": {
		func(b []byte) (any, error) { return ParseRelays(b) },
		func(dst []byte, v any) []byte {
			for _, l := range v.([]RelayLabel) {
				dst = AppendRelays(dst, l)
			}
			return dst
		},
	},
	"media dropped": structure[MediaDropped](),
	"sender key":    structure[SenderKey](),
	"key wraps": {
		func(b []byte) (any, error) {
			w, err := ParseKeyWraps(b)
			if err != nil {
				return nil, err
			}
			return listWraps(w), nil
		},
		func(dst []byte, v any) []byte {
			w := v.(wraps)
			dst = AppendKeyWraps(dst, w.Number, len(w.Wraps[0]))
			for i, to := range w.To {
				dst = AppendWrap(dst, to, w.Wraps[i])
			}
			return dst
		},
	},
	"key": structure[Key](),
	"keys wanted": {
		func(b []byte) (any, error) { return ParseKeysWanted(b) },
		func(dst []byte, v any) []byte { return AppendKeysWanted(dst, v.([]MemberID)...) },
	},
	"key delivered": structure[KeyDelivered](),
	"view": {
		func(b []byte) (any, error) { return ParseView(b) },
		func(dst []byte, v any) []byte { return AppendView(dst, v.(View)) },
	},
	"federation room":    structure[FederationRoom](),
	"federation leave":   structure[FederationLeave](),
	"federation want":    structure[FederationWant](),
	"federation fetch":   structure[FederationFetch](),
	"federation members": structure[FederationMembers](),
	"federation message": structure[FederationMessage](),
	"presence home":      structure[PresenceHome](),
	"presence gone":      structure[PresenceGone](),
	"presence news":      structure[PresenceNews](),
	"presence compare":   structure[PresenceCompare](),
	"presence contents":  structure[PresenceContents](),
	"key received":       structure[KeyReceived](),
	"route wanted":       structure[RouteWanted](),
	"route":              structure[Route](),
	"route query":        structure[RouteQuery](),
	"route response":     structure[RouteResponse](),
	"call forward":       structure[CallForward](),
	"call state":         structure[CallState](),
	"call message":       structure[CallMessage](),
	"call end":           structure[CallEnd](),
	"call media":         structure[CallMedia](),
	"kept wanted":        structure[KeptWanted](),
	"kept call":          structure[KeptCall](),
	"record refused":     structure[RecordRefused](),
	"signal": {
		func(b []byte) (any, error) {
			s, err := ParseSignal(b)
			if err != nil {
				return nil, err
			}
			return *s, nil
		},
		func(dst []byte, v any) []byte { s := v.(Signal); return AppendSignal(dst, &s) },
	},
	"payload": {
		func(b []byte) (any, error) { return ParsePayload(b) },
		func(dst []byte, v any) []byte {
			switch p := v.(Payload); {
			case !p.Silence:
				return AppendPayload(dst, p.Timestamp, p.Codec)
			case p.Hand == HandUnknown:
				return AppendSilence(dst, p.Timestamp, 2, MicUnknown, false)
			case p.Mic == MicUnknown && p.Hand == HandDown: // a microphone of a later version
				return AppendSilence(dst, p.Timestamp, 3, micMask, false)
			default:
				return AppendSilence(dst, p.Timestamp, 3, p.Mic, p.Hand == HandUp)
			}
		},
	},
}

var (
	memberA = MemberID{0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6}
	memberB = MemberID{0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6}
)

// golden is a layout by hand, and what it means.
type golden struct {
	layout, hex string
	want        any
}

var goldens = []golden{
	{"media", "05 1234 aabb", Media{Alias: 5, CTR: 0x1234, Ciphertext: []byte{0xaa, 0xbb}}},
	{"media", "3b ffff aa", Media{Layer: 1, Alias: 27, CTR: 0xffff, Ciphertext: []byte{0xaa}}},
	{"media", "1c 1c 0001 aa", Media{Alias: 28, CTR: 1, Ciphertext: []byte{0xaa}}},
	{"media", "3c 4fff 0001 aa", Media{Layer: 1, Alias: 4095, CTR: 1, Ciphertext: []byte{0xaa}}},
	{"media", "1d 05 a1a2a3a4a5a6 0700 80012345 aabb",
		Media{Long: true, Alias: 5, KID: MakeKID(memberA, 7, 0), CTR: 0x12345,
			Ciphertext: []byte{0xaa, 0xbb}}},
	{"media", "3d 4100 b1b2b3b4b5b6 00ff 00 aa",
		Media{Layer: 1, Long: true, Alias: 256, KID: MakeKID(memberB, 0, 255), Ciphertext: []byte{0xaa}}},
	{"media", "1e 05 0102030405060708 a1a2a3a4a5a60700 80012345 aabb",
		Media{Long: true, Tagged: true, Alias: 5, Room: RoomHash{1, 2, 3, 4, 5, 6, 7, 8},
			KID: MakeKID(memberA, 7, 0), CTR: 0x12345, Ciphertext: []byte{0xaa, 0xbb}}},
	{"media", "3e 4fff 0000000000000000 b1b2b3b4b5b600ff 00 aa",
		Media{Layer: 1, Long: true, Tagged: true, Alias: 4095, KID: MakeKID(memberB, 0, 255),
			Ciphertext: []byte{0xaa}}},
	{"report", "8000ffff 4400 0102 010203040506 08 00",
		Report{Highest: 0xffff, Received: 0x400, Lost: 0x102, Bursts: [6]uint8{1, 2, 3, 4, 5, 6},
			Age: 2 * time.Millisecond}},
	{"report", "05 04 0000 000000000000 00 02 01 4050 04 00",
		Report{Highest: 5, Received: 4, N: 2, Samples: [8]Sample{{1, 20 * time.Millisecond}, {4, 0}}}},
	{"urgent", "4123 01 010203", Urgent{Number: 0x123, Kind: UrgentMembersJoined, Message: []byte{1, 2, 3}}},
	{"urgent", "00 05", Urgent{Kind: UrgentLeave, Message: []byte{}}},
	{"urgent", "01 ff 00", Urgent{Number: 1, Kind: 255, Message: []byte{0}}},
	{"urgent ack", "07 8000000000000001", UrgentAck{Base: 7, Bitmap: 1<<63 | 1}},
	{"alias ack", "05 a1a2a3a4a5a60100 4fff b1b2b3b4b5b60002",
		[]AliasPair{{5, MakeKID(memberA, 1, 0)}, {4095, MakeKID(memberB, 0, 2)}}},
	{"echo", "0102030405060708", [8]byte{1, 2, 3, 4, 5, 6, 7, 8}},
	{"close", "03", CloseReplaced},
	{"joined", "03 010203 02 0405", [][]byte{{1, 2, 3}, {4, 5}}},
	{"left", "a1a2a3a4a5a6 b1b2b3b4b5b6", []MemberID{memberA, memberB}},
	{"media dropped", "02 40fa 41f4", MediaDropped{DropMemberRate, 250, 500}},
	{"media dropped", "00 00 00", MediaDropped{}},
	// a reason of a later version
	{"media dropped", "ff 01 c0000000ffffffff", MediaDropped{255, 1, 1<<32 - 1}},
	{"relays", "0102030405060708 04 4f736c6f 1112131415161718 00",
		[]RelayLabel{{RelayID{1, 2, 3, 4, 5, 6, 7, 8}, "Oslo"},
			{Relay: RelayID{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18}}}},
	{"sender key", "03" + keyHeaderHex + keySignatureHex, SenderKey{3, goldenKey()}},
	{"sender key", "c0000000ffffffff" + keyHeaderHex + keySignatureHex, SenderKey{1<<32 - 1, goldenKey()}},
	{"key wraps", "01020304 40 a1a2a3a4a5a6" + strings.Repeat("aa", 64) + "b1b2b3b4b5b6" +
		strings.Repeat("bb", 64),
		wraps{0x01020304, []MemberID{memberA, memberB},
			[][]byte{bytes.Repeat([]byte{0xaa}, 64), bytes.Repeat([]byte{0xbb}, 64)}}},
	{"key wraps", "00000001 50 b1b2b3b4b5b6" + strings.Repeat("cc", 80),
		wraps{1, []MemberID{memberB}, [][]byte{bytes.Repeat([]byte{0xcc}, 80)}}},
	{"key", "a1a2a3a4a5a6" + keyHeaderHex + keySignatureHex + strings.Repeat("aa", 64),
		Key{memberA, goldenKey(), bytes.Repeat([]byte{0xaa}, 64)}},
	{"key", "b1b2b3b4b5b6" + keyHeaderHex + keySignatureHex + strings.Repeat("cc", 80),
		Key{memberB, goldenKey(), bytes.Repeat([]byte{0xcc}, 80)}},
	{"keys wanted", "a1a2a3a4a5a6", []MemberID{memberA}},
	{"keys wanted", "a1a2a3a4a5a6 b1b2b3b4b5b6", []MemberID{memberA, memberB}},
	{"key delivered", "01020304", KeyDelivered{0x01020304}},
	{"view", "01" + strings.Repeat("ab", 32), View{Members: [32]byte(bytes.Repeat([]byte{0xab}, 32))}},
	{"payload", "1234 08aabb", Payload{Timestamp: 0x1234, Codec: []byte{8, 0xaa, 0xbb}}},
	{"payload", "ffff ff00", Payload{Timestamp: 0xffff, Silence: true}},
}

func allGoldens() []golden {
	return slices.Concat(goldens, federationGoldens(), callGoldens(), routeGoldens(), signalGoldens(),
		presenceGoldens(), keptGoldens())
}

func TestGolden(t *testing.T) {
	for _, g := range allGoldens() {
		l, b := layouts[g.layout], unhex(t, g.hex)
		got, err := l.parse(b)
		if err != nil {
			t.Errorf("%s %s: %v", g.layout, g.hex, err)
			continue
		}
		if d := cmp.Diff(g.want, got); d != "" {
			t.Errorf("%s %s: parsed (-want +got):\n%s", g.layout, g.hex, d)
		}
		if out := l.append([]byte("x"), g.want); !bytes.Equal(out[1:], b) {
			t.Errorf("%s: written as %x, want %x", g.layout, out[1:], b)
		}
	}
}

// Every beginning of every golden layout is an error or a shorter meaning of its own, which is written
// as it was read.
func TestGoldenTruncated(t *testing.T) {
	mayBeShorter := map[string]bool{"media": true, "urgent": true, "alias ack": true, "joined": true,
		"left": true, "payload": true,
		"key": true, "key wraps": true, "keys wanted": true, "relays": true,
		"federation room": true, "federation members": true, "federation message": true,
		"call forward": true, "call message": true, "call media": true, "signal": true,
		"kept wanted": true, "kept call": true,
		"presence gone": true, "presence news": true, "presence compare": true, "presence contents": true}
	for _, g := range allGoldens() {
		l, b := layouts[g.layout], unhex(t, g.hex)
		for n := range b {
			v, err := l.parse(b[:n:n])
			if err != nil {
				var f *FormatError
				if !errors.As(err, &f) {
					t.Errorf("%s %x: %v is no FormatError", g.layout, b[:n], err)
				}
				continue
			}
			if !mayBeShorter[g.layout] {
				t.Errorf("%s %x: accepted as %+v", g.layout, b[:n], v)
			}
			if out := l.append(nil, v); !bytes.Equal(out, b[:n]) {
				t.Errorf("%s %x: written as %x", g.layout, b[:n], out)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	for _, tc := range []struct {
		layout, hex string
		want        error
	}{
		{"media", "05 1234", ErrTruncated}, // no ciphertext
		{"media", "1d 05 a1a2a3a4a5a60700 00", ErrTruncated},
		{"media", "1c 5000 0001 aa", ErrLimit}, // alias 4096
		{"media", "1c ffffffffffffffff 0001 aa", ErrLimit},
		{"media", "05 1234" + many("00", 1101), ErrLimit},
		{"media", "1e 05 0102030405060708 a1a2a3a4a5a60700 00", ErrTruncated},
		{"media", "1e 05 0102030405060708 a1a2a3a4a5a607", ErrTruncated},
		{"media", "1e 5000 0102030405060708 a1a2a3a4a5a60700 00 aa", ErrLimit},
		{"media", "1f 1234 aa", ErrUnknown},
		{"media", "40 1234 aa", ErrUnknown}, // repair
		{"media", "60 1234 aa", ErrUnknown}, // padding
		{"report", "05 04 0000 000000000000 00 09" + many("0000", 9), ErrLimit},
		{"report", "05 04 0000 000000000000 00 01 00 00", ErrInvalid}, // back by 0
		{"report", "05 04 0000 000000000000 00 01 06 00", ErrInvalid}, // below 0
		{"report", "05 04 0000 000000000000 00 02 03 00 03 00", ErrInvalid},
		{"report", "05 04 0000 000000000000 00 00 00", ErrInvalid}, // goes on
		{"report", "05 04 0000 000000000000 c000000100000000 00", ErrLimit},
		{"report", "05 04 0000 000000000000 00 01 01 c000000100000000", ErrLimit},
		{"urgent", "00 01" + many("00", 1025), ErrLimit},
		{"urgent", "00 03 00", ErrInvalid},
		{"urgent ack", "07 000000000000000000", ErrInvalid},
		{"alias ack", "", ErrTruncated},
		{"alias ack", "5000 a1a2a3a4a5a60100", ErrLimit},
		{"echo", "010203040506070809", ErrInvalid},
		{"close", "0000", ErrInvalid},
		{"joined", "", ErrTruncated},
		{"joined", "00", ErrInvalid},
		{"joined", "ffffffffffffffff 00", ErrTruncated},
		{"joined", "41a5" + many("00", MaxEntry+1), ErrInvalid},
		{"left", "", ErrInvalid},
		{"media dropped", "", ErrTruncated},
		{"media dropped", "02 05", ErrTruncated},
		{"media dropped", "02 05 06 00", ErrInvalid},
		{"media dropped", "02 07 06", ErrInvalid}, // more dropped than sent
		{"media dropped", "02 01 c000000100000000", ErrLimit},
		{"relays", "", ErrTruncated},
		{"relays", "0102030405060708", ErrTruncated},
		{"relays", "0102030405060708 02 4f", ErrTruncated},
		{"relays", "0102030405060708 01 07", ErrInvalid}, // a control character
		{"relays", "0102030405060708 41" + many("4f", 65), ErrLimit},
		{"sender key", "", ErrTruncated},
		{"sender key", "03" + keyHeaderHex + keySignatureHex + "00", ErrInvalid}, // goes on
		{"sender key", "c000000100000000" + keyHeaderHex + keySignatureHex, ErrLimit},
		{"sender key", "03 04" + keyHeaderHex[2:] + keySignatureHex, ErrUnknown}, // suite 4
		{"sender key", "03 01" + keyHeaderHex[2:] + keySignatureHex, ErrUnknown},
		{"key wraps", "00000001 40", ErrTruncated}, // none
		{"key wraps", "00000001 00", ErrTruncated},
		{"key wraps", "00000001 00 a1a2a3a4a5a6", ErrInvalid},
		{"key wraps", "00000001 41 a1a2a3a4a5a6" + many("aa", 65), ErrInvalid},
		{"key wraps", "00000001 40 a1a2a3a4a5a6" + many("aa", 65), ErrTruncated},
		{"key", "a1a2a3a4a5a6" + keyHeaderHex + keySignatureHex, ErrInvalid}, // no wrap
		{"key", "a1a2a3a4a5a6" + keyHeaderHex + keySignatureHex + many("aa", 72), ErrInvalid},
		{"key", "a1a2a3a4a5a6 00" + keyHeaderHex[2:] + keySignatureHex + many("aa", 64), ErrUnknown},
		{"keys wanted", "", ErrInvalid},
		{"keys wanted", "a1a2a3a4a5a6 b1", ErrInvalid},
		{"keys wanted", many("a1a2a3a4a5a6", 33), ErrInvalid},
		{"key delivered", "", ErrTruncated},
		{"key delivered", "0102030405", ErrInvalid},
		{"view", "", ErrTruncated},
		{"view", "01" + strings.Repeat("ab", 31), ErrTruncated},
		{"view", "02" + strings.Repeat("ab", 32), ErrUnknown},
		{"payload", "1234", ErrTruncated},
		{"payload", "1234 ff", ErrTruncated},
		{"payload", "1234 ff01", ErrUnknown},
	} {
		v, err := layouts[tc.layout].parse(unhex(t, tc.hex))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s %.60s: %+v, %v; want %v", tc.layout, tc.hex, v, err, tc.want)
		}
	}
}

func TestLargest(t *testing.T) {
	m := Media{Long: true, Tagged: true, Alias: 4095, KID: MakeKID(memberA, 255, 255), CTR: maxVarint,
		Ciphertext: make([]byte, MaxCiphertext)}
	if b := AppendMedia(nil, &m, false); len(b) > MaxPlaintext {
		t.Errorf("the largest media frame has %d bytes, a packet takes %d", len(b), MaxPlaintext)
	}
	u := Urgent{Number: maxVarint, Kind: 1, Message: make([]byte, MaxUrgent)}
	if b := AppendUrgent(nil, &u, false); len(b) > MaxPlaintext {
		t.Errorf("the largest urgent frame has %d bytes, a packet takes %d", len(b), MaxPlaintext)
	}
}

// TestSilence: it has the size of speech, and says how the microphone is and whether the hand is up, if there
// is space for that. What a later version says is not misread.
func TestSilence(t *testing.T) {
	for _, tc := range []struct {
		size int
		mic  Mic
		hand bool
		hex  string
	}{
		{5, MicUnknown, false, "0102 ff00 000000"},
		{5, MicMuted, false, "0102 ff00 020000"},
		{5, MicMuted, true, "0102 ff00 820000"},
		{3, MicUnknown, true, "0102 ff00 80"},
		{0, MicMuted, true, "0102 ff00"},
	} {
		if got := AppendSilence(nil, 0x102, tc.size, tc.mic, tc.hand); !bytes.Equal(got, unhex(t, tc.hex)) {
			t.Errorf("%+v: %x", tc, got)
		}
	}
	for told, want := range map[byte]Payload{
		0x00: {},
		0x01: {Mic: MicOpen, Hand: HandDown},
		0x82: {Mic: MicMuted, Hand: HandUp},
		0x80: {Hand: HandUp},
		0xf4: {Mic: MicNone, Hand: HandUp}, // and what only later versions know
		0x73: {Mic: MicReleased, Hand: HandDown},
		0x05: {Hand: HandDown},
		0x8f: {Hand: HandUp},
	} {
		want.Timestamp, want.Silence = 7, true
		p := AppendSilence(nil, 7, 40, MicUnknown, false)
		p[4] = told
		if got, err := ParsePayload(p); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%#x: %+v, %v; want %+v", told, got, err, want)
		}
	}
}

// TestViewOfHand: a view may say of a hand, in a byte that others do not have.
func TestViewOfHand(t *testing.T) {
	digest := [32]byte(bytes.Repeat([]byte{0xab}, 32))
	for more, want := range map[string]Hand{"": HandUnknown, "01": HandDown, "02": HandUp, "03": HandUnknown,
		"0207": HandUp} {
		b := unhex(t, "01"+strings.Repeat("ab", 32)+more)
		if v, err := ParseView(b); err != nil || v != (View{digest, want}) {
			t.Errorf("%s: %+v, %v", more, v, err)
		}
	}
	if b := AppendView(nil, View{digest, HandUp}); len(b) != 34 || b[33] != 2 {
		t.Errorf("%x", b)
	}
}

func TestUrgentAckHas(t *testing.T) {
	a := UrgentAck{Base: 10, Bitmap: 1 | 1<<63}
	for n, want := range map[uint64]bool{0: true, 9: true, 10: false, 11: true, 12: false, 74: true,
		75: false, 1 << 63: false} {
		if got := a.Has(n); got != want {
			t.Errorf("Has(%d) = %v", n, got)
		}
	}
}

func TestReportOutOfRangeTimes(t *testing.T) {
	r := Report{Highest: 9, Age: -time.Second, N: 99}
	for i := range r.Samples {
		r.Samples[i] = Sample{1, 1<<63 - 1}
	}
	f, _, err := NextFrame(AppendReport(nil, &r, true))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseReport(f.Body)
	if err != nil || got.Age != 0 || got.N != MaxSamples ||
		got.Samples[0].ArrivalBack != maxReportUnits*ReportUnit {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestKID(t *testing.T) {
	k := MakeKID(memberA, 7, 9)
	if k != 0xa1a2a3a4a5a60709 || k.Member() != memberA || k.Stream() != 7 || k.Epoch() != 9 {
		t.Errorf("%x: %v, %d, %d", uint64(k), k.Member(), k.Stream(), k.Epoch())
	}
	if k.String() != "a1a2a3a4a5a6/7/9" {
		t.Error(k.String())
	}
}

func TestMemberIDText(t *testing.T) {
	b, err := memberA.MarshalText()
	if err != nil || string(b) != "a1a2a3a4a5a6" {
		t.Fatalf("%s, %v", b, err)
	}
	if memberA.Compare(memberB) != -1 || memberB.Compare(memberA) != 1 || memberA.Compare(memberA) != 0 {
		t.Error("member ids are ordered by their bytes")
	}
}
