package e2ee

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

var (
	alice, bob = wire.MemberID{1}, wire.MemberID{2}

	viewOne, viewTwo, viewThree = [32]byte{1}, [32]byte{2}, [32]byte{3}
)

// wantDue fails unless Due says this.
func wantDue(t *testing.T, v *Views, now time.Time, ask, warn []wire.MemberID, next time.Time) {
	t.Helper()
	gotAsk, gotWarn, gotNext := v.Due(now)
	if !slices.Equal(gotAsk, ask) || !slices.Equal(gotWarn, warn) || !gotNext.Equal(next) {
		t.Fatalf("after %v: ask %v, warn of %v, next %v; want %v, %v, %v", now.Sub(epoch0),
			gotAsk, gotWarn, gotNext.Sub(epoch0), ask, warn, next.Sub(epoch0))
	}
}

func ids(ids ...wire.MemberID) []wire.MemberID { return ids }

func TestViewsThatAgree(t *testing.T) {
	var v Views
	v.Mine(viewOne, at(0))
	v.Theirs(alice, viewOne, at(1))
	v.Mine(viewTwo, at(2))
	v.Mine(viewTwo, at(3))
	v.Theirs(alice, viewTwo, at(4))
	v.Theirs(bob, viewOne, at(5)) // ours until 3 s ago
	wantDue(t, &v, at(100), nil, nil, never)
	v.Theirs(bob, viewOne, at(5.1))
	wantDue(t, &v, at(5.1), nil, nil, at(8.1))
}

// A ghost: the talker sees somebody whom we do not, and says so again when asked.
func TestViewsWarnOnce(t *testing.T) {
	var v Views
	v.Mine(viewOne, at(0))
	v.Theirs(bob, viewTwo, at(20))
	v.Theirs(alice, viewThree, at(20))
	wantDue(t, &v, at(20), nil, nil, at(23))
	wantDue(t, &v, at(22.9), nil, nil, at(23))
	wantDue(t, &v, at(23), ids(alice, bob), nil, at(26))
	v.Theirs(alice, viewThree, at(23.1))
	v.Theirs(bob, viewTwo, at(23.1))
	wantDue(t, &v, at(23.1), nil, nil, at(26))
	v.Retain(func(id wire.MemberID) bool { return id != bob })
	wantDue(t, &v, at(26), ids(alice), nil, at(30))
	wantDue(t, &v, at(29.9), nil, nil, at(30))
	wantDue(t, &v, at(30), nil, ids(alice), never)
	wantDue(t, &v, at(31), nil, nil, never)
	v.Theirs(alice, viewTwo, at(32)) // still another one
	wantDue(t, &v, at(60), nil, nil, never)

	v.Theirs(alice, viewOne, at(61)) // matches: the next time counts anew
	wantDue(t, &v, at(62), nil, nil, never)
	v.Theirs(alice, viewTwo, at(70))
	wantDue(t, &v, at(80), ids(alice), ids(alice), never) // called late, each once
}

// A talker's key tells of a change before we heard of it.
func TestViewsMatchLater(t *testing.T) {
	var v Views
	v.Mine(viewOne, at(0))
	v.Theirs(alice, viewTwo, at(10))
	wantDue(t, &v, at(13), ids(alice), nil, at(16))
	v.Mine(viewTwo, at(15))
	wantDue(t, &v, at(30), nil, nil, never)
	v.Theirs(alice, viewThree, at(31))
	wantDue(t, &v, at(34), ids(alice), nil, at(37))
	v.Mine(viewThree, at(41.5)) // after the warning was due, if nobody asked
	wantDue(t, &v, at(41.5), nil, nil, never)
}

// Two changes cross: the talker saw the one first and we the other, so its view was never ours. The answer to
// the first question settles it.
func TestViewsThatCross(t *testing.T) {
	var v Views
	first, other, both := [32]byte{11}, [32]byte{12}, [32]byte{13}
	v.Mine(viewOne, at(0))
	v.Mine(first, at(20))
	v.Theirs(alice, other, at(20.1))
	v.Mine(both, at(20.2))
	wantDue(t, &v, at(20.2), nil, nil, at(23.1))
	wantDue(t, &v, at(23.1), ids(alice), nil, at(26.1))
	v.Theirs(alice, both, at(23.3))
	wantDue(t, &v, at(60), nil, nil, never)
}

// A later key that matches settles those before, not the other way round.
func TestViewsInOrder(t *testing.T) {
	var v Views
	v.Mine(viewOne, at(0))
	v.Theirs(alice, viewTwo, at(10))
	v.Theirs(alice, viewThree, at(12))
	v.Mine(viewTwo, at(12.5))
	wantDue(t, &v, at(12.5), nil, nil, at(15)) // 3 s from the one that is left
	v.Mine(viewThree, at(13))
	wantDue(t, &v, at(60), nil, nil, never)

	v.Theirs(alice, viewOne, at(70))
	v.Theirs(alice, viewTwo, at(71))
	v.Mine(viewTwo, at(72))
	wantDue(t, &v, at(90), nil, nil, never)
}

func TestViewsBeforeTheFirst(t *testing.T) {
	var v Views
	v.Theirs(alice, viewTwo, at(0))
	v.Theirs(bob, viewOne, at(0))
	wantDue(t, &v, at(100), nil, nil, never)
	v.Mine(viewOne, at(100))
	wantDue(t, &v, at(100), nil, nil, at(103))
	wantDue(t, &v, at(103), ids(alice), nil, at(106))
	wantDue(t, &v, at(106), ids(alice), nil, at(110))
	wantDue(t, &v, at(110), nil, ids(alice), never)
	v.Retain(func(id wire.MemberID) bool { return id != alice })
	v.Retain(func(id wire.MemberID) bool { return id != alice })
}

// Time runs from the first view that differs, however many follow.
func TestViewsAreBounded(t *testing.T) {
	var v Views
	v.Mine(viewOne, at(0))
	for i := range 100 {
		v.Theirs(alice, [32]byte{9, byte(i)}, at(20+float64(i)/100))
	}
	if n := len(v.talkers[alice].differing); n != maxDiffering {
		t.Fatalf("%d views of a talker", n)
	}
	wantDue(t, &v, at(30), ids(alice), ids(alice), never)
	for i := range 1000 {
		v.Mine([32]byte{10, byte(i), byte(i >> 8)}, at(30+float64(i)/1000))
	}
	if n := len(v.past); n != maxViews {
		t.Fatalf("%d own views", n)
	}
	v.Theirs(bob, [32]byte{10, 0xe6, 0x03}, at(31)) // of the last but one
	wantDue(t, &v, at(60), nil, nil, never)
	v.Mine(viewOne, at(60))
	if n := len(v.past); n != 1 {
		t.Fatalf("%d own views after 10 s", n)
	}
}

// A talker that says the same in frame after frame differs since it said so first.
func TestViewsThatAreRepeated(t *testing.T) {
	var v Views
	v.Mine(viewOne, at(0))
	for i := range 100 {
		v.Theirs(alice, viewTwo, at(20+float64(i)/20))
		v.Theirs(alice, viewThree, at(20+float64(i)/20))
	}
	if n := len(v.talkers[alice].differing); n != 2 {
		t.Fatalf("%d views of a talker that has two", n)
	}
	wantDue(t, &v, at(29.9), ids(alice), nil, at(30))
	wantDue(t, &v, at(30), nil, ids(alice), never)
	v.Theirs(alice, viewTwo, at(31))
	wantDue(t, &v, at(100), nil, nil, never)
}

// It is the last time that a talker said it that counts when a repeated view matches.
func TestRepeatedViewsInOrder(t *testing.T) {
	var v Views
	v.Mine(viewOne, at(0))
	v.Theirs(alice, viewTwo, at(20))
	v.Theirs(alice, viewThree, at(21))
	v.Theirs(alice, viewTwo, at(22))
	v.Mine(viewTwo, at(22.5))
	wantDue(t, &v, at(60), nil, nil, never)

	v.Theirs(alice, viewOne, at(60))
	v.Theirs(alice, viewThree, at(61))
	v.Theirs(alice, viewOne, at(62))
	v.Mine(viewThree, at(62.5)) // settles what was before 61 s
	wantDue(t, &v, at(62.5), nil, nil, at(64))
}

func TestRetain(t *testing.T) {
	var v Views
	v.Retain(func(wire.MemberID) bool { return false })
	v.Mine(viewOne, at(0))
	v.Theirs(alice, viewTwo, at(20))
	v.Theirs(bob, viewTwo, at(21))
	v.Retain(func(id wire.MemberID) bool { return id == bob })
	wantDue(t, &v, at(21), nil, nil, at(24))
	wantDue(t, &v, at(24), ids(bob), nil, at(27))
}
