package call

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// successors makes the signed entries of n stays of one identity, of which each replaces the one before.
func successors(t testing.TB, n int) (entries [][]byte, ids []wire.MemberID) {
	t.Helper()
	var before *wire.StayProof
	for i := range n {
		secret := wire.StaySecret{byte(i)}
		b, err := wire.SignEntry(newIdentity(7), wire.MemberEntry{Room: "r", Name: "anna",
			HomeRelay: newIdentity(200).Public(), Commitment: secret.Commitment(), Replaces: before})
		if err != nil {
			t.Fatal(err)
		}
		before = &wire.StayProof{Entry: wire.HashEntry(b), Secret: secret}
		entries, ids = append(entries, b), append(ids, wire.EntryID(b))
	}
	return entries, ids
}

// permutations calls f with all orders of a list.
func permutations[T any](list []T, f func([]T)) {
	var place func(n int)
	place = func(n int) {
		if n == len(list) {
			f(list)
			return
		}
		for i := n; i < len(list); i++ {
			list[n], list[i] = list[i], list[n]
			place(n + 1)
			list[n], list[i] = list[i], list[n]
		}
	}
	place(0)
}

// TestRosterReplaced: whatever is said in whichever order of two stays of which the second replaces the
// first, they are never shown together, and that the first one is over raises no doubt.
func TestRosterReplaced(t *testing.T) {
	entries, ids := successors(t, 2)
	news := []string{"old joined", "new joined", "old left", "list"}
	permutations(news, func(order []string) {
		ro, c := newRoster(), &checker{t: t, present: make(map[wire.MemberID]bool)}
		now, oldLeft := epoch, false
		for _, what := range order {
			now = now.Add(100 * time.Millisecond)
			var events []Event
			var doubt bool
			switch what {
			case "old joined":
				events, doubt = ro.addJoined(entries[:1], now)
				doubt = doubt && !oldLeft // then it is not known that it was replaced
			case "new joined":
				events, doubt = ro.addJoined(entries[1:], now)
			case "old left":
				events, doubt = ro.removeLeft(ids[:1], now)
				oldLeft = true
			case "list": // from just before the first left
				ro.beginFetch()
				events = ro.addPage(entries)
				more, _ := ro.finishFetch(true, now)
				events = append(events, more...)
			}
			c.see(events)
			if doubt {
				t.Errorf("%v: doubt at %s", order, what)
			}
			if len(c.present) > 1 {
				t.Errorf("%v: both are shown at %s", order, what)
			}
		}
		c.want(ro, "at the end", ids[1])
		if len(ro.replaced) != 1 {
			t.Errorf("%d stays are noted as replaced", len(ro.replaced))
		}
		c.see(must(ro.removeLeft(ids[1:], now)))
		if len(ro.replaced) != 0 {
			t.Errorf("%d stays are noted as replaced when nobody is there", len(ro.replaced))
		}
	})
}

// must returns the news, without the doubt.
func must(news []Event, _ bool) []Event { return news }

// TestRosterReplacedOwn: our own stay before this one, which a relay may not have heard of, is not shown.
func TestRosterReplacedOwn(t *testing.T) {
	entries, ids := successors(t, 3)
	ro, c := newRoster(), &checker{t: t, present: make(map[wire.MemberID]bool)}
	hash := wire.HashEntry(entries[1])
	_, ro.before = wire.StaysOf(entries[1], hash)
	ro.self = hash.Member()
	ro.beginFetch()
	c.see(ro.addPage(entries[:2]))
	c.see(must(ro.finishFetch(true, epoch)))
	c.see(must(ro.addJoined(entries[:1], epoch)))
	c.want(ro, "nobody else")
	c.see(must(ro.addJoined(entries[2:], epoch))) // somebody replaces us; the relay ends us for that
	c.want(ro, "the next one", ids[2])
}

// TestRosterNotReplaced: who names a stay without its secret, or is somebody else, replaces nobody.
func TestRosterNotReplaced(t *testing.T) {
	entries, ids := successors(t, 1)
	sign := func(id byte, secret wire.StaySecret) []byte {
		b, err := wire.SignEntry(newIdentity(id), wire.MemberEntry{Room: "r", Commitment: [32]byte{id, secret[0]},
			Replaces: &wire.StayProof{Entry: wire.HashEntry(entries[0]), Secret: secret}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	thief, wrong := sign(8, wire.StaySecret{}), sign(7, wire.StaySecret{1})
	ro, c := newRoster(), &checker{t: t, present: make(map[wire.MemberID]bool)}
	c.see(must(ro.addJoined([][]byte{thief, entries[0], wrong}, epoch)))
	c.want(ro, "all", ids[0], wire.EntryID(thief), wire.EntryID(wrong))
}
