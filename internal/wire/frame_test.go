package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func collect(p []byte) (frames []Frame, err error) {
	for len(p) > 0 {
		f, rest, err := NextFrame(p)
		if err != nil {
			return frames, err
		}
		frames, p = append(frames, f), rest
	}
	return frames, nil
}

func TestFramesGolden(t *testing.T) {
	b := unhex(t, "e1 08 0102030405060708"+ // ping
		"85 04 1234 aabb"+ // media, alias 5
		"c0 00"+ // repair, empty
		"ff 01 00"+ // unknown type 31
		"69 03") // close, the last
	got, err := collect(b)
	if err != nil {
		t.Fatal(err)
	}
	want := []Frame{
		{KindTyped, FramePing, []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{KindBase, 5, []byte{0x12, 0x34, 0xaa, 0xbb}},
		{KindRepair, 0, []byte{}},
		{KindTyped, 31, []byte{0}},
		{KindTyped, FrameClose, []byte{3}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}

	out := AppendEcho(nil, FramePing, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, false)
	out = AppendMedia(out, &Media{Alias: 5, CTR: 0x1234, Ciphertext: []byte{0xaa, 0xbb}}, false)
	out = append(out, 0xc0, 0)
	out = AppendFrame(out, 31, []byte{0}, false)
	out = AppendClose(out, CloseReplaced, true)
	if !bytes.Equal(out, b) {
		t.Errorf("written as %x, want %x", out, b)
	}

	starts := map[int]bool{0: true} // a packet may end between two frames
	for rest := b; len(rest) > 0; {
		_, rest, _ = NextFrame(rest)
		starts[len(b)-len(rest)] = true
	}
	for n := range b {
		_, err := collect(b[:n:n])
		if lastOpen := n == len(b)-1; !starts[n] && !lastOpen && !errors.Is(err, ErrTruncated) {
			t.Errorf("%x: %v, want ErrTruncated", b[:n], err)
		}
	}
}

func TestFrameLengths(t *testing.T) {
	if _, _, err := NextFrame(nil); !errors.Is(err, ErrTruncated) {
		t.Errorf("nothing: %v", err)
	}
	for _, s := range []string{"e1", "e1 40", "e1 02 00", "e1 ffffffffffffffff 00"} {
		if _, rest, err := NextFrame(unhex(t, s)); !errors.Is(err, ErrTruncated) || rest != nil {
			t.Errorf("%s: rest %x, %v", s, rest, err)
		}
	}
	for _, n := range []int{0, 1, 63, 64, 1000} {
		for _, last := range []bool{false, true} {
			b := AppendFrame(nil, FrameUrgent, make([]byte, n), last)
			if len(b) != FrameSize(n, last) {
				t.Errorf("FrameSize(%d, %v) = %d, not %d", n, last, FrameSize(n, last), len(b))
			}
			if f, rest, err := NextFrame(b); err != nil || len(f.Body) != n || len(rest) != 0 {
				t.Errorf("%d bytes, last %v: %d bytes, %d left, %v", n, last, len(f.Body), len(rest), err)
			}
		}
	}
}

// Appending to a body must not write into the next frame.
func TestFrameBodyHasNoSpareCapacity(t *testing.T) {
	b := AppendClose(AppendFrame(nil, FrameUrgent, []byte{1, 2}, false), CloseLeft, true)
	f, rest, _ := NextFrame(b)
	_ = append(f.Body, 0xff)
	if rest[0] == 0xff {
		t.Error("the next frame was overwritten")
	}
}

// Encoders for the last frame and for others differ in the length alone, and Size is right.
func TestLastOrNot(t *testing.T) {
	m := Media{Alias: 300, CTR: 5, Ciphertext: make([]byte, 70)}
	u := Urgent{Number: 70, Kind: UrgentMembersLeft, Message: memberA[:]}
	for _, last := range []bool{false, true} {
		if n := len(AppendMedia(nil, &m, last)); n != m.Size(last) {
			t.Errorf("media: %d bytes, Size says %d", n, m.Size(last))
		}
		if n := len(AppendUrgent(nil, &u, last)); n != u.Size(last) {
			t.Errorf("urgent: %d bytes, Size says %d", n, u.Size(last))
		}
	}
	r := Report{Highest: 70, Received: 1, N: 1, Samples: [8]Sample{{1, ReportUnit}}}
	for _, enc := range []func(last bool) []byte{
		func(last bool) []byte { return AppendMedia(nil, &m, last) },
		func(last bool) []byte { return AppendUrgent(nil, &u, last) },
		func(last bool) []byte { return AppendReport(nil, &r, last) },
		func(last bool) []byte { return AppendUrgentAck(nil, UrgentAck{1, 2}, last) },
		func(last bool) []byte { return AppendAliasAck(nil, []AliasPair{{1, 2}}, last) },
		func(last bool) []byte { return AppendEcho(nil, FramePong, [8]byte{1}, last) },
		func(last bool) []byte { return AppendClose(nil, CloseLeft, last) },
	} {
		f, rest, err := NextFrame(append(enc(false), 0x60))
		if err != nil || !bytes.Equal(rest, []byte{0x60}) {
			t.Fatalf("%+v: rest %x, %v", f, rest, err)
		}
		g, _, err := NextFrame(enc(true))
		if d := cmp.Diff(f, g); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
	}
}

func TestNames(t *testing.T) {
	for want, s := range map[string]interface{ String() string }{
		"urgent ack": FrameUrgentAck, "close": FrameClose, "frame type 31": FrameType(31),
		"replaced": CloseReplaced, "code 9": CloseCode(9),
		"members joined": UrgentMembersJoined, "leave": UrgentLeave, "urgent kind 0": UrgentKind(0),
		"sender key": UrgentSenderKey, "key delivered": UrgentKeyDelivered,
		"members wanted": UrgentMembersWanted,
		"key received":   UrgentKeyReceived, "relays": UrgentRelays, "media dropped": UrgentMediaDropped,
		"available": UrgentAvailable, "call forward": UrgentCallForward, "call media": UrgentCallMedia,
		"kept call": UrgentKeptCall, "record refused": UrgentRecordRefused, "urgent kind 31": UrgentKind(31),
		"federation room": UrgentFederationRoom, "federation leave": UrgentFederationLeave,
		"federation want":  UrgentFederationWant,
		"federation fetch": UrgentFederationFetch, "federation members": UrgentFederationMembers,
		"federation message": UrgentFederationMessage, "urgent kind 38": UrgentKind(38),
		"route query": UrgentRouteQuery, "session end": UrgentSessionEnd, "urgent kind 52": UrgentKind(52),
		"00000a": ConnID(10),
	} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
}
