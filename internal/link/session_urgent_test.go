package link

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// sentNow returns the numbers that are due.
func sentNow(u *urgentOut, now time.Time) (numbers []uint64) {
	u.due(now, pathView{}, func(m *urgentMessage, _ int) { numbers = append(numbers, m.number) })
	return numbers
}

func TestUrgentIsRepeatedUntilAcknowledged(t *testing.T) {
	var u urgentOut
	for range 2 {
		if err := u.add(wire.UrgentMembersJoined, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		after time.Duration
		want  []uint64
	}{
		{0, []uint64{0, 1}},
		{50 * time.Millisecond, nil},
		{100 * time.Millisecond, []uint64{0, 1}},
		{150 * time.Millisecond, nil},
		{200 * time.Millisecond, []uint64{0, 1}},
		{10 * time.Second, []uint64{0, 1}}, // no back-off, no end
	}
	for _, s := range steps {
		if got := sentNow(&u, epoch.Add(s.after)); !slices.Equal(got, s.want) {
			t.Errorf("after %v sent %v, want %v", s.after, got, s.want)
		}
	}
	u.ack(wire.UrgentAck{Base: 0, Bitmap: 1}, epoch) // 1, not 0
	if got := sentNow(&u, epoch.Add(11*time.Second)); !slices.Equal(got, []uint64{0}) {
		t.Errorf("sent %v after 1 was acknowledged", got)
	}
	u.ack(wire.UrgentAck{Base: 2}, epoch)
	if got := sentNow(&u, epoch.Add(12*time.Second)); got != nil || u.size() != 0 {
		t.Errorf("sent %v after all were acknowledged", got)
	}
}

// TestUrgentOfCalls: what sets a call up is repeated sooner once.
func TestUrgentOfCalls(t *testing.T) {
	var u urgentOut
	kinds := []wire.UrgentKind{wire.UrgentAvailable, wire.UrgentRouteWanted, wire.UrgentCallMedia}
	for _, kind := range kinds {
		if err := u.add(kind, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range [][]uint64{{0, 1, 2}, {1, 2}, {0}, {1, 2}, {0}, {1, 2}} {
		after := time.Duration(i) * urgentQuick
		if got := sentNow(&u, epoch.Add(after)); !slices.Equal(got, want) {
			t.Errorf("after %v sent %v, want %v", after, got, want)
		}
	}
}

func TestUrgentAcknowledgementOfWhatWasNeverSent(t *testing.T) {
	var u urgentOut
	u.add(wire.UrgentLeave, nil, nil)
	sentNow(&u, epoch)
	u.ack(wire.UrgentAck{Base: 1 << 40, Bitmap: ^uint64(0)}, epoch)
	if err := u.add(wire.UrgentLeave, nil, nil); err != nil || len(u.waiting) != 1 ||
		u.waiting[0].number != 1 {
		t.Errorf("waiting %v, %v", u.waiting, err)
	}
}

func TestUrgentIsFullAt256(t *testing.T) {
	var u urgentOut
	for i := range wire.UrgentUnderWay {
		if err := u.add(wire.UrgentMembersLeft, nil, nil); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if err := u.add(wire.UrgentMembersLeft, nil, nil); !errors.Is(err, ErrUrgentFull) {
		t.Errorf("one more: %v", err)
	}
	sentNow(&u, epoch)
	u.ack(wire.UrgentAck{Base: 1}, epoch)
	if err := u.add(wire.UrgentMembersLeft, nil, nil); err != nil {
		t.Errorf("after an acknowledgement: %v", err)
	}
}

// TestUrgentKeepsItsBudget fills the queue with messages that are never acknowledged.
func TestUrgentKeepsItsBudget(t *testing.T) {
	var u urgentOut
	body := bytes.Repeat([]byte{1}, 500)
	for range 100 {
		u.add(wire.UrgentMembersJoined, body, nil)
	}
	sent, counts := 0, make(map[uint64]int)
	const seconds = 120
	for now := epoch; now.Before(epoch.Add(seconds * time.Second)); now = now.Add(tickEvery) {
		u.due(now, pathView{}, func(m *urgentMessage, ping int) {
			sent += len(m.body) + packetOverhead
			if ping != 0 {
				sent += pingFrame
			}
			if now.Sub(epoch) > seconds/2*time.Second { // all were sent once
				counts[m.number]++
			}
		})
	}
	if limit := paceBurst + seconds*paceStart + len(body) + packetOverhead; sent > limit ||
		sent < limit*9/10 {
		t.Errorf("sent %d bytes in %d s, the budget is %d", sent, seconds, limit)
	}
	least, most := counts[0], counts[0]
	for n := range uint64(100) {
		least, most = min(least, counts[n]), max(most, counts[n])
	}
	if least < most-1 {
		t.Errorf("one message was sent %d times, another %d times: they take turns", most, least)
	}
}

// TestUrgentFirstSendingsAndRepeatsTakeTurns has messages that are never acknowledged, and new ones that
// wait.
func TestUrgentFirstSendingsAndRepeatsTakeTurns(t *testing.T) {
	var u urgentOut
	for range 100 {
		u.add(wire.UrgentMembersJoined, make([]byte, 500), nil)
	}
	first, repeats, seen := 0, 0, make(map[uint64]bool)
	for now := epoch; now.Before(epoch.Add(20 * time.Second)); now = now.Add(tickEvery) {
		u.due(now, pathView{rtt: 300 * time.Millisecond}, func(m *urgentMessage, _ int) {
			if seen[m.number] {
				repeats++
			} else {
				first++
			}
			seen[m.number] = true
		})
	}
	if first < 30 || repeats < 30 {
		t.Errorf("%d first sendings, %d repeats", first, repeats)
	}
}

func TestUrgentBudgetDoesNotPileUp(t *testing.T) {
	var u urgentOut
	u.add(wire.UrgentLeave, nil, nil)
	sentNow(&u, epoch)
	u.ack(wire.UrgentAck{Base: 1}, epoch)
	for range 200 {
		u.add(wire.UrgentMembersJoined, make([]byte, 1000), nil)
	}
	if got := sentNow(&u, epoch.Add(time.Hour)); len(got) != 2 {
		t.Errorf("%d messages in one burst after an hour of silence, want 2", len(got))
	}
}

func TestUrgentIsReceivedOnceInAnyOrder(t *testing.T) {
	var u urgentIn
	steps := []struct {
		number    uint64
		fresh, ok bool
		ack       wire.UrgentAck
	}{
		{0, true, true, wire.UrgentAck{Base: 1}},
		{0, false, true, wire.UrgentAck{Base: 1}},
		{3, true, true, wire.UrgentAck{Base: 1, Bitmap: 0b10}},
		{2, true, true, wire.UrgentAck{Base: 1, Bitmap: 0b11}},
		{3, false, true, wire.UrgentAck{Base: 1, Bitmap: 0b11}},
		{1, true, true, wire.UrgentAck{Base: 4}},
		{2, false, true, wire.UrgentAck{Base: 4}},
		{4 + wire.UrgentWindow, false, false, wire.UrgentAck{Base: 4}}, // beyond the window
		{4 + wire.UrgentWindow - 1, true, true, wire.UrgentAck{Base: 4}},
		{4 + wire.UrgentWindow - 1, false, true, wire.UrgentAck{Base: 4}},
		{4 + 64, true, true, wire.UrgentAck{Base: 4, Bitmap: 1 << 63}},
		{1 << 61, false, false, wire.UrgentAck{Base: 4, Bitmap: 1 << 63}},
	}
	for i, s := range steps {
		fresh, ok := receive(&u, s.number)
		if fresh != s.fresh || ok != s.ok || u.ack() != s.ack {
			t.Errorf("step %d, number %d: fresh %v, ok %v, ack %+v; want %+v", i, s.number, fresh, ok,
				u.ack(), s)
		}
	}
}

// receive takes a number if it is fresh.
func receive(u *urgentIn, number uint64) (fresh, ok bool) {
	if fresh, ok = u.begin(number); fresh {
		u.end(number, true)
	}
	return fresh, ok
}

// TestUrgentWhileHandedOn has a duplicate come while a message is being handed on, which is refused then: it
// must not be acknowledged, and is fresh later. Another one waits, too: they are handed on one at a time.
func TestUrgentWhileHandedOn(t *testing.T) {
	var u urgentIn
	u.begin(0)
	if fresh, ok := u.begin(0); fresh || ok {
		t.Errorf("a duplicate: fresh %v, ok %v", fresh, ok)
	}
	if fresh, ok := u.begin(1); fresh || ok {
		t.Errorf("another: fresh %v, ok %v", fresh, ok)
	}
	u.end(0, false)
	if want := (wire.UrgentAck{}); u.ack() != want {
		t.Errorf("ack %+v, want %+v", u.ack(), want)
	}
	if fresh, ok := receive(&u, 0); !fresh || !ok || u.ack() != (wire.UrgentAck{Base: 1}) {
		t.Errorf("again: fresh %v, ok %v, ack %+v", fresh, ok, u.ack())
	}
}

// TestUrgentWindowSlides receives in every order within the window, far beyond its size.
func TestUrgentWindowSlides(t *testing.T) {
	var u urgentIn
	for block := uint64(0); block < 10_000; block += 500 {
		for i := range uint64(500) {
			number := block + (i*7+3)%500
			if fresh, ok := receive(&u, number); !fresh || !ok {
				t.Fatalf("number %d: fresh %v, ok %v", number, fresh, ok)
			}
			if fresh, _ := receive(&u, number); fresh {
				t.Fatalf("number %d was fresh twice", number)
			}
		}
		if want := block + 500; u.ack() != (wire.UrgentAck{Base: want}) {
			t.Fatalf("ack %+v, want base %d", u.ack(), want)
		}
	}
}

func TestUrgentLastWaitsForWhatWasBefore(t *testing.T) {
	var u urgentOut
	now := time.Now()
	calls := 0
	u.add(wire.UrgentKey, nil, nil)
	u.add(wire.UrgentLeave, nil, nil)
	u.whenEmpty = append(u.whenEmpty, func(acked bool) {
		if calls++; !acked {
			t.Error("not acknowledged")
		}
	})
	sentNow(&u, now)
	callAll(u.ack(wire.UrgentAck{Base: 0, Bitmap: 1}, now), true) // number 1, not yet 0
	if calls != 0 {
		t.Error("called while an earlier message waits")
	}
	callAll(u.ack(wire.UrgentAck{Base: 2}, now), true)
	callAll(u.ack(wire.UrgentAck{Base: 2}, now), true)
	if calls != 1 {
		t.Errorf("called %d times", calls)
	}
}
